"""`mailer campaign`: the commands, put together."""

from __future__ import annotations

import typer

from mailer.cli import (
    campaign_books,
    campaign_repair,
    campaign_replace,
    campaign_report,
    campaign_send,
    campaign_watch,
)

app = typer.Typer(
    help="Test, schedule, watch and stop what goes out.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("test")(campaign_send.send_test)
app.command("schedule")(campaign_send.schedule)
app.command("replace")(campaign_replace.replace)
app.command("list")(campaign_watch.list_campaigns)
app.command("status")(campaign_watch.status)
app.command("pause")(campaign_watch.pause)
app.command("resume")(campaign_watch.resume)
app.command("cancel")(campaign_watch.cancel)
app.command("report")(campaign_report.report)
app.command("audit")(campaign_books.audit)
app.command("explain")(campaign_books.explain)
app.command("settle")(campaign_repair.settle)
app.command("resend")(campaign_repair.resend)
app.command("correct")(campaign_repair.correct)
app.command("archive")(campaign_repair.archive)
