"""The page of a newsletter's growth: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from mailer.report.growth.periods import By
from mailer.report.growth.queries import LEFT, Growth, IssueFigure, Period
from mailer.report.page.campaign import made
from mailer.report.page.model import Page, Section, Tile
from mailer.report.plot.bars import Bar, Part, bar_plot
from mailer.report.plot.columns import Pillar, column_plot
from mailer.report.plot.lines import line_plot
from mailer.report.plot.marks import Table
from mailer.report.plot.words import number, share, subject_words

#: So many sources have a colour of their own; the rest share the last one.
_SOURCES = 5
_REST = "all others"
_TOP = 16
NOT_KEPT = (
    "Somebody who left and came back counts by the latest stay alone: earlier ones are not kept."
    " Who is asked to confirm counts from the moment they asked, once they have confirmed."
)


def growth_page(growth: Growth, zone: ZoneInfo, *, now: datetime) -> Page:
    """Who came and who left, and what each issue did to that."""
    periods = growth.periods
    joined = sum(sum(period.joined.values()) for period in periods)
    left = sum(sum(period.left.values()) for period in periods)
    return Page(
        title=growth.newsletter.name,
        kind="growth",
        about=(
            f"Growth by {growth.by}, from {day(periods[0].start, zone)}"
            f" to {day(min(now, periods[-1].end), zone)}.",
        ),
        tiles=(
            Tile(name="members now", value=number(growth.members)),
            Tile(name="joined", value=number(joined)),
            Tile(name="left", value=number(left)),
            Tile(name="net", value=signed(joined - left)),
            Tile(name="asked to confirm", value=number(growth.pending)),
        ),
        sections=tuple(_sections(growth, zone, now)),
        notes=(NOT_KEPT, made(now, zone)),
    )


def day(moment: datetime, zone: ZoneInfo) -> str:
    """The day as clocks there have it."""
    return f"{moment.astimezone(zone):%Y-%m-%d}"


def signed(many: int) -> str:
    """A change: what was won has a plus."""
    return f"+{number(many)}" if many > 0 else number(many)


def period_name(period: Period, by: By, zone: ZoneInfo) -> str:
    """What a period is called: its month, or the Monday it began."""
    start = period.start.astimezone(zone)
    return f"{start:%Y-%m}" if by is By.MONTH else f"{start:%Y-%m-%d}"


def _sections(growth: Growth, zone: ZoneInfo, now: datetime) -> Iterator[Section]:
    yield _members(growth, zone, now)
    yield _changes(growth, zone)
    if not growth.issues:
        yield Section(heading="Issues", note="No issue went out in this time.", wide=True)
        return
    newest = growth.issues[::-1]
    yield _answers(
        "Bounces per issue", newest, (("hard", "for good"), ("soft", "for the time being"))
    )
    yield _answers(
        "Leaves per issue",
        newest,
        (("unsubscribed", "unsubscribed"), ("complained", "complained")),
    )


def _members(growth: Growth, zone: ZoneInfo, now: datetime) -> Section:
    points = [(growth.periods[0].start, growth.before)]
    points += [(min(period.end, now), period.members) for period in growth.periods]
    says = (
        f"{number(growth.before)} members on {day(points[0][0], zone)},"
        f" {number(points[-1][1])} on {day(points[-1][0], zone)}."
    )
    return Section(
        heading="Members",
        plot=line_plot("Members over time", says, points, zone),
        wide=True,
    )


def _changes(growth: Growth, zone: ZoneInfo) -> Section:
    sources = main_sources(growth.periods)
    pillars = [_pillar(period, growth.by, zone, sources) for period in growth.periods]
    best = max(growth.periods, key=lambda period: period.net)
    says = (
        f"Joins by source stand above the line, leaves hang below it. The best {growth.by} was"
        f" {period_name(best, growth.by, zone)} with a net change of {signed(best.net)}."
    )
    return Section(
        heading="Joins and leaves",
        plot=column_plot(f"Joins and leaves by {growth.by}", says, pillars),
        table=Table(
            headings=(f"{growth.by}", *sources, *LEFT, "net", "members"),
            rows=tuple(
                (
                    period_name(period, growth.by, zone),
                    *(number(many) for many in by_source(period, sources).values()),
                    *(number(period.left.get(status, 0)) for status in LEFT),
                    signed(period.net),
                    number(period.members),
                )
                for period in growth.periods[::-1]
            ),
        ),
        wide=True,
    )


def main_sources(periods: Sequence[Period]) -> tuple[str, ...]:
    """The sources that brought most, and the name for the rest where there is one."""
    totals: Counter[str] = Counter()
    for period in periods:
        totals.update(period.joined)
    names = [name for name, _ in totals.most_common()]
    if len(names) <= _SOURCES + 1:
        return tuple(names)
    return (*names[:_SOURCES], _REST)


def by_source(period: Period, sources: Sequence[str]) -> dict[str, int]:
    """How many came by each of the sources; who came by none of them is with the rest."""
    told = dict.fromkeys(sources, 0)
    for source, many in period.joined.items():
        told[source if source in told else _REST] += many
    return told


def _pillar(period: Period, by: By, zone: ZoneInfo, sources: Sequence[str]) -> Pillar:
    came = by_source(period, sources)
    return Pillar(
        name=period_name(period, by, zone),
        above=tuple(
            Part(look=f"c{place}", name=source, many=many)
            for place, (source, many) in enumerate(came.items(), 1)
        ),
        below=tuple(
            Part(look=status, name=status, many=period.left.get(status, 0)) for status in LEFT
        ),
    )


def issue_name(number_: int | None, subject: str) -> str:
    """What an issue is called beside others."""
    words = subject_words(subject)
    return words if number_ is None else f"{number_} · {words}"


def _answers(
    heading: str, issues: Sequence[IssueFigure], kinds: tuple[tuple[str, str], ...]
) -> Section:
    bars = [
        Bar(
            name=issue_name(one.number, one.subject),
            parts=tuple(
                Part(look=kind, name=words, many=getattr(one.reaction, kind))
                for kind, words in kinds
            ),
        )
        for one in issues[:_TOP]
    ]
    total = sum(bar.many for bar in bars)
    return Section(
        heading=heading,
        note="" if len(issues) <= _TOP else f"The newest {_TOP} of {len(issues)}.",
        plot=bar_plot(
            heading, f"{number(total)} in all, the newest issue first.", bars, legend=True
        ),
        table=Table(
            headings=("issue", "audience", *(words for _, words in kinds), "of the audience"),
            rows=tuple(
                (
                    issue_name(one.number, one.subject),
                    number(one.audience),
                    *(number(part) for part in parts),
                    share(sum(parts), one.audience),
                )
                for one in issues
                for parts in [tuple(getattr(one.reaction, kind) for kind, _ in kinds)]
            ),
        ),
    )
