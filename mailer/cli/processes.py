"""`mailer serve`, `web`, `worker`, `clock`: the processes of an installation."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer import logs
from mailer.cli.engine import Engine, until_signalled
from mailer.cli.output import FAILED, say
from mailer.cli.runtime import Runtime, runtime
from mailer.settings import Settings

Host = Annotated[str | None, typer.Option(help="Listen on this address (web.host).")]
Port = Annotated[int | None, typer.Option(help="Listen on this port (web.port).", min=0, max=65535)]


def serve(host: Host = None, port: Port = None) -> None:
    """Run everything in one process: web pages, clock and worker.

    All that a small server needs. Ctrl-C or SIGTERM lets what flies land, then ends.

    Examples: `mailer serve`, `mailer serve --port 8080`
    """
    # Here, not above: a worker does without the web, and is smaller by a fifth.
    from mailer.cli.web import serve_web

    here = runtime(serves=True)
    logs.configure(here.settings)
    engine = Engine(here, sends=True, ticks=True)

    def listening(url: str) -> None:
        engine.start()
        say(f"Pressrun listens on {url}; Ctrl-C ends it")

    with until_signalled() as signalled:
        try:
            serve_web(
                _listen(here.settings, host, port),
                here.database,
                here.keyring,
                stop=lambda: signalled.is_set,
                on_listening=listening,
            )
        finally:
            engine.stop()
    _end(engine)


def web(host: Host = None, port: Port = None) -> None:
    """Run the web process: unsubscribe pages, view in browser, webhooks.

    Example: `mailer web --host 0.0.0.0 --port 8025`
    """
    from mailer.cli.web import serve_web

    here = runtime(serves=True)
    logs.configure(here.settings)
    with until_signalled() as signalled:
        serve_web(
            _listen(here.settings, host, port),
            here.database,
            here.keyring,
            stop=lambda: signalled.is_set,
            on_listening=lambda url: say(f"Pressrun listens on {url}; Ctrl-C ends it"),
        )


def _listen(settings: Settings, host: str | None, port: int | None) -> Settings:
    told = {"host": host, "port": port}
    web = settings.web.model_copy(update={k: v for k, v in told.items() if v is not None})
    return settings.model_copy(update={"web": web})


def worker() -> None:
    """Run a worker: it sends what is due. Run as many as you like, on as many hosts.

    Example: `mailer worker`
    """
    _run(runtime(serves=True), sends=True, ticks=False)


def clock() -> None:
    """Run the clock: it starts what is due and wakes the workers. Two do no harm.

    Example: `mailer clock`
    """
    _run(runtime(serves=True), sends=False, ticks=True)


def _run(here: Runtime, *, sends: bool, ticks: bool) -> None:
    logs.configure(here.settings)
    engine = Engine(here, sends=sends, ticks=ticks)
    with until_signalled() as signalled:
        engine.start()
        signalled.wait()
        say("finishing what flies …")
        engine.stop()
    _end(engine)


def _end(engine: Engine) -> None:
    if engine.failed:
        raise typer.Exit(FAILED)
