"""The page of issues side by side: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from mailer.delivery.model import DeliveryState
from mailer.report.compare.queries import Compared
from mailer.report.looks.queries import Figure
from mailer.report.page.campaign import look_bar, made
from mailer.report.page.growth import issue_name
from mailer.report.page.model import Page, Section
from mailer.report.plot.bars import Bar, Part, bar_plot
from mailer.report.plot.marks import Table
from mailer.report.plot.words import clean, counted, number, share, span

HEADINGS = (
    *("issue", "begun", "audience", "delivered", "hard", "soft", "complained", "unsubscribed"),
    *("opens", "clicks", "took"),
)
_LEFT_OUT = (DeliveryState.SKIPPED, DeliveryState.CANCELLED)


def compare_page(issues: Sequence[Compared], zone: ZoneInfo, *, now: datetime) -> Page:
    """Issues side by side, in the order they are given."""
    return Page(
        title="Issues side by side",
        kind="report",
        about=(f"{counted(len(issues), 'issue')}.",),
        tiles=(),
        sections=tuple(_sections(issues, zone)),
        notes=(*not_kept(issues), made(now, zone)),
    )


def not_kept(issues: Sequence[Compared]) -> tuple[str, ...]:
    """What some of the figures lack, in words."""
    notes = (
        "Delivered: taken by a relay and not come back, of all that were tried. Opens and clicks:"
        " by people alone, a dash where they are not counted.",
    )
    rolled_up = [str(one.campaign.id) for one in issues if one.campaign.archived_at]
    if not rolled_up:
        return notes
    which = ", ".join(rolled_up)
    return (
        *notes,
        f"The ledgers of {which} were rolled up: their sums are kept, copies one by one are not.",
    )


def cells(one: Compared, zone: ZoneInfo) -> tuple[str, ...]:
    """One issue as a row below HEADINGS."""
    begun = one.campaign.snapshot_at
    return (
        name_of(one),
        f"{begun.astimezone(zone):%Y-%m-%d}" if begun else "–",
        number(one.campaign.audience),
        share(one.delivered, one.tried),
        number(one.reaction.hard),
        number(one.reaction.soft),
        number(one.reaction.complained),
        number(one.reaction.unsubscribed),
        number(one.looks.opens.human) if one.looks else "–",
        number(one.looks.clicks.human) if one.looks else "–",
        span(one.took) if one.took else "–",
    )


def plain_cells(one: Compared) -> tuple[object, ...]:
    """The same for programs: numbers as they are, the share in percent, the time in seconds."""
    begun, looks = one.campaign.snapshot_at, one.looks
    return (
        clean(name_of(one)),
        begun.date() if begun else None,
        one.campaign.audience,
        round(100 * one.delivered / one.tried, 2) if one.tried else None,
        one.reaction.hard,
        one.reaction.soft,
        one.reaction.complained,
        one.reaction.unsubscribed,
        looks.opens.human if looks else None,
        looks.clicks.human if looks else None,
        one.took.total_seconds() if one.took else None,
    )


def name_of(one: Compared) -> str:
    """What an issue is called beside others."""
    return issue_name(one.campaign.issue_number, one.campaign.subject)


def _sections(issues: Sequence[Compared], zone: ZoneInfo) -> Iterator[Section]:
    yield Section(
        heading="Figures",
        table=Table(headings=HEADINGS, rows=tuple(cells(one, zone) for one in issues)),
        wide=True,
    )
    yield Section(
        heading="Where the copies went",
        note="The share is what was delivered of all that were tried.",
        plot=bar_plot(
            "Copies by what became of them",
            _told(issues, lambda one: share(one.delivered, one.tried)),
            [copies_bar(one) for one in issues],
            legend=True,
            wide=True,
        ),
        wide=True,
    )
    yield Section(
        heading="Bounces",
        plot=bar_plot(
            "Bounces by kind",
            _told(issues, lambda one: number(one.reaction.bounced)),
            [_parts(one, hard="for good", soft="for the time being") for one in issues],
            legend=True,
        ),
    )
    yield Section(
        heading="Leaves",
        plot=bar_plot(
            "People who unsubscribed or complained",
            _told(issues, lambda one: number(one.reaction.unsubscribed + one.reaction.complained)),
            [_parts(one, unsubscribed="unsubscribed", complained="complained") for one in issues],
            legend=True,
        ),
    )
    yield from _looks(issues)


def _told(issues: Sequence[Compared], figure: Callable[[Compared], str]) -> str:
    told = "; ".join(f"{name_of(one)}: {figure(one)}" for one in issues)
    return f"{told or 'No issue has gone out yet'}."


def _parts(one: Compared, **kinds: str) -> Bar:
    return Bar(
        name=name_of(one),
        parts=tuple(
            Part(look=kind, name=words, many=getattr(one.reaction, kind))
            for kind, words in kinds.items()
        ),
    )


def copies_bar(one: Compared) -> Bar:
    """All copies of an issue, first those that arrived."""
    states = one.states
    came_back = states.get(DeliveryState.SENT, 0) - one.delivered
    told = (
        ("delivered", "delivered", one.delivered),
        ("soft", "came back later", came_back),
        ("failed", "refused", states.get(DeliveryState.FAILED, 0)),
        ("complained", "unknown", states.get(DeliveryState.UNKNOWN, 0)),
        ("skipped", "left out", sum(states.get(state, 0) for state in _LEFT_OUT)),
        ("queued", "under way", one.waiting),
    )
    return Bar(
        name=name_of(one),
        parts=tuple(Part(look=look, name=name, many=many) for look, name, many in told),
        note=share(one.delivered, one.tried),
    )


def _looks(issues: Sequence[Compared]) -> Iterator[Section]:
    """Opens and clicks of those issues that count them."""
    for what in ("opens", "clicks"):
        figures = [(name_of(one), _figure(one, what)) for one in issues]
        counted = [(name, figure) for name, figure in figures if figure is not None]
        if counted:
            told = "; ".join(f"{name}: {number(figure.human)}" for name, figure in counted)
            yield Section(
                heading=what.title(),
                plot=bar_plot(
                    f"{what.title()}, by people and by machines",
                    f"By people: {told}.",
                    [look_bar(name, figure) for name, figure in counted],
                    legend=True,
                ),
            )


def _figure(one: Compared, what: str) -> Figure | None:
    if one.looks is None:
        return None
    return one.looks.opens if what == "opens" else one.looks.clicks
