"""A Dovecot of our own: IMAP with IDLE, and POP3, over one Maildir."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.services import process
from tests.services.process import ServiceMissing

USER, PASSWORD = "bounces", "open-sesame"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{folder}/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


class DovecotServer:
    """One server; raises ServiceMissing where there is none."""

    def __init__(self) -> None:
        binary = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary is None:
            raise ServiceMissing("Dovecot is not installed; run `make services`")
        self._folder = Path(tempfile.mkdtemp(prefix="pressrun-dovecot-"))
        self.imap_port, self.pop3_port = process.free_port(), process.free_port()
        self._maildir = self._folder / "Maildir"
        for name in ("cur", "new", "tmp"):
            (self._maildir / name).mkdir(parents=True)
        user, group = _owner()
        for place in (self._folder, self._maildir, *self._maildir.iterdir()):
            shutil.chown(place, user, group)
        config = self._folder / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                folder=self._folder,
                user=user,
                group=group,
                password=PASSWORD,
                imap=self.imap_port,
                pop3=self.pop3_port,
            )
        )
        self._user = user
        self._process: subprocess.Popen[bytes] = process.start(
            [binary, "-F", "-c", config], log=self._folder / "output", last="TERM"
        )
        for port in (self.imap_port, self.pop3_port):
            process.wait_for_port(port, self._process, self._folder / "output")

    def deliver(self, name: str, content: bytes) -> None:
        """Put a message into the mailbox, as a delivery agent does."""
        fresh = self._maildir / "tmp" / name
        fresh.write_bytes(content)
        shutil.chown(fresh, self._user)
        fresh.rename(self._maildir / "new" / name)

    def left(self) -> int:
        """How many messages lie in the mailbox."""
        return sum(len([*(self._maildir / name).iterdir()]) for name in ("cur", "new"))

    def stop(self) -> None:
        """End it and remove its mail."""
        process.stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def _owner() -> tuple[str, str]:
    if os.geteuid() != 0:
        name = getpass.getuser()
        return name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
    nobody = pwd.getpwnam("nobody")
    return "nobody", grp.getgrgid(nobody.pw_gid).gr_name
