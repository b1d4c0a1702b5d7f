"""A real Postfix that takes mail on loopback and keeps it all in its hold queue.

It needs root, as Postfix does; nothing of it touches the system's own configuration or queue.
Recipients that start with `no-` are refused for good, with `later-` for now.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.process import ServiceMissing, free_port, leash, wait_for_port

_DAEMONS = Path("/usr/lib/postfix/sbin")
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_peername_lookup = no
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{folder}/conf/recipients, static:HOLD
smtpd_discard_ehlo_keywords = {discarded}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
"""
_RECIPIENTS = "/^no-/ 550 5.1.1 no such user\n/^later-/ 451 4.2.1 mailbox busy\n"


@dataclass(frozen=True, kw_only=True)
class Held:
    """One message as Postfix keeps it; line ends are LF."""

    recipients: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Postfix:
    """Where it listens, and its folder."""

    port: int
    folder: Path

    def held(self) -> list[Held]:
        """All that it took."""
        files = (self.folder / "queue" / "hold").rglob("*")
        return [_read(file.read_bytes()) for file in files if file.is_file()]


@contextmanager
def running(*, discarded: str = "") -> Iterator[Postfix]:
    """Run it; `discarded` names EHLO keywords that it keeps to itself."""
    if os.geteuid() != 0 or not (_DAEMONS / "smtpd").exists() or not shutil.which("setpriv"):
        raise ServiceMissing("Postfix needs root and its package: apt-get install postfix")
    with tempfile.TemporaryDirectory(prefix="pressrun-postfix-") as name:
        folder, port = Path(name), free_port()
        _configure(folder, port, discarded)
        log = folder / "master.log"
        with log.open("wb") as output:
            # Its own process group: it ends by ending the group.
            process = subprocess.Popen(
                [*leash(last="TERM"), _DAEMONS / "master", "-c", folder / "conf", "-d"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            wait_for_port(port, process, log)
            yield Postfix(port=port, folder=folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _configure(folder: Path, port: int, discarded: str) -> None:
    folder.chmod(0o755)
    for name in ("conf", "queue", "data"):
        (folder / name).mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    conf = folder / "conf"
    main = _MAIN.format(folder=folder, daemons=_DAEMONS, discarded=discarded)
    (conf / "main.cf").write_text(main)
    (conf / "master.cf").write_text(_MASTER.format(port=port))
    (conf / "recipients").write_text(_RECIPIENTS)
    for part in ("postfix-files", "dynamicmaps.cf"):
        shutil.copy(Path("/etc/postfix") / part, conf / part)
    for part in ("postfix-files.d", "dynamicmaps.cf.d"):
        shutil.copytree(Path("/etc/postfix") / part, conf / part)
    # It makes the folders of the queue.
    subprocess.run(["/usr/sbin/postfix", "-c", conf, "check"], check=True, capture_output=True)


def _read(queued: bytes) -> Held:
    """Read a queue file: records of a type, a length in groups of seven bits, and the data."""
    recipients, content, at = [], [], 0
    while at < len(queued):
        kind, length, shift = queued[at : at + 1], 0, 0
        at += 1
        while True:
            length |= (queued[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not queued[at - 1] & 0x80:
                break
        words = queued[at : at + length]
        at += length
        if kind == b"R":
            recipients.append(words.decode())
        elif kind in b"NL":
            # N ends with a line end, L goes on.
            content.append(words + (b"\n" if kind == b"N" else b""))
    return Held(recipients=tuple(recipients), content=b"".join(content))
