"""`mailer newsletter`: the newsletters of an installation; each one's row is the truth."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mailer.cli import completion, output
from mailer.cli.campaign_options import Json
from mailer.cli.init_answers import AnswerInvalid, read_slug
from mailer.cli.newsletter_row import Change, change, read_fields
from mailer.cli.runtime import runtime
from subscribers import queries as people
from subscribers.model import Newsletter, OwnerMail, Tracking, UnknownPolicy

app = typer.Typer(
    help="The newsletters of this installation: add, show, change.",
    no_args_is_help=True,
    add_completion=False,
)

#: What `add` can't do without, as options name it.
_NEEDED = {"name": "--name", "sender": "--from", "postal_address": "--postal-address"}

Slug = Annotated[
    str | None,
    typer.Argument(
        help="Its short name; not needed where there is but one.",
        autocompletion=completion.newsletters,
    ),
]
Name = Annotated[str | None, typer.Option(help="What readers call it.")]
Sender = Annotated[
    str | None, typer.Option("--from", help='Who it comes from: `"Name <address>"`.')
]
ReplyTo = Annotated[str | None, typer.Option(help='Where answers go; "" for the From address.')]
Postal = Annotated[str | None, typer.Option(help="Printed below each issue, as the law wants.")]
Url = Annotated[str | None, typer.Option(help="Its home page; else the public URL.")]
Language = Annotated[str | None, typer.Option(help="A code such as en or pt-BR.")]
Timezone = Annotated[str | None, typer.Option(help="Whose local time: an IANA name.")]
ThemeName = Annotated[str | None, typer.Option(help="What it looks like: a name or folder.")]
DoubleOptIn = Annotated[
    bool | None,
    typer.Option("--double-opt-in/--single-opt-in", help="Whether new people must confirm."),
]
Relay = Annotated[str | None, typer.Option(help='The relay it goes through; "" for any.')]
SoftLimit = Annotated[
    int | None, typer.Option(help="So many soft bounces in a row make an address bounced.")
]
SoftDays = Annotated[int | None, typer.Option(help="One is forgotten after so many days.")]
GiveUp = Annotated[str | None, typer.Option(help="How long a copy is retried: 36h, 2d.")]
Unknown = Annotated[
    UnknownPolicy | None,
    typer.Option(help="A copy that may have left: hold it, or resend and risk a second one."),
]
Archive = Annotated[
    bool | None,
    typer.Option("--archive/--no-archive", help="Whether anybody may read what went out to all."),
]
Track = Annotated[
    Tracking | None,
    typer.Option(help="What to count of opens and clicks, in campaigns scheduled from now on."),
]
WeeklySlot = Annotated[
    str | None,
    typer.Option(help='When issues go out that are given no time: "Mon 08:30"; "" none.'),
]
Mail = Annotated[
    OwnerMail | None,
    typer.Option(help="What you are told by mail: starts and ends, too; only trouble; nothing."),
]


@app.command()
def add(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="A short name for commands and headers.")],
    name: Name = None,
    sender: Sender = None,
    postal_address: Postal = None,
    reply_to: ReplyTo = None,
    url: Url = None,
    language: Language = None,
    timezone: Timezone = None,
    theme: ThemeName = None,
    double_opt_in: DoubleOptIn = None,
    relay: Relay = None,
    soft_bounce_limit: SoftLimit = None,
    soft_bounce_days: SoftDays = None,
    give_up_after: GiveUp = None,
    unknown_policy: Unknown = None,
    archive: Archive = None,
    tracking: Track = None,
    slot: WeeklySlot = None,
    owner_mail: Mail = None,
    as_json: Json = False,
) -> None:
    """Add a newsletter; its short name stays, since headers and links are made of it.

    Example: `mailer newsletter add weekly --name "My News" --from "Ann <ann@example.com>"
    --postal-address "1 Road, Town"`
    """
    here = runtime()
    missing = [flag for option, flag in _NEEDED.items() if not ctx.params[option]]
    if missing:
        raise AnswerInvalid(f"say {', '.join(missing)}: no newsletter goes without")
    fields = read_fields(_told(ctx), here.settings)
    wanted = Newsletter(
        id=0,
        slug=read_slug(slug),
        **{"url": here.settings.public_url, "from_name": fields["name"], **fields},
    )
    with here.database.write() as session:
        made = people.add_newsletter(session, wanted, now=datetime.now(UTC))
    if as_json:
        output.emit_json(made)
        return
    output.say(f"{made.name} ({made.slug}) is there; its first people:")
    output.say(f"  mailer subscribers import people.csv --newsletter {made.slug}")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the newsletters.

    Example: `mailer newsletter list`
    """
    with runtime().database.read() as session:
        found = people.newsletters(session)
    if as_json:
        output.emit_json(found)
        return
    output.show_table(
        ("short name", "name", "from", "language", "theme", "tracking"),
        [
            (one.slug, one.name, one.from_address, one.language, one.theme, one.tracking)
            for one in found
        ],
    )


