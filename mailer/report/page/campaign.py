"""The page of one campaign: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate
from zoneinfo import ZoneInfo

from mailer.delivery.model import DeliveryState
from mailer.report.course.queries import Course, LaneFigure
from mailer.report.looks.queries import Figure, Looks
from mailer.report.page.model import Page, Section, Tile
from mailer.report.plot.bars import Bar, Part, bar_plot
from mailer.report.plot.lines import line_plot
from mailer.report.plot.marks import Table
from mailer.report.plot.words import counted, number, share, span, subject_words
from mailer.report.queries import CampaignReport
from subscribers.model import Newsletter

_TOP = 12
_FINAL = (
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.UNKNOWN,
    DeliveryState.SKIPPED,
    DeliveryState.CANCELLED,
)


def campaign_page(
    report: CampaignReport, newsletter: Newsletter, zone: ZoneInfo, *, now: datetime
) -> Page:
    """All that is known of a campaign, its times as clocks in `zone` show them."""
    return Page(
        title=subject_words(report.campaign.subject),
        kind="campaign report",
        about=tuple(_about(report, newsletter, zone)),
        tiles=tuple(_tiles(report)),
        sections=tuple(_sections(report, zone)),
        notes=(made(now, zone),),
    )


def made(now: datetime, zone: ZoneInfo) -> str:
    """When a page was made, and by which clocks its times are."""
    return f"Made {now.astimezone(zone):%Y-%m-%d %H:%M}; all times as in {zone.key}."


def _about(report: CampaignReport, newsletter: Newsletter, zone: ZoneInfo) -> Iterator[str]:
    campaign = report.campaign
    yield newsletter.name
    issue = f"Issue {campaign.issue_number}, " if campaign.issue_number is not None else ""
    words = f"{issue}campaign {campaign.id}: {campaign.state}."
    if report.first_at and report.last_at:
        words += (
            f" First copy let go {report.first_at.astimezone(zone):%Y-%m-%d %H:%M}, last"
            f" {report.last_at.astimezone(zone):%Y-%m-%d %H:%M}:"
            f" {counted(report.attempts, 'attempt')} in {span(report.last_at - report.first_at)}."
        )
    yield words


def _tiles(report: CampaignReport) -> Iterator[Tile]:
    audience, states = report.balance.audience, report.balance.states
    sent = states.get(DeliveryState.SENT, 0)
    yield Tile(name="audience", value=number(audience))
    yield Tile(name="sent", value=number(sent), note=share(sent, audience))
    bounced = report.reaction.bounced
    yield Tile(name="bounced", value=number(bounced), note=share(bounced, audience))
    yield Tile(
        name="unsubscribed",
        value=number(report.unsubscribed),
        note=share(report.unsubscribed, sent),
    )
    yield Tile(
        name="complained",
        value=number(report.reaction.complained),
        note=share(report.reaction.complained, sent),
    )
    if report.looks:
        yield Tile(name="opens by people", value=number(report.looks.opens.human))
        yield Tile(name="clicks by people", value=number(report.looks.clicks.human))


def _sections(report: CampaignReport, zone: ZoneInfo) -> Iterator[Section]:
    yield course_section(report, zone)
    yield _outcomes(report)
    if report.reasons:
        yield _reasons(report)
    if report.lanes:
        yield _lanes(report.lanes)
    if report.looks:
        yield _looks(report.looks)
        yield _links(report.looks)


def points_of(course: Course) -> list[tuple[datetime, int]]:
    """How many copies had been taken by when."""
    return [*zip(course.bounds, accumulate(course.counts, initial=0), strict=True)]


def course_section(report: CampaignReport, zone: ZoneInfo) -> Section:
    """Copies sent by when, cumulative."""
    heading, course = "Sent over time", report.course
    if course is None:
        why = report.not_kept[0] if report.not_kept else "Nothing is sent yet."
        return Section(heading=heading, note=why, wide=True)
    points = points_of(course)
    reached = points[-1][1]
    says = (
        f"{number(reached)} copies were sent from {_clock(points[0][0], zone)}"
        f" to {_clock(points[-1][0], zone)}."
    )
    return Section(
        heading=heading,
        note=dragged(course, zone),
        plot=line_plot("Copies sent over time, cumulative", says, points, zone),
        table=Table(
            headings=("until", "sent so far", "of the audience"),
            rows=tuple(
                (_clock(at, zone), number(many), share(many, report.balance.audience))
                for at, many in points[1:]
            ),
        ),
        wide=True,
    )


def dragged(course: Course, zone: ZoneInfo) -> str:
    """What came after the part that is drawn, in words; nothing where all of it is."""
    if not course.after:
        return ""
    last = _clock(course.last_at, zone)
    if course.after == 1:
        return f"1 more copy followed later, at {last}."
    return f"{number(course.after)} more copies followed later, the last one at {last}."


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _outcomes(report: CampaignReport) -> Section:
    audience, states = report.balance.audience, report.balance.states
    shown = [state for state in DeliveryState if states.get(state, 0) or state in _FINAL]
    bars = [
        Bar(
            name=state,
            parts=(Part(look=state, name="copies", many=states.get(state, 0)),),
            note=f"{number(states.get(state, 0))} · {share(states.get(state, 0), audience)}",
        )
        for state in shown
    ]
    told = ", ".join(f"{number(states.get(state, 0))} {state}" for state in shown)
    balances = "The ledger balances." if report.balance.balances else "The ledger does not balance."
    return Section(
        heading="Outcomes",
        plot=bar_plot(
            "Copies by outcome", f"Of {number(audience)} people: {told}. {balances}", bars
        ),
        table=Table(
            headings=("outcome", "copies", "of the audience"),
            rows=tuple(
                (state, number(states.get(state, 0)), share(states.get(state, 0), audience))
                for state in shown
            ),
        ),
    )


def _reasons(report: CampaignReport) -> Section:
    rows = report.reasons
    bars = [
        Bar(
            name=f"{reason}",
            parts=(Part(look=state, name=state, many=copies),),
        )
        for state, reason, copies in rows[:_TOP]
    ]
    told = "; ".join(f"{state}, {reason}: {number(copies)}" for state, reason, copies in rows[:5])
    return Section(
        heading="Reasons",
        plot=bar_plot("Why copies were not sent", f"Most often: {told}.", bars, legend=True),
        table=Table(
            headings=("reason", "state", "copies"),
            rows=tuple((reason, state, number(copies)) for state, reason, copies in rows),
        ),
    )


def _lanes(lanes: tuple[LaneFigure, ...]) -> Section:
    bars = [
        Bar(
            name=lane.lane,
            parts=tuple(
                Part(look=state, name=state, many=lane.states.get(state, 0))
                for state in DeliveryState
            ),
        )
        for lane in lanes[:_TOP]
    ]
    told = ", ".join(f"{lane.lane} {number(lane.copies)}" for lane in lanes[:5])
    used = [state for state in DeliveryState if any(lane.states.get(state) for lane in lanes)]
    return Section(
        heading="Lanes",
        note="" if len(lanes) <= _TOP else f"The {_TOP} biggest of {len(lanes)}.",
        plot=bar_plot(
            "Copies by mailbox provider and outcome", f"The biggest: {told}.", bars, legend=True
        ),
        table=Table(
            headings=("lane", *used),
            rows=tuple(
                (lane.lane, *(number(lane.states.get(state, 0)) for state in used))
                for lane in lanes
            ),
        ),
    )


def look_bar(name: str, figure: Figure) -> Bar:
    """All that came, what people did before what machines did."""
    return Bar(
        name=name,
        parts=(
            Part(look="human", name="people", many=figure.human),
            Part(look="machine", name="machines", many=figure.raw - figure.human),
        ),
        note=f"{number(figure.human)} of {number(figure.raw)}",
    )


def _looks(looks: Looks) -> Section:
    rows = [("opens", looks.opens), ("clicks", looks.clicks)]
    machines = ", ".join(f"{number(count)} {looker}" for looker, count in looks.machines.items())
    told = "; ".join(
        f"{number(one.raw)} {name}, {number(one.human)} by people" for name, one in rows
    )
    return Section(
        heading="Opens and clicks",
        note=f"Machines, by how they were told: {machines}." if machines else "",
        plot=bar_plot(
            "Opens and clicks, by people and by machines",
            f"{told}.",
            [look_bar(name, one) for name, one in rows],
            legend=True,
        ),
        table=Table(
            headings=("", "raw", "human", "people"),
            rows=tuple((name, *_look_cells(one)) for name, one in rows),
        ),
    )


def _look_cells(figure: Figure) -> tuple[str, str, str]:
    people = "–" if figure.people is None else number(figure.people)
    return number(figure.raw), number(figure.human), people


def _links(looks: Looks) -> Section:
    heading = "Links followed most"
    links = [one for one in looks.links if one.clicks.raw][:_TOP]
    if not links:
        return Section(heading=heading, note="No link was followed yet.", wide=True)
    return Section(
        heading=heading,
        plot=bar_plot(
            "Clicks by link",
            f"People followed {links[0].url} most: {number(links[0].clicks.human)} times.",
            [look_bar(_address(one.url), one.clicks) for one in links],
            legend=True,
            wide=True,
        ),
        wide=True,
        table=Table(
            headings=("link", "raw", "human", "people"),
            rows=tuple((one.url, *_look_cells(one.clicks)) for one in links),
        ),
    )


def _address(url: str) -> str:
    return url.partition("://")[2].removeprefix("www.") or url
