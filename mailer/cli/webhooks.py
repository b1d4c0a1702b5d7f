"""`mailer webhooks`: what to paste where, and whether what comes back is understood."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli.output import emit_json, fail, say, show_table
from mailer.cli.runtime import runtime
from mailer.cli.webhooks_out import app as out_app
from mailer.errors import FetchRefused, WebhookRefused
from mailer.fetch import Answer, Fetcher
from mailer.settings import Settings
from mailer.webhooks import providers, sample
from mailer.webhooks.model import Received, Report
from mailer.webhooks.providers import PROVIDERS, Provider
from subscribers.errors import UsersMistake

app = typer.Typer(
    help="What providers report: where, how proved, understood or not; and what yours are told.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(out_app, name="out")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Show each provider's URL, the setting that opens it, and whether it is open.

    Example: `mailer webhooks list`
    """
    settings = runtime().settings
    rows = [_row(provider, settings) for provider in PROVIDERS.values()]
    rows.append(
        {
            "provider": "generic",
            "state": "open" if settings.web.generic_secret else "closed",
            "url": f"{settings.public_url}/webhooks/generic",
            "setting": "web.generic_secret",
        }
    )
    if as_json:
        emit_json(rows)
        return
    names = ("provider", "state", "url", "setting")
    show_table(names, [[row[name] for name in names] for row in rows])


def _row(provider: Provider, settings: Settings) -> dict[str, str]:
    return {
        "provider": provider.name,
        "state": "open" if provider.is_open(settings) else "closed",
        "url": settings.public_url + provider.path,
        "setting": f"webhooks.{provider.name}.{provider.setting}",
    }


@app.command("test")
def replay(
    provider: Annotated[str, typer.Argument(help="Its name as in `mailer webhooks list`.")],
    post: Annotated[
        bool, typer.Option("--post", help="Send it to the running web process as well.")
    ] = False,
) -> None:
    """Replay a sample request through verification and parsing; it changes nothing.

    It is about a message that was never sent: the web process notes it as ignored.

    Example: `mailer webhooks test mailgun --post`
    """
    settings = runtime().settings
    known = PROVIDERS.get(provider)
    if known is None:
        if provider == "generic":
            raise UsersMistake(
                "the generic webhook has no sample; docs/webhooks.md shows how to sign and post one"
            )
        names = ", ".join(PROVIDERS)
        raise UsersMistake(f"no provider is called {provider}; there are: {names}")
    providers.check(settings)
    made = sample.make(known, settings, now=datetime.now(UTC))
    _verify_and_read(known, made)
    say(_about(known, settings, made))
    if post:
        _post(known, settings, made)


def _verify_and_read(provider: Provider, made: sample.Sample) -> None:
    try:
        request_id = provider.verify(made.settings.webhooks, made.incoming)
        received = Received(id=request_id, at=made.incoming.now, body=made.incoming.body)
        report = provider.parse(received)
    except WebhookRefused as exc:
        fail(f"{provider.title}: the sample was refused: {exc}")
    say(f"{provider.title}: the sample verifies and is understood:")
    for words in _told(report):
        say(f"  {words}")


def _told(report: Report) -> list[str]:
    told = [
        f"{event.type} {event.hardness or ''} {event.reason} {event.recipient}: {event.text}"
        for event in report.events
    ]
    return [*told, *report.mistakes]


def _about(provider: Provider, settings: Settings, made: sample.Sample) -> str:
    setting = f"webhooks.{provider.name}.{provider.setting}"
    if made.own:
        return f"It was signed with your {setting}; the endpoint is open."
    if provider.is_open(settings):
        return (
            f"Your {setting} can be read; only {provider.title} can sign with its key,"
            " so a key made for this test stood in."
        )
    return f"The endpoint is closed until {setting} is set; a made-up one stood in."


def _post(provider: Provider, settings: Settings, made: sample.Sample) -> None:
    """Send it to this installation's own web process, wherever that listens."""
    host = settings.web.host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{settings.web.port}{provider.path}"
    own = Fetcher(schemes=frozenset({"http"}), allowed=lambda address: True)
    try:
        answer = own.request("POST", url, headers=made.incoming.headers, body=made.incoming.body)
    except FetchRefused as exc:
        fail(f"the web process does not answer: {exc}; start it with `mailer web`")
    say(f"POST {url}: {answer.status} {answer.body.decode('utf-8', 'replace').strip()}")
    _judge(provider, settings, made, answer)


def _judge(provider: Provider, settings: Settings, made: sample.Sample, answer: Answer) -> None:
    expected = 200 if made.own else 401 if provider.is_open(settings) else 404
    if answer.status == expected:
        reasons = {
            200: "as it should be: kept, and ignored as none of ours",
            401: "as it should be: what the provider did not sign is refused",
            404: "as it should be: the endpoint is closed",
        }
        say(reasons[expected])
        return
    fail(f"{expected} was expected; does the web process run with these settings?")
