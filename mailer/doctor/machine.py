"""The parts of this installation: its database, keys, broker, relays and clocks."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mailer import migrations
from mailer.campaign.schedule import is_loopback
from mailer.delivery.smtp.offer import Offer, offer_of
from mailer.doctor import queries
from mailer.doctor.model import Finding, error, ok, unknown, warning
from mailer.errors import BrokerUnavailable, RelayTrouble, SettingsInvalid
from mailer.queue.broker import ping
from mailer.settings import RelaySettings, Settings
from subscribers.database import Database
from subscribers.errors import PressrunError, SchemaTooNew, SchemaTooOld

#: Less free space than this stops everything soon, or should be looked at, in bytes.
SPACE_LEAST, SPACE_ENOUGH = 200_000_000, 2_000_000_000
#: Clocks further apart than this make lines in the ledger stand in the wrong order, in seconds.
DRIFT = 5.0
#: A message with images in it may be as big.
MESSAGE = 2_000_000
#: File systems whose locks SQLite can't trust.
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "glusterfs", "afs")


def database(database: Database) -> Iterator[Finding]:
    """Whether it answers, has this version's schema, and room to grow."""
    try:
        migrations.check(database)
    except SchemaTooOld as exc:
        yield error("database", str(exc), "stop the processes, then run `mailer db upgrade`")
        return
    except SchemaTooNew as exc:
        yield error("database", str(exc), "install the version that made it, or a newer one")
        return
    except PressrunError as exc:
        yield error("database", str(exc), "nothing works without it; see database_url")
        return
    with database.read() as session:
        told = queries.version(session)
        journal = queries.journal(session) if database.is_sqlite else ""
        size = 0 if database.is_sqlite else queries.size(session)
        drift = (queries.clock(session) - datetime.now(UTC)).total_seconds()
        paused = queries.paused(session)
    if database.is_sqlite:
        yield from _sqlite(Path(database.place), told, journal)
    else:
        yield ok("database", f"{told}, this version's schema, {size / 1e6:.0f} MB")
        yield _clock("clock of the database", drift)
    if paused:
        yield warning(
            "campaigns", f"{paused} wait for a person", "`mailer campaign list` says which and why"
        )


def _sqlite(file: Path, told: str, journal: str) -> Iterator[Finding]:
    free = shutil.disk_usage(file.parent).free
    words = f"{told}, this version's schema, {free / 1e9:.1f} GB free"
    if journal != "wal":
        yield error(
            "database",
            f"{told} keeps its changes by {journal}, not WAL: readers and writers block each other",
            f"move {file} to a local disk that knows shared memory",
        )
    elif free < SPACE_LEAST:
        yield error("database", words, "free some space before mail stops")
    elif free < SPACE_ENOUGH:
        yield warning("database", words, "free some space")
    else:
        yield ok("database", words)
    kind = _file_system(file)
    if kind.startswith(_REMOTE):
        yield error(
            "database",
            f"{file} lies on {kind}: two processes on it may damage it",
            "move it to a local disk, or use PostgreSQL",
        )
    yield from private("database", file)


def _file_system(file: Path) -> str:
    """The kind of file system that a file lies on; empty where the system does not tell."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    within = [line.split(" ") for line in mounts]
    best = max(
        (parts for parts in within if file.resolve().is_relative_to(parts[1])),
        key=lambda parts: len(parts[1]),
        default=["", "", ""],
    )
    return best[2]


def private(what: str, file: Path) -> Iterator[Finding]:
    """A warning where others on this machine may read a file."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if mode & 0o077:
        yield warning(what, f"others on this machine may read {file}", f"chmod 600 {file}")


def broker(url: str | None) -> Finding:
    """Whether it answers."""
    if url is None:
        return ok("broker", "none: workers find their work in the database")
    try:
        ping(url)
    except BrokerUnavailable as exc:
        return error(
            "broker",
            str(exc),
            "start it, or check broker_url; mail goes on meanwhile, a little later",
        )
    return ok("broker", "answers")


def relays(settings: Settings) -> Iterator[Finding]:
    """Whether each takes our login, and what it offers."""
    hostname = settings.inbound_domain or socket.getfqdn()
    for name, relay in settings.every_relay.items():
        what = f"relay {name}"
        try:
            offer = asyncio.run(offer_of(relay, settings.sending, local_hostname=hostname))
        except (RelayTrouble, SettingsInvalid) as exc:
            yield error(what, str(exc), "`mailer relay test` tries again")
            continue
        yield from _offer(what, relay, offer)


def _offer(what: str, relay: RelaySettings, offer: Offer) -> Iterator[Finding]:
    login = f"logged in as {offer.logged_in_as}" if offer.logged_in_as else "without a login"
    told = f"{relay.host}:{relay.port} {offer.tls or 'in plain text'}, {login}"
    if offer.tls is None and not is_loopback(relay.host):
        yield warning(what, f"{told}: passwords and mail can be read on the way", 'tls = "auto"')
    elif offer.tls and not relay.verify:
        yield warning(
            what, f"{told}, with any certificate", "use ca_file instead of verify = false"
        )
    elif 0 < offer.size < MESSAGE:
        yield warning(
            what,
            f"{told}, and takes no message over {offer.size} bytes",
            "do not embed images in messages, or have its limit raised",
        )
    else:
        yield ok(what, told)
    if offer.clock is not None:
        yield _clock(f"clock of {what}", (offer.clock - datetime.now(UTC)).total_seconds())


def _clock(what: str, drift: float) -> Finding:
    if abs(drift) <= DRIFT:
        return ok(what, "agrees with ours")
    side = "ahead of" if drift > 0 else "behind"
    return warning(
        what, f"{abs(drift):.0f} s {side} ours", "let both machines keep time by NTP (chrony)"
    )


def drift(what: str, shown: datetime | None) -> Finding:
    """How another clock stands to ours."""
    if shown is None:
        return unknown(what, "nobody told the time")
    return _clock(what, (shown - datetime.now(UTC)).total_seconds())
