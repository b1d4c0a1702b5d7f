"""A newsletter's row as options say it: how each is read, and the one way to change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeAlias

from mailer.campaign import queries as campaign_queries
from mailer.campaign import times, when
from mailer.campaign.model import CampaignState
from mailer.cli import init_answers as answers
from mailer.cli.init_answers import AnswerInvalid
from mailer.cli.runtime import Runtime
from mailer.errors import CampaignRefused
from mailer.render import theme as themes
from mailer.settings import Settings
from subscribers import address
from subscribers import queries as people
from subscribers.errors import UsersMistake
from subscribers.model import Newsletter

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=30)
#: More would be a typing error; the columns hold no more than 32 bits.
_MOST = 10_000
#: Copies of it may still leave, with a Message-ID that names the From domain.
_UNDER_WAY = (CampaignState.PLANNING, CampaignState.SENDING, CampaignState.PAUSED)

Fields: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field that gets another value."""

    field: str
    before: object
    after: object


def read_fields(told: Mapping[str, object], settings: Settings) -> Fields:
    """The fields that options name, checked; those that are None were not given.

    Raises UsersMistake in one line that names the option.
    """
    fields: Fields = {}
    for option, given in told.items():
        if given is None:
            continue
        try:
            fields |= _read(option, given, settings)
        except UsersMistake as exc:
            flag = "from" if option == "sender" else option.replace("_", "-")
            raise AnswerInvalid(f"--{flag}: {exc}") from exc
    return fields


def change(
    here: Runtime, which: Newsletter, fields: Fields, *, dry_run: bool = False
) -> list[Change]:
    """Write fields into a newsletter's row; gives those that changed.

    Raises CampaignRefused where copies under way depend on what a field was.
    """
    with here.database.write() as session:
        before = people.hold_newsletter(session, which.id)
        after = replace(before, **fields)
        if _domain(before) != _domain(after):
            under_way = campaign_queries.in_states(session, _UNDER_WAY)
            held = [one.id for one in under_way if one.newsletter_id == which.id]
            if held:
                raise CampaignRefused(
                    f"campaign {held[0]} is under way: its copies' Message-IDs name"
                    f" {_domain(before)}, and a retry must carry the same; finish or cancel it"
                    " before the From address moves to another domain"
                )
        changes = [
            Change(field=name, before=getattr(before, name), after=getattr(after, name))
            for name in fields
            if getattr(before, name) != getattr(after, name)
        ]
        if changes and not dry_run:
            people.set_newsletter(session, after)
    return changes


def _domain(newsletter: Newsletter) -> str:
    return address.parse(newsletter.from_address).domain


def _read(option: str, given: object, settings: Settings) -> Fields:
    if option == "sender":
        name, mailbox = answers.read_sender(str(given))
        named = {"from_name": answers.read_text(name)} if name else {}
        return {"from_address": mailbox, **named}
    if option == "relay":
        return {"relay": _relay(str(given), settings)}
    reader = _READERS.get(option)
    return {option: reader(given) if reader else given}


def _relay(name: str, settings: Settings) -> str | None:
    if name and name not in settings.every_relay:
        known = ", ".join(settings.every_relay)
        raise AnswerInvalid(f'there is no relay {name!r}; there are: {known}; "" takes any')
    return name or None


def _reply_to(text: str) -> str | None:
    return answers.read_sender(text)[1] if text.strip() else None


def _slot(text: str) -> str | None:
    return when.read_slot(text) if text.strip() else None


def _theme(name: str) -> str:
    themes.load(name)
    return name


def _patience(text: str) -> timedelta:
    span = times.span(text)
    if not _SHORTEST <= span <= _LONGEST:
        raise AnswerInvalid(f"{text!r} is out of range; from 1m to 30d")
    return span


def _count(number: int) -> int:
    if not 1 <= number <= _MOST:
        raise AnswerInvalid(f"{number} is out of range; from 1 to {_MOST:,}")
    return number


#: How an option's value is read; one that is not here is right as it comes.
_READERS: dict[str, Callable[[Any], object]] = {
    "name": answers.read_text,
    "reply_to": _reply_to,
    "postal_address": answers.read_text,
    "url": answers.read_url,
    "language": answers.read_language,
    "timezone": answers.read_timezone,
    "theme": _theme,
    "soft_bounce_limit": _count,
    "soft_bounce_days": _count,
    "give_up_after": _patience,
    "slot": _slot,
}
