#!/bin/sh
# Brings what the tests need and wheels do not carry: PostgreSQL, RabbitMQ, Postfix's smtp-sink, Dovecot,
# what judges renderings: Chromium and fonts, SpamAssassin, the reference MJML and axe-core; and the
# shells and the mandoc that completion and the man page are tried with.
# On Debian as root they are installed, once, and never started. Whoever is not root uses the
# PostgreSQL that a wheel carries; what can't be had is named. With CI=true that is an error.
set -eu

missing=""
if [ "$(id -u)" = 0 ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing="$missing postgresql"
fi
if [ "$(id -u)" = 0 ] && [ ! -e /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    missing="$missing rabbitmq-server"
fi
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v smtp-sink >/dev/null 2>&1 || missing="$missing postfix"
command -v dovecot >/dev/null 2>&1 || missing="$missing dovecot-imapd dovecot-pop3d"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
fc-list 2>/dev/null | grep -q "Noto Sans Devanagari" || missing="$missing fontconfig fonts-noto-core"
fc-list 2>/dev/null | grep -q "Noto Sans CJK" || missing="$missing fonts-noto-cjk"
fc-list 2>/dev/null | grep -q "Noto Color Emoji" || missing="$missing fonts-noto-color-emoji"
command -v spamassassin >/dev/null 2>&1 || missing="$missing spamassassin"
command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"
for program in zsh fish mandoc; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done

# The reference MJML and axe-core, exactly as the lock names them.
judges() {
    [ -d tests/node/node_modules/mjml ] && return 0
    command -v npm >/dev/null 2>&1 || return 0
    echo "services: installing the judges of tests/node ..."
    (cd tests/node && npm ci --ignore-scripts --no-audit --no-fund >/dev/null) ||
        { echo "services: npm ci failed in tests/node" >&2; [ "${CI:-}" != true ] || exit 1; }
}

[ -n "$missing" ] || { judges; exit 0; }

give_up() {
    echo "services:$missing left out: $1" >&2
    [ "${CI:-}" != true ] || exit 1
    judges
    exit 0
}

command -v apt-get >/dev/null 2>&1 || give_up "there is no apt-get here"
[ "$(id -u)" = 0 ] || give_up "only root may install; try: sudo apt-get install$missing"

# apt would start each server it installs; 101 forbids it (invoke-rc.d's policy layer).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
echo "services: installing$missing ..."
log=$(mktemp)
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
if ! { apt-get -q -o DPkg::Lock::Timeout=300 update &&
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    give_up "apt-get failed, see above"
fi
rm -f "$log"
judges
