"""`mailer subscribers`: the people of a newsletter."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli import completion, output
from mailer.cli.attributes import app as attributes_app
from mailer.cli.hygiene import check, sunset
from mailer.cli.people_files import export, import_
from mailer.cli.privacy import erase
from mailer.cli.reason import checked
from mailer.cli.runtime import runtime
from subscribers import audience
from subscribers import queries as people
from subscribers.address import parse
from subscribers.hygiene.flags import flags
from subscribers.model import Member, Status
from subscribers.transfer.row import clean, read_language, read_timezone

app = typer.Typer(
    help="The people: add, import, look up, unsubscribe, erase.",
    no_args_is_help=True,
    add_completion=False,
)

app.add_typer(attributes_app, name="attributes")
app.command("import")(import_)
app.command()(export)
app.command()(check)
app.command()(sunset)

Address = Annotated[str, typer.Argument(help="The person's address.", show_default=False)]
To = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="Its short name; not needed where there is but one.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    address: Address,
    newsletter: To = None,
    name: Annotated[str, typer.Option(help="What to call the person.")] = "",
    language: Annotated[str | None, typer.Option(help="A code such as en or pt-BR.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE; may be given again.")
    ] = None,
    pending: Annotated[
        bool, typer.Option(help="Has not confirmed yet (where the newsletter asks for it).")
    ] = False,
    lift: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="End a bounce, complaint or erasure of this address; why stays on record.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Subscribe one person, who has agreed to it.

    Example: `mailer subscribers add ada@example.org --name "Ada" --attribute plan=pro`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    parsed = parse(address)
    attributes = dict(_attribute(text) for text in attribute or ())
    why = checked(lift, "--lift") if lift is not None else None
    with run.database.write() as session:
        subscriber_id, recorded = people.add(
            session,
            parsed,
            wanted,
            keyring=run.keyring,
            now=datetime.now(UTC),
            name=clean(name, "--name"),
            language=read_language(language or ""),
            timezone=read_timezone(timezone or ""),
            attributes=attributes,
            tags=tuple(clean(one, "--tag") for one in tag or ()),
            confirmed=not pending,
            lift=why,
        )
    for flag in flags(parsed):
        meant = f"; did you mean {flag.suggestion}?" if flag.suggestion else ""
        output.warn(f"{address} looks {flag.oddity}{meant}")
    if as_json:
        output.emit_json({"id": subscriber_id, "effect": recorded.effect})
    else:
        output.say(f"{address}: {recorded.effect} ({wanted.slug})")


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        output.fail(f"--attribute {text!r}: write NAME=VALUE", code=output.MISTAKE)
    return name, clean(value, "--attribute")


@app.command()
def show(address: Address, as_json: Json = False) -> None:
    """Show all that is known of one person.

    Example: `mailer subscribers show ada@example.org --json`
    """
    run = runtime()
    with run.database.read() as session:
        person = people.show(session, parse(address), keyring=run.keyring)
        slugs = {one.id: one.slug for one in people.newsletters(session)}
    if as_json:
        output.emit_json(person)
        return
    told = dataclasses.asdict(person.subscriber)
    told["attributes"] = ", ".join(f"{k}={v}" for k, v in person.subscriber.attributes.items())
    told["tags"] = ", ".join(person.subscriber.tags)
    told["suppressed"] = ", ".join(person.suppressed_for)
    output.show_table(("", ""), [(key, value) for key, value in told.items() if value])
    for place in person.subscriptions:
        since = place.left_at or place.joined_at
        output.say(f"{slugs[place.newsletter_id]}: {place.status} since {since:%Y-%m-%d %H:%M} UTC")
    for consent in person.consents:
        output.say(f"consent {consent.action} at {consent.at:%Y-%m-%d %H:%M} UTC, {consent.source}")


@app.command("list")
def list_(
    newsletter: To = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List a newsletter's people, oldest first.

    Example: `mailer subscribers list --status bounced`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        found = people.members(session, wanted.id, status=status, limit=limit)
        if as_json:
            output.emit_json_lines(found)
        else:
            output.show_table(("address", "status", "joined", "name"), map(_line, found))


def _line(member: Member) -> tuple[object, ...]:
    person = member.subscriber
    return person.address, member.status, member.joined_at.date(), person.name


@app.command()
def unsubscribe(
    address: Address,
    newsletter: To = None,
    everything: Annotated[bool, typer.Option("--all", help="From all newsletters.")] = False,
    as_json: Json = False,
) -> None:
    """End a person's subscription, from this moment on.

    Example: `mailer subscribers unsubscribe ada@example.org`
    """
    run = runtime()
    wanted = None if everything else run.newsletter(newsletter)
    with run.database.write() as session:
        person = people.find(session, parse(address))
        recorded = people.unsubscribe(session, person.id, wanted, now=datetime.now(UTC))
    if as_json:
        output.emit_json({"id": person.id, "effect": recorded.effect})
    else:
        output.say(f"{address}: {recorded.effect}")


@app.command()
def remove(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person, as `mailer privacy erase` does.

    Example: `mailer subscribers remove ada@example.org --yes`
    """
    erase(address, yes=yes, as_json=as_json)


@app.command()
def stats(newsletter: To = None, as_json: Json = False) -> None:
    """Count a newsletter's people by status, and who would not get an issue and why.

    Example: `mailer subscribers stats`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        counts = audience.stats(session, wanted.id)
        who = audience.count(session, wanted.id)
    if as_json:
        output.emit_json({"newsletter": wanted.slug, "counts": counts, "audience": who})
        return
    output.say(f"{wanted.name}: {who.size:,} would receive an issue now")
    rows = [*counts.people.items(), ("suppressed addresses and domains", counts.suppressed)]
    output.show_table(("status", "people"), rows)
    output.show_table(("largest domains", "active"), [*counts.domains.items()])
