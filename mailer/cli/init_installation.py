"""The files and rows that `mailer init` makes; what is there already is kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from mailer import migrations
from mailer.cli.init_answers import NewsletterAnswers, RelayAnswers
from mailer.cli.runtime import read_keys
from mailer.errors import KeysMissing
from mailer.resources import templates
from mailer.settings import Settings
from subscribers import queries as people
from subscribers.database import Database
from subscribers.errors import NewsletterUnknown, UsersMistake
from subscribers.model import Newsletter
from subscribers.token import Keyring

PASSWORD_FILE = "relay.password"  # noqa: S105

_SETTINGS = """\
# Settings of this installation; docs/settings.md lists all of them. Relative paths start from
# this file's folder. Variables beat this file: PRESSRUN_PUBLIC_URL, PRESSRUN_RELAY__PORT, ...

# What links in your mail start with: the https address at which the world reaches the web
# process. Mail to anybody but this machine is refused until it is one (dead unsubscribe links).
public_url = {public_url}

# SQLite needs no server. On several hosts: "postgresql+psycopg://user@host/name", and a broker.
database_url = "sqlite:///pressrun.db"
# broker_url = "redis://host:6379/0"

# Links in mail already sent, and suppressions, depend on these keys: back them up.
keys_file = "pressrun.keys"

# The domain whose mail comes back here turns on VERP Return-Paths and mailto: unsubscribing.
# inbound_domain = "bounces.example.com"

# The SMTP server that messages are handed to; docs/relays.md has examples.
[relay]
host = {host}
port = {port}
# auto: STARTTLS is required unless the relay is on this machine; or starttls, implicit, none.
tls = {tls}
{login}
# connections = 8

[web]
# host = "127.0.0.1"
{web_port}
# Opens POST /webhooks/generic for bounces and complaints; docs/webhooks.md tells how to make one.
# generic_secret_file = "webhook.secret"

# Sign by yourself where the relay does not.
# [dkim]
# domain = "example.com"
# rsa_selector = "s1"
# rsa_key = "dkim-rsa.pem"
"""


def write_settings(file: Path, public_url: str, relay: RelayAnswers) -> list[Path]:
    """Write pressrun.toml, and a password that was typed into a file of its own."""
    written = [file]
    password_file = relay.password_file
    if relay.password is not None:
        secret = file.with_name(PASSWORD_FILE)
        write_new(secret, relay.password + "\n", mode=0o600)
        written.append(secret)
        password_file = PASSWORD_FILE
    text = _SETTINGS.format(
        public_url=toml_text(public_url),
        host=toml_text(relay.host),
        port=relay.port,
        tls=toml_text(relay.tls),
        login=_login(relay.username, password_file),
        web_port=_web_port(public_url),
    )
    write_new(file, text)
    return written


def _web_port(public_url: str) -> str:
    """Where no proxy stands between, the web process must listen at the URL's own port."""
    parts = urlsplit(public_url)
    direct = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    return f"port = {parts.port}" if direct and parts.port else "# port = 8025"


def _login(username: str | None, password_file: str | None) -> str:
    return "\n".join(
        [
            f"username = {toml_text(username)}" if username else '# username = "..."',
            f"password_file = {toml_text(password_file)}"
            if password_file
            else f'# password_file = "{PASSWORD_FILE}"',
        ]
    )


def toml_text(text: str) -> str:
    """A string as TOML writes it."""
    # A JSON string is a TOML basic string, but for DEL, which no answer may hold.
    return json.dumps(text, ensure_ascii=False)


def write_new(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file that is not there yet; raises UsersMistake where it is or can't be."""

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, mode)

    try:
        with open(file, "x", encoding="utf-8", newline="\n", opener=opener) as target:
            target.write(text)
    except FileExistsError as exc:
        raise UsersMistake(f"{file} is there already; move it away first") from exc
    except OSError as exc:
        raise UsersMistake(f"{file} can't be written: {exc.strerror}") from exc


def make_keys(settings: Settings, *, in_use: Callable[[], bool]) -> Path | None:
    """Make the keys where there are none; gives their file if it is new.

    Raises KeysMissing where the database was in use with others: new ones would forget who
    must never be mailed.
    """
    try:
        Keyring.parse(read_keys(settings))
        return None
    except KeysMissing:
        if settings.keys_file.exists() or in_use():
            raise
    write_new(settings.keys_file, Keyring.generate().to_text(), mode=0o600)
    return settings.keys_file


def make_database(settings: Settings) -> Database:
    """The database with this version's schema."""
    database = Database(settings.database_url)
    migrations.upgrade(database)
    return database


def make_newsletter(database: Database, answers: NewsletterAnswers, url: str) -> bool:
    """Write the newsletter's row; False where one of this short name is there."""
    with database.write() as session:
        try:
            people.newsletter_by_slug(session, answers.slug)
        except NewsletterUnknown:
            wanted = Newsletter(
                id=0,
                slug=answers.slug,
                name=answers.name,
                from_name=answers.from_name,
                from_address=answers.from_address,
                postal_address=answers.postal_address,
                url=url,
                language=answers.language,
                timezone=answers.timezone,
            )
            people.add_newsletter(session, wanted, now=datetime.now(UTC))
            return True
    return False


def make_issue(file: Path, language: str) -> bool:
    """Write a first issue to begin with; False where there is one."""
    if file.exists():
        return False
    draft = (templates() / "issue" / "draft.md").read_text(encoding="utf-8")
    for key, value in (("date", datetime.now(UTC).date().isoformat()), ("lang", language)):
        draft = re.sub(rf"^{key}: .*$", f"{key}: {value}", draft, count=1, flags=re.MULTILINE)
    write_new(file, draft)
    return True
