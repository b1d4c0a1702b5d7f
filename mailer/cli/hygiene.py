"""`mailer subscribers check` and `sunset`: odd addresses, silent people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mailer.cli import output
from mailer.cli.runtime import runtime
from subscribers import queries as people
from subscribers.address import parse
from subscribers.database import Database
from subscribers.hygiene.flags import flags
from subscribers.hygiene.sunset import looked, silent
from subscribers.model import Member, Newsletter, Status
from subscribers.segment import queries as segments
from subscribers.segment.model import Expression, in_words

To = Annotated[
    str | None,
    typer.Option("--newsletter", "-n", help="Its short name; not needed where there is but one."),
]

#: People whose subscription ends in one transaction.
_AT_ONCE = 200


def check(
    newsletter: To = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List active people whose address looks odd: an office's, a disposable one, a misspelt one.

    Example: `mailer subscribers check`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        found = _odd(people.members(session, wanted.id, status=Status.ACTIVE))
        if as_json:
            headings = ("address", "oddity", "suggestion")
            output.emit_json_lines(dict(zip(headings, row, strict=True)) for row in found)
        else:
            output.show_table(("address", "looks", "perhaps"), found)


def _odd(members: Iterator[Member]) -> Iterator[tuple[str, str, str]]:
    for member in members:
        address = str(member.subscriber.address)
        for flag in flags(parse(address)):
            yield address, flag.oddity.value, flag.suggestion or ""


def sunset(
    newsletter: To = None,
    after: Annotated[
        int, typer.Option(min=30, max=3650, help="Days without an open or a click.")
    ] = 365,
    apply: Annotated[
        bool, typer.Option("--apply", help="End their subscriptions; else only tell.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell who never opens or clicks any more, and with --apply end their subscriptions.

    Ask them first: the segment it prints can be a campaign's audience. Refused where nobody ever
    opened or clicked, since then everybody would seem silent.

    Example: `mailer subscribers sunset --after 365`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    now = datetime.now(UTC)
    tree = silent(timedelta(days=after))
    with run.database.read() as session:
        size = segments.count(session, wanted.id, tree, now=now)
        if not segments.count(session, wanted.id, looked(), now=now):
            output.fail(
                "nobody ever opened or clicked here: either opens and clicks are not recorded, or"
                " it is too early; nothing was done",
                code=output.MISTAKE,
            )
    ended = 0
    if apply and size:
        output.confirm(f"End {size:,} subscriptions to {wanted.name}?", yes=yes)
        ended = _end(run.database, wanted, tree, now)
    if as_json:
        output.emit_json({"silent": size, "ended": ended, "segment": in_words(tree)})
        return
    output.say(f"{size:,} people of {wanted.name} were silent for {after} days")
    if apply:
        output.say(f"{ended:,} subscriptions ended")
    elif size:
        output.say(f"ask them first: mailer campaign schedule FILE --segment '{in_words(tree)}'")
        output.say("then: mailer subscribers sunset --apply")


def _end(database: Database, newsletter: Newsletter, tree: Expression, now: datetime) -> int:
    ended = 0
    while True:
        with database.write() as session:
            some = segments.people(session, newsletter.id, tree, now=now, limit=_AT_ONCE)
            for person in some:
                people.unsubscribe(session, person.id, newsletter, now=now, source="sunset")
        ended += len(some)
        if len(some) < _AT_ONCE:
            return ended
