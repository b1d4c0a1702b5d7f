"""`mailer report`: a newsletter over time, and issues side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from mailer.campaign import queries as campaign_queries
from mailer.cli import completion
from mailer.cli.campaign_options import Json
from mailer.cli.output import MISTAKE, emit_json, fail, out, say, show_table
from mailer.cli.plots import bar_text, show_area, show_bars, show_columns, show_legend, show_note
from mailer.cli.report_page import Html, write_page, zone_of
from mailer.cli.runtime import Runtime, runtime
from mailer.report.compare import queries as compare_queries
from mailer.report.compare.queries import Compared, Reaction
from mailer.report.growth.periods import By, bounds_of
from mailer.report.growth.queries import LEFT, Growth, IssueFigure, Period
from mailer.report.growth.queries import growth as growth_of
from mailer.report.page.compare import (
    HEADINGS,
    cells,
    compare_page,
    copies_bar,
    not_kept,
    plain_cells,
)
from mailer.report.page.growth import (
    NOT_KEPT,
    by_source,
    growth_page,
    issue_name,
    main_sources,
    period_name,
    signed,
)
from mailer.report.plot.bars import Bar, Part
from mailer.report.plot.words import clean, fit, number

app = typer.Typer(
    help="How a newsletter grows, and how its issues compare.",
    no_args_is_help=True,
    add_completion=False,
)

#: Half a year and two years, where it is not said how many periods.
_USUAL = {By.WEEK: 26, By.MONTH: 24}
#: So many issues can be read side by side.
_MOST = 50
_NAME, _COLUMNS = 40, 24


@app.command()
def growth(
    newsletter: Annotated[
        str | None,
        typer.Argument(help="Its short name; the only one needs none.", show_default=False),
    ] = None,
    by: Annotated[By, typer.Option("--by", help="How long a period is.")] = By.WEEK,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", help="So many periods; else up to 26 weeks or 24 months.", min=1, max=520
        ),
    ] = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Tell how a newsletter grows: joins by source, leaves, bounces per issue, net.

    Examples: `mailer report growth`, `mailer report growth weekly --by month --html growth.html`
    """
    here, now = runtime(), datetime.now(UTC)
    chosen = here.newsletter(newsletter)
    zone = zone_of(chosen.timezone)
    bounds = bounds_of(now, by, last=last or _USUAL[by], zone=zone)
    with here.database.read() as session:
        told = growth_of(session, chosen, bounds, by=by)
    if last is None:
        told = told.since_anybody_came()
    if html:
        write_page(growth_page(told, zone, now=now), html)
    if as_json:
        emit_json(_growth_json(told, zone))
    elif not html:
        _show_growth(told, zone, now)


def _growth_json(told: Growth, zone: ZoneInfo) -> dict[str, object]:
    return {
        "newsletter": told.newsletter.slug,
        "by": told.by,
        "timezone": zone.key,
        "before": told.before,
        "members": told.members,
        "pending": told.pending,
        "periods": [
            {
                "start": period.start,
                "end": period.end,
                "joined": period.joined,
                "left": period.left,
                "net": period.net,
                "members": period.members,
            }
            for period in told.periods
        ],
        "issues": told.issues,
        "not_kept": [NOT_KEPT],
    }


def _show_growth(told: Growth, zone: ZoneInfo, now: datetime) -> None:
    headings = (str(told.by), "joined", *LEFT, "net", "members")
    if not out.is_terminal:
        show_table(headings, [_growth_line(one, told.by, zone) for one in told.periods])
        show_table(_ISSUE, [_issue_line(one) for one in told.issues])
        return
    say(f"{fit(told.newsletter.name, _NAME)}: {number(told.members)} members")
    points = [(told.periods[0].start, told.before)]
    points += [(min(one.end, now), one.members) for one in told.periods]
    show_area("members", points, zone)
    say()
    _show_periods(told, zone)
    if told.issues:
        say()
        _show_issues(told.issues)
    say()
    show_note(NOT_KEPT)


def _growth_line(period: Period, by: By, zone: ZoneInfo) -> tuple[object, ...]:
    joined = sum(period.joined.values())
    left = (period.left.get(status, 0) for status in LEFT)
    return (period_name(period, by, zone), joined, *left, period.net, period.members)


