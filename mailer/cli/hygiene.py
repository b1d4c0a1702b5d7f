"""`mailer subscribers check` and `sunset`: odd addresses, silent people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mailer.campaign.schedule import check_public_url
from mailer.cli import completion, output
from mailer.cli.runtime import Runtime, runtime
from mailer.notice.send import Post
from mailer.notice.sunset import Silence, Sunset
from subscribers import queries as people
from subscribers.address import parse
from subscribers.hygiene.flags import flags
from subscribers.hygiene.sunset import looked, silent
from subscribers.model import Member, Status
from subscribers.segment import queries as segments
from subscribers.segment.model import in_words

To = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="Its short name; not needed where there is but one.",
    ),
]


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
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask them by mail whether to go on, each once.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="End what nobody answered; else only tell.")
    ] = False,
    grace: Annotated[
        int, typer.Option(min=1, max=365, help="Days that who was asked has to answer.")
    ] = 14,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell who never opens or clicks any more; ask them whether to go on, then let them go.

    First `--ask` writes to each of them: who presses the button of that mail stays. Some weeks
    later `--apply` ends the subscriptions of those who were asked and did not answer. Refused
    where nobody ever opened or clicked, since then everybody would seem silent.

    Examples: `mailer subscribers sunset --after 365`, `mailer subscribers sunset --ask`,
    `mailer subscribers sunset --apply --grace 21`
    """
    if ask and apply:
        output.fail("say --ask or --apply, not both: they need time to answer", code=output.MISTAKE)
    run = runtime()
    wanted = Sunset(
        newsletter=run.newsletter(newsletter),
        after=timedelta(days=after),
        grace=timedelta(days=grace),
        now=datetime.now(UTC),
    )
    found = _silence(run, wanted)
    asked = _ask(run, wanted, found, yes=yes) if ask else 0
    ended = _end(run, wanted, found, yes=yes) if apply else 0
    if as_json:
        told = {"silent": found.silent, "asked_before": found.asked, "unanswered": found.over}
        words = in_words(silent(wanted.after))
        output.emit_json({**told, "asked": asked, "ended": ended, "segment": words})
        return
    name = wanted.newsletter.name
    output.say(
        f"{found.silent:,} people of {name} were silent for {after} days; {found.asked:,} of them"
        f" were asked, {found.over:,} have not answered for {grace} days"
    )
    if ask:
        output.say(f"{asked:,} are asked now; in {grace} days: mailer subscribers sunset --apply")
    elif apply:
        output.say(f"{ended:,} subscriptions ended")
    elif found.silent > found.asked:
        output.say("ask them: mailer subscribers sunset --ask")


def _silence(run: Runtime, wanted: Sunset) -> Silence:
    with run.database.read() as session:
        if not segments.count(session, wanted.newsletter.id, looked(), now=wanted.now):
            output.fail(
                "nobody ever opened or clicked here: either opens and clicks are not recorded, or"
                " it is too early; nothing was done",
                code=output.MISTAKE,
            )
        return wanted.count(session)


def _ask(run: Runtime, wanted: Sunset, found: Silence, *, yes: bool) -> int:
    check_public_url(run.settings)
    new = found.silent - found.asked
    if not new:
        return 0
    output.confirm(f"Ask {new:,} people whether to go on with {wanted.newsletter.name}?", yes=yes)
    post = Post(keyring=run.keyring, public_url=run.settings.public_url)
    return wanted.ask(run.database, post)


def _end(run: Runtime, wanted: Sunset, found: Silence, *, yes: bool) -> int:
    if not found.over:
        return 0
    output.confirm(f"End {found.over:,} subscriptions to {wanted.newsletter.name}?", yes=yes)
    return wanted.end(run.database)
