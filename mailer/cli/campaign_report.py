"""`mailer campaign report`: what became of a campaign, in figures and plots."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from mailer.cli.campaign_books import show_balance
from mailer.cli.campaign_options import Id, Json
from mailer.cli.output import emit_json, out, say, show_table
from mailer.cli.plots import show_area, show_bars, show_note
from mailer.cli.report_page import Html, write_page, zone_of
from mailer.cli.runtime import runtime
from mailer.delivery.model import DeliveryState
from mailer.report import queries as report_queries
from mailer.report.looks.queries import Looks
from mailer.report.page.campaign import campaign_page, dragged, look_bar, points_of
from mailer.report.plot.bars import Bar, Part
from mailer.report.plot.words import clean
from mailer.report.queries import CampaignReport
from subscribers import queries as people

#: So many links a report lists; --json lists them all.
_TOP = 10


def report(campaign_id: Id, html: Html = None, as_json: Json = False) -> None:
    """Tell what became of a campaign, in figures and plots.

    Where opens and clicks are counted (`mailer newsletter set --tracking`), everything that came
    stands beside what people did, with the links followed most.

    Examples: `mailer campaign report 3`, `mailer campaign report 3 --html report.html`
    """
    with runtime().database.read() as session:
        figures = report_queries.campaign_report(session, campaign_id)
        newsletter = people.newsletter(session, figures.campaign.newsletter_id)
    zone = zone_of(figures.campaign.timezone)
    if html:
        write_page(campaign_page(figures, newsletter, zone, now=datetime.now(UTC)), html)
    if as_json:
        emit_json(figures)
    elif not html:
        _show(figures, zone)


def _show(figures: CampaignReport, zone: ZoneInfo) -> None:
    campaign = figures.campaign
    say(f"campaign {campaign.id}: {campaign.state} — {clean(campaign.subject)}")
    if figures.first_at and figures.last_at:
        took = (figures.last_at - figures.first_at).total_seconds()
        say(
            f"{figures.attempts} attempts in {took:.1f} s"
            f" from {figures.first_at:%Y-%m-%d %H:%M} UTC"
        )
    show_balance(figures.balance)
    if figures.reasons:
        say()
        show_table(("state", "reason", "copies"), figures.reasons)
    for what, copies in sorted(figures.later.items()):
        say(f"{copies} reported {what} later")
    if figures.unsubscribed:
        say(f"{figures.unsubscribed} unsubscribed")
    if out.is_terminal:
        _show_plots(figures, zone)
    if figures.looks:
        _show_looks(figures.looks)
    for words in figures.not_kept:
        show_note(words)


def _show_plots(figures: CampaignReport, zone: ZoneInfo) -> None:
    course = figures.course
    if course:
        show_area("sent over time", points_of(course), zone, note=dragged(course, zone))
    if figures.lanes:
        bars = [
            Bar(
                name=lane.lane,
                parts=tuple(
                    Part(look=state, name=state, many=lane.states.get(state, 0))
                    for state in DeliveryState
                ),
            )
            for lane in figures.lanes[:_TOP]
        ]
        show_bars("lanes", bars, legend=True)
    if figures.looks:
        looks = (("opens", figures.looks.opens), ("clicks", figures.looks.clicks))
        show_bars("people and machines", [look_bar(*one) for one in looks], legend=True)


def _show_looks(looks: Looks) -> None:
    """Opens, clicks and the links followed most, raw beside human."""
    say()
    links = [(one.url, one.clicks) for one in looks.links[:_TOP] if one.clicks.raw]
    rows = [("opens", looks.opens), ("clicks", looks.clicks), *links]
    show_table(
        (f"tracking: {looks.tracking}", "raw", "human", "people"),
        [(what, one.raw, one.human, one.people) for what, one in rows],
    )
    if looks.machines:
        told = ", ".join(f"{count} {looker}" for looker, count in looks.machines.items())
        say(f"machines, by how they were told: {told}")