def _show_periods(told: Growth, zone: ZoneInfo) -> None:
    """A line for each period: who came and who left as bars on one scale."""
    sources = main_sources(told.periods)
    came = [_came(period, sources) for period in told.periods]
    went = [_went(period) for period in told.periods]
    highest = max(bar.many for bar in (*came, *went))
    rows: list[list[str | Text]] = []
    for period, joins, leaves in zip(told.periods, came, went, strict=True):
        rows.append(
            [
                period_name(period, told.by, zone),
                number(joins.many),
                bar_text(joins, highest, _COLUMNS),
                number(leaves.many),
                bar_text(leaves, highest, _COLUMNS),
                signed(period.net),
                number(period.members),
            ]
        )
    show_columns((str(told.by), "joined", "", "left", "", "net", "members"), rows)
    show_legend((*came, *went))


def _came(period: Period, sources: tuple[str, ...]) -> Bar:
    told = by_source(period, sources)
    return Bar(
        name="joined",
        parts=tuple(
            Part(look=f"c{place}", name=source, many=many)
            for place, (source, many) in enumerate(told.items(), 1)
        ),
    )


def _went(period: Period) -> Bar:
    return Bar(
        name="left",
        parts=tuple(
            Part(look=status, name=status, many=period.left.get(status, 0)) for status in LEFT
        ),
    )


_ISSUE = ("issue", "begun", "audience", "hard bounces", "soft", "complained", "unsubscribed")


def _show_issues(issues: Sequence[IssueFigure]) -> None:
    lines = [[str(cell) for cell in _issue_line(one)] for one in issues]
    show_columns(_ISSUE, [[fit(line[0], _NAME), *line[1:]] for line in lines])


def _issue_line(one: IssueFigure) -> tuple[object, ...]:
    return (
        clean(issue_name(one.number, one.subject)),
        f"{one.started_at:%Y-%m-%d}",
        one.audience,
        *_answers(one.reaction),
    )


def _answers(reaction: Reaction) -> tuple[int, int, int, int]:
    return reaction.hard, reaction.soft, reaction.complained, reaction.unsubscribed


@app.command()
def compare(
    campaigns: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", help="The campaigns' numbers.", show_default=False),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", help="The newest issues of a newsletter.", min=1, max=_MOST),
    ] = None,
    newsletter: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            autocompletion=completion.newsletters,
            help="Whose, with --last; the only one needs none.",
        ),
    ] = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Put issues side by side: audience, delivered share, bounces, leaves, opens, clicks, time.

    Examples: `mailer report compare 3 5`, `mailer report compare --last 8 --html compare.html`
    """
    here, now = runtime(), datetime.now(UTC)
    told = _compared(here, campaigns or [], last, newsletter)
    zone = _zone(told)
    if html:
        write_page(compare_page(told, zone, now=now), html)
    if as_json:
        emit_json({"issues": told, "not_kept": not_kept(told)})
    elif not html:
        _show_compared(told, zone)


def _compared(
    here: Runtime, ids: list[int], last: int | None, newsletter: str | None
) -> tuple[Compared, ...]:
    if bool(ids) == bool(last):
        fail("say which: the numbers of campaigns, or --last N", code=MISTAKE)
    if ids and newsletter:
        fail("--newsletter goes with --last; numbers say by themselves whose", code=MISTAKE)
    ids = [*dict.fromkeys(ids)]
    if len(ids) > _MOST:
        fail(f"{len(ids)} campaigns do not fit side by side; name up to {_MOST}", code=MISTAKE)
    whose = here.newsletter(newsletter) if last else None
    with here.database.read() as session:
        if whose:
            found = compare_queries.begun(session, whose.id, limit=last)
        else:
            found = [campaign_queries.get(session, one) for one in ids]
        return compare_queries.compare(session, found)


def _zone(told: tuple[Compared, ...]) -> ZoneInfo:
    """The zone they all have in common."""
    zones = {one.campaign.timezone for one in told}
    return zone_of(zones.pop() if len(zones) == 1 else "UTC")


def _show_compared(told: tuple[Compared, ...], zone: ZoneInfo) -> None:
    if not told:
        say("no issue has gone out yet")
        return
    if not out.is_terminal:
        show_table(HEADINGS, [plain_cells(one) for one in told])
        return
    rows = [cells(one, zone) for one in told]
    show_columns(HEADINGS, [[fit(row[0], _NAME), *row[1:]] for row in rows])
    show_bars("where the copies went", [copies_bar(one) for one in told], legend=True)
    say()
    for words in not_kept(told):
        show_note(words)
