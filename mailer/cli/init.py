"""`mailer init`: from nothing to an installation that can send."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign.schedule import is_loopback
from mailer.cli import init_answers as answers
from mailer.cli import init_installation as installation
from mailer.cli.init_answers import AnswerInvalid, NewsletterAnswers, RelayAnswers
from mailer.cli.output import say
from mailer.settings import CONFIG_FILE, Settings, load
from subscribers import queries as people
from subscribers.errors import UsersMistake

_PUBLIC_URL = "http://127.0.0.1:8025"


class Tls(StrEnum):
    """How the connection to the relay is encrypted."""

    AUTO = "auto"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to set it up.", file_okay=False)
    ] = Path(),
    name: Annotated[str | None, typer.Option(help="The newsletter's name.")] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help='Who it comes from: `"Name <address>"`.')
    ] = None,
    postal_address: Annotated[
        str | None, typer.Option(help="Printed below each issue, as the law wants.")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="The https address of this installation.")
    ] = None,
    relay_host: Annotated[str | None, typer.Option(help="The SMTP server to hand mail to.")] = None,
    relay_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port.")] = None,
    relay_username: Annotated[str | None, typer.Option(help="Your name there.")] = None,
    relay_password_file: Annotated[
        Path | None, typer.Option(help="A file that holds your password there.", dir_okay=False)
    ] = None,
    relay_tls: Annotated[Tls, typer.Option(help="How to encrypt.")] = Tls.AUTO,
    slug: Annotated[str | None, typer.Option(help="A short name; else made from the name.")] = None,
    language: Annotated[str, typer.Option(help="A code such as en or pt-BR.")] = "en",
    timezone: Annotated[
        str | None,
        typer.Option(
            help="Whose local time: an IANA name; UTC where it is not asked for.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take defaults.")] = False,
) -> None:
    """Set up an installation: settings, keys, database, newsletter, a first issue.

    Asks for what the options do not say. What is there already is kept.

    Examples: `mailer init my-newsletter`,
    `mailer init --name "My News" --from "Ann <ann@example.com>" --postal-address "1 Road, Town"
    --public-url https://news.example.com --relay-host smtp.example.com --yes`
    """
    ask = _Ask(silent=yes or not sys.stdin.isatty())
    title = ask("--name", name, "Name of the newsletter", answers.read_text)
    sender_name, address = answers.read_sender(
        ask("--from", sender, f'From, as "{title} <you@your.domain>"', _checked_sender)
    )
    newsletter = NewsletterAnswers(
        name=title,
        slug=answers.read_slug(slug) if slug else answers.slug_of(title),
        from_name=sender_name or title,
        from_address=address,
        postal_address=ask("--postal-address", postal_address, "Postal address", answers.read_text),
        language=answers.read_language(language),
        timezone=ask(
            "--timezone",
            timezone,
            "Time zone",
            answers.read_timezone,
            # What a script makes is the same on each machine.
            default="UTC" if ask.silent else answers.machines_timezone(),
        ),
    )
    file = folder / CONFIG_FILE
    if not file.exists():
        url = ask("--public-url", public_url, "Public URL", answers.read_url, default=_PUBLIC_URL)
        relay = _relay(
            ask, relay_host, relay_port, relay_username, relay_password_file, tls=relay_tls
        )
        _make_folder(folder)
        _say_made(*installation.write_settings(file, url, relay))
    else:
        say(f"kept      {file}; relay and URL stand there")
    settings = load(file)
    _make_the_rest(folder, settings, newsletter)
    _say_next(folder, settings, newsletter)


@dataclass(frozen=True, kw_only=True)
class _Ask:
    """Gives an option's value, or asks for it; `silent` where nobody is there to answer."""

    silent: bool

    def __call__(
        self,
        option: str,
        given: str | None,
        question: str,
        read: Callable[[str], str],
        *,
        default: str | None = None,
    ) -> str:
        if given is not None:
            try:
                return read(given)
            except UsersMistake as exc:
                raise AnswerInvalid(f"{option}: {exc}") from exc
        if self.silent:
            if default is None:
                raise AnswerInvalid(f"say {option}: nobody is here to be asked")
            return read(default)
        while True:
            try:
                return read(str(typer.prompt(question, default=default)))
            except UsersMistake as exc:
                say(str(exc))


def _checked_sender(text: str) -> str:
    answers.read_sender(text)
    return text


def _relay(
    ask: _Ask,
    host: str | None,
    port: int | None,
    username: str | None,
    password_file: Path | None,
    *,
    tls: Tls,
) -> RelayAnswers:
    host = ask("--relay-host", host, "Relay (SMTP server)", answers.read_text, default="127.0.0.1")
    usual = "465" if tls is Tls.IMPLICIT else "25" if is_loopback(host) else "587"
    number = ask(
        "--relay-port", str(port) if port else None, "Its port", answers.read_port, default=usual
    )
    if username is None and not ask.silent:
        username = str(typer.prompt("Username there (empty for none)", default="")).strip()
    if password_file is not None and not password_file.is_file():
        raise AnswerInvalid(f"--relay-password-file: there is no file {password_file}")
    password = None
    if username and password_file is None and not ask.silent:
        password = str(typer.prompt("Password there", hide_input=True))
    return RelayAnswers(
        host=host,
        port=int(number),
        tls=tls,
        username=username or None,
        password=password,
        password_file=str(password_file.resolve()) if password_file else None,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise AnswerInvalid(f"{folder}: can't be made: {exc.strerror}") from exc


def _make_the_rest(folder: Path, settings: Settings, newsletter: NewsletterAnswers) -> None:
    database = installation.make_database(settings)
    _say_made("the database with this version's schema")

    def in_use() -> bool:
        with database.read() as session:
            return bool(people.newsletters(session))

    keys = installation.make_keys(settings, in_use=in_use)
    if keys:
        _say_made(keys)
    else:
        say(f"kept      {settings.keys_file}")
    made = installation.make_newsletter(database, newsletter, settings.public_url)
    say(f"{'made' if made else 'kept':8}  the newsletter {newsletter.slug}")
    issue = folder / "issue.md"
    made = installation.make_issue(issue, newsletter.language)
    say(f"{'made' if made else 'kept':8}  {issue}")


def _say_made(*things: object) -> None:
    for thing in things:
        say(f"made      {thing}")


def _say_next(folder: Path, settings: Settings, newsletter: NewsletterAnswers) -> None:
    say()
    if folder.resolve() != Path.cwd():
        say(f"Next, after cd {folder}:")
    else:
        say("Next:")
    say(f"  mailer campaign test issue.md --to {newsletter.from_address}")
    say("  mailer doctor")
    say("  mailer subscribers import people.csv")
    say("  mailer campaign schedule issue.md --now && mailer serve")
    if not is_loopback(settings.relay.host) and not settings.public_url.startswith("https://"):
        say()
        say(f"Before you schedule: set public_url in {folder / CONFIG_FILE} to an https address,")
        say("or every unsubscribe link would be dead.")
