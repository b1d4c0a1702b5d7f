"""`mailer demo`: the whole way from an issue file to a thousand mailboxes, for real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer import migrations
from mailer.cli.demo_content import campaign_of, schedule_campaign
from mailer.cli.demo_feedback import leave, report_bounce
from mailer.cli.demo_folder import DemoFolder, claimed
from mailer.cli.demo_relay import DemoRelay
from mailer.cli.demo_report import show_report
from mailer.cli.demo_server import DemoServer, serving
from mailer.cli.demo_stop import DemoFailed, Interrupted, Stop, stoppable
from mailer.cli.demo_watch import OVER, Tell, watch
from mailer.cli.maildir_relay import listening, messages
from mailer.cli.output import say
from mailer.cli.runtime import Runtime
from mailer.settings import ignore_environment

#: What shells say of a program that Ctrl-C ended.
INTERRUPTED = 130


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Work in this folder.", file_okay=False)
    ] = Path("pressrun-demo"),
    size: Annotated[
        int | None, typer.Option("--people", min=10, help="Take so many rows of the sample.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even if a demo here is unfinished.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep a finished demo; show its report once more.")
    ] = False,
) -> None:
    """Send the sample issue to 1,000 people and a local server, for real.

    Everything stays on this machine and in one folder. Ctrl-C ends it at any moment, and the
    next run goes on where it was; a finished demo is begun anew.

    Examples: `mailer demo`, `mailer demo --people 100 --dir /tmp/demo`
    """
    # Variables meant for a real installation must not lead the demo to its database or relay.
    ignore_environment()
    with stoppable() as stop:
        try:
            with claimed(folder) as ours:
                _play(ours, size, stop, fresh=fresh, keep=keep)
        except Interrupted as exc:
            say(f"\n{exc}")
            raise typer.Exit(INTERRUPTED) from exc
        except OSError as exc:
            raise DemoFailed(f"{exc.filename or folder}: {exc.strerror or exc}") from exc


def _play(folder: DemoFolder, size: int | None, stop: Stop, *, fresh: bool, keep: bool) -> None:
    if fresh or not folder.database.exists():
        folder.clear()
    here = _open(folder, relay_port=1)
    campaign = campaign_of(here)
    if campaign is not None and campaign.state in OVER:
        if keep:
            show_report(here, folder, campaign.id)
            return
        here.database.dispose()
        folder.clear()
        campaign = None
    say(f"folder       {folder.path}, {'begun anew' if campaign is None else 'continued'}")
    with listening(DemoRelay(folder.maildir)) as relay:
        here = _open(folder, relay_port=relay.port)
        campaign_id = campaign.id if campaign else schedule_campaign(here, folder, size, stop)
        stop.check()
        _send(here, folder, relay, campaign_id, stop)
    show_report(here, folder, campaign_id)


def _open(folder: DemoFolder, *, relay_port: int) -> Runtime:
    here = Runtime(settings=folder.write_settings(relay_port=relay_port))
    migrations.upgrade(here.unchecked_database)
    return here


def _send(
    here: Runtime, folder: DemoFolder, relay: DemoRelay, campaign_id: int, stop: Stop
) -> None:
    """Run the parts until the campaign is over; leaving this, none of them runs any more."""
    say(
        f"relay        127.0.0.1:{relay.port} writes a Maildir; refuses no-…@ for good (550),"
        " later-…@ the first time (451)"
    )
    url = here.settings.public_url
    with serving(folder, url, stop) as server:
        say(f"serve        web, clock and worker at {url} (process {server.pid})")

        def what_comes_back(tell: Tell) -> None:
            _report_back(here, folder, server, stop, tell)

        watch(here, server, campaign_id, stop, after_first_tries=what_comes_back)


def _report_back(
    here: Runtime, folder: DemoFolder, server: DemoServer, stop: Stop, tell: Tell
) -> None:
    arrived = messages(folder.maildir)
    if len(arrived) < 2:
        raise DemoFailed(f"only {len(arrived)} messages arrived; see {folder.log}")
    report_bounce(here, folder, server, arrived[0], stop, tell)
    leave(here, server, arrived[1], stop, tell)