@app.command()
def show(slug: Slug = None, as_json: Json = False) -> None:
    """Show all that is set of a newsletter.

    Example: `mailer newsletter show weekly`
    """
    which = runtime().newsletter(slug)
    if as_json:
        output.emit_json(which)
        return
    rows = [(name.replace("_", " "), _shown(value)) for name, value in asdict(which).items()]
    output.show_table(("what", "value"), rows)


@app.command("set")
def set_(
    ctx: typer.Context,
    slug: Slug = None,
    name: Name = None,
    sender: Sender = None,
    postal_address: Postal = None,
    reply_to: ReplyTo = None,
    url: Url = None,
    language: Language = None,
    timezone: Timezone = None,
    theme: ThemeName = None,
    double_opt_in: DoubleOptIn = None,
    relay: Relay = None,
    soft_bounce_limit: SoftLimit = None,
    soft_bounce_days: SoftDays = None,
    give_up_after: GiveUp = None,
    unknown_policy: Unknown = None,
    archive: Archive = None,
    tracking: Track = None,
    slot: WeeklySlot = None,
    owner_mail: Mail = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Change a newsletter, for what it sends from now on; shows what changes.

    What was scheduled before keeps its content; addresses, relay and policies hold at once.

    Examples: `mailer newsletter set weekly --tracking anonymous`,
    `mailer newsletter set weekly --slot "Mon 08:30 Europe/Berlin"`,
    `mailer newsletter set weekly --reply-to ann@example.com --give-up-after 3d --dry-run`
    """
    here = runtime()
    which = here.newsletter(slug)
    fields = read_fields(_told(ctx), here.settings)
    if not fields:
        raise AnswerInvalid(
            f"say what to change, such as --theme letter; `mailer newsletter show {which.slug}`"
            " tells what it is"
        )
    changes = change(here, which, fields, dry_run=dry_run)
    if as_json:
        output.emit_json({"newsletter": which.slug, "dry_run": dry_run, "changes": changes})
        return
    _say_changes(which, changes, dry_run=dry_run)


def _say_changes(which: Newsletter, changes: list[Change], *, dry_run: bool) -> None:
    if not changes:
        output.say(f"{which.slug} is so already; nothing changes")
        return
    rows = [(one.field.replace("_", " "), _shown(one.before), _shown(one.after)) for one in changes]
    output.show_table(("what", "before", "after"), rows)
    if dry_run:
        output.say("a dry run: nothing was changed")


def _told(ctx: typer.Context) -> dict[str, object]:
    """The options that name fields, as they were given."""
    apart = ("slug", "dry_run", "as_json")
    return {name: value for name, value in ctx.params.items() if name not in apart}


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        hours = value.total_seconds() / 3600
        return f"{hours:g} h"
    return value
