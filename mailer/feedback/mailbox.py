"""Mailboxes that are emptied into the database: IMAP (with IDLE), POP3, Maildir, mbox.

Nothing is deleted before it is kept. A message whose deletion was cut off comes again, and is
known then.
"""

from __future__ import annotations

import contextlib
import imaplib
import mailbox
import poplib
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mailer.errors import MailboxTrouble

#: Keeps one message, durable on return.
Keep = Callable[[bytes], object]

_SECONDS = 60
#: IMAP servers may end an IDLE after half an hour (RFC 2177).
_MOST_IDLE = 25 * 60.0
#: How often an IDLE looks whether it is time to stop, in seconds.
_GLANCE = 1.0


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Where mail waits, and the password; `tls` is for tests with a certificate of their own."""

    url: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def parts(self) -> SplitResult:
        """The URL in its parts."""
        return urlsplit(self.url)

    @property
    def place(self) -> str:
        """What to call it in a message."""
        return f"{self.parts.scheme}://{self.parts.hostname}"

    @property
    def context(self) -> ssl.SSLContext:
        """How TLS is spoken."""
        return self.tls or ssl.create_default_context()


def empty(box: Mailbox, keep: Keep) -> int:
    """Keep and delete all that lies in a mailbox; gives how many.

    Raises MailboxTrouble, in words, with what was kept until then kept.
    """
    return watch(box, keep, stop=lambda: True, poll_seconds=0)


def watch(box: Mailbox, keep: Keep, *, stop: Callable[[], bool], poll_seconds: float) -> int:
    """Empty a mailbox, and again whenever there is news, until `stop()`; gives how many.

    Raises MailboxTrouble where the server can't be reached or refuses.
    """
    try:
        if box.parts.scheme.startswith("imap"):
            return _watch_imap(box, keep, stop, poll_seconds)
        return _watch_pop3(box, keep, stop, poll_seconds)
    except (imaplib.IMAP4.error, poplib.error_proto) as exc:
        words = exc.args[0] if exc.args else exc
        said = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        raise MailboxTrouble(
            f"{box.place}: {said}; check inbound.mailbox and its password"
        ) from exc
    except (OSError, EOFError) as exc:
        raise MailboxTrouble(f"{box.place}: {exc}; check inbound.mailbox") from exc


# --- IMAP ---------------------------------------------------------------------------------------


def _watch_imap(box: Mailbox, keep: Keep, stop: Callable[[], bool], poll_seconds: float) -> int:
    taken = 0
    with _imap(box) as imap:
        while True:
            taken += _empty_imap(imap, keep)
            if stop():
                return taken
            if "IDLE" in imap.capabilities:
                _idle(imap, stop)
            else:
                pause(poll_seconds, stop)


def _imap(box: Mailbox) -> imaplib.IMAP4:
    parts = box.parts
    host = parts.hostname or ""
    if parts.scheme == "imaps":
        imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            host, parts.port or 993, ssl_context=box.context, timeout=_SECONDS
        )
    else:
        imap = imaplib.IMAP4(host, parts.port or 143, timeout=_SECONDS)
        if "STARTTLS" in imap.capabilities:
            imap.starttls(box.context)
    imap.login(unquote(parts.username or ""), box.password)
    folder = unquote(parts.path.strip("/")) or "INBOX"
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    _expect(imap.select(f'"{quoted}"'))
    return imap


def _empty_imap(imap: imaplib.IMAP4, keep: Keep) -> int:
    imap.noop()
    numbers = _expect(imap.uid("SEARCH", "UNDELETED"))[0]
    assert isinstance(numbers, bytes)
    uids = numbers.split()
    for uid in uids:
        # Not RFC822: that would mark it as read, before it is ours.
        answer = _expect(imap.uid("FETCH", uid.decode(), "(BODY.PEEK[])"))
        content = next((part[1] for part in answer if isinstance(part, tuple)), None)
        if content is None:
            continue  # somebody else took it meanwhile
        keep(content)
        _expect(imap.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)"))
    if uids:
        _expect(imap.expunge())
    return len(uids)


def _idle(imap: imaplib.IMAP4, stop: Callable[[], bool]) -> None:
    """Wait until the server tells of news, half an hour at most, or it is time to stop."""
    tag = b"IDLE1"
    imap.send(tag + b" IDLE\r\n")
    if not imap.readline().startswith(b"+"):
        raise imaplib.IMAP4.abort("the server does not idle")
    until = time.monotonic() + _MOST_IDLE
    imap.sock.settimeout(_GLANCE)
    try:
        while not stop() and time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                # A line may be cut by the glance: any byte of it is news.
                if imap.sock.recv(4_096):
                    break
                raise imaplib.IMAP4.abort("the server hung up")
    finally:
        imap.sock.settimeout(_SECONDS)
    imap.send(b"DONE\r\n")
    while line := imap.readline():
        if line.startswith(tag):
            return
    raise imaplib.IMAP4.abort("the server hung up")


def _expect(answer: tuple[str, Sequence[object]]) -> Sequence[object]:
    status, content = answer
    if status != "OK":
        raise imaplib.IMAP4.error(content[0] if content else status)
    return content


# --- POP3 ---------------------------------------------------------------------------------------


def _watch_pop3(box: Mailbox, keep: Keep, stop: Callable[[], bool], poll_seconds: float) -> int:
    taken = 0
    while True:
        taken += _empty_pop3(box, keep)
        if stop():
            return taken
        pause(poll_seconds, stop)


def _empty_pop3(box: Mailbox, keep: Keep) -> int:
    parts = box.parts
    host = parts.hostname or ""
    if parts.scheme == "pop3s":
        pop: poplib.POP3 = poplib.POP3_SSL(
            host, parts.port or 995, timeout=_SECONDS, context=box.context
        )
    else:
        pop = poplib.POP3(host, parts.port or 110, timeout=_SECONDS)
        if "STLS" in pop.capa():
            pop.stls(box.context)
    try:
        pop.user(unquote(parts.username or ""))
        pop.pass_(box.password)
        count, _size = pop.stat()
        for number in range(1, count + 1):
            keep(b"\r\n".join(pop.retr(number)[1]) + b"\r\n")
            pop.dele(number)
    finally:
        # QUIT is what deletes; where it is cut off, the messages come again.
        pop.quit()
    return count


def pause(seconds: float, stop: Callable[[], bool]) -> None:
    """Wait for so long, or until `stop()`."""
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))


# --- files --------------------------------------------------------------------------------------


def read_files(path: Path, keep: Keep) -> int:
    """Keep all messages of a Maildir, an mbox, or a file with one message; gives how many.

    A Maildir's new messages are marked as seen once they are kept; nothing is deleted.
    """
    if path.is_dir():
        return _read_maildir(path, keep)
    content = path.read_bytes()
    if not content.startswith(b"From "):
        keep(content)
        return 1
    messages = mailbox.mbox(path, create=False)
    try:
        for key in messages.iterkeys():
            keep(messages.get_bytes(key))
        return len(messages)
    finally:
        messages.close()


def _read_maildir(path: Path, keep: Keep) -> int:
    folder = mailbox.Maildir(path, create=False)
    taken = 0
    for key in list(folder.iterkeys()):
        message = folder.get_message(key)
        if message.get_subdir() != "new":
            continue
        keep(folder.get_bytes(key))
        message.set_subdir("cur")
        message.add_flag("S")
        folder[key] = message
        taken += 1
    return taken
