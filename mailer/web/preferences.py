"""What one gets, how often, in which language; and the way to one's data."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse

from mailer.feedback.leave import Way
from mailer.notice import queries as notices
from mailer.notice.language import KNOWN
from mailer.notice.model import Notice
from mailer.notice.send import send
from mailer.web.look import page
from mailer.web.pages import READ, come_back_by, leave_by
from mailer.web.services import Services, WebServices, insist
from mailer.web.speech import NAMES, Speech, Tongues
from mailer.web.visit import NewsletterId, Visit, delivery_of, look, post_of, visit_of
from subscribers import address
from subscribers import queries as people
from subscribers.preferences import queries as settings
from subscribers.preferences.model import Pause, Preferences, cleaned
from subscribers.token import Scope

router = APIRouter()

#: The same link is mailed once in so long.
_MAILED_EVERY = timedelta(hours=1)


class Done(StrEnum):
    """What the page says was done."""

    LEFT = "left"
    BACK = "back"
    SAVED = "saved"
    MAILED = "mailed"


@router.api_route("/p/{token}", methods=READ)
def preferences(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Show what one is subscribed to, and one's settings."""
    visit = look(services, delivery_of(services, Scope.PREFERENCES, token))
    return _page(services, visit, visit.say(tongues), token)


@router.post("/p/{token}/leave/{newsletter_id}")
def leave_one(
    token: str, newsletter_id: NewsletterId, services: Services, tongues: Tongues
) -> HTMLResponse:
    """Leave one of one's newsletters."""
    delivery_id = delivery_of(services, Scope.PREFERENCES, token)
    visit = insist(lambda: leave_by(services, delivery_id, newsletter_id, Way.PREFERENCES))
    return _page(services, visit, visit.say(tongues), token, _answered(visit))


@router.post("/p/{token}/undo/{newsletter_id}")
def return_to_one(
    token: str, newsletter_id: NewsletterId, services: Services, tongues: Tongues
) -> HTMLResponse:
    """Take back leaving one of one's newsletters."""
    delivery_id = delivery_of(services, Scope.PREFERENCES, token)
    visit = insist(lambda: come_back_by(services, delivery_id, newsletter_id, Way.PREFERENCES))
    return _page(services, visit, visit.say(tongues), token, _answered(visit))


@router.post("/p/{token}/pause/{newsletter_id}")
def pause_one(
    token: str,
    newsletter_id: NewsletterId,
    services: Services,
    tongues: Tongues,
    span: Annotated[Pause, Form()] = Pause.NONE,
) -> HTMLResponse:
    """Send no issues for a while, or go on."""
    delivery_id = delivery_of(services, Scope.PREFERENCES, token)
    visit = insist(lambda: _pause(services, delivery_id, newsletter_id, span))
    return _page(services, visit, visit.say(tongues), token, Done.SAVED)


@router.post("/p/{token}/about")
def set_about(
    token: str,
    services: Services,
    tongues: Tongues,
    name: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
    timezone: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Keep name, language and time zone; a zone that does not exist is none."""
    told = Preferences(
        name=name, language=language if language in KNOWN else None, timezone=timezone.strip()
    )
    delivery_id = delivery_of(services, Scope.PREFERENCES, token)
    visit = insist(lambda: _set(services, delivery_id, cleaned(told)))
    return _page(services, visit, visit.say(tongues), token, Done.SAVED)


@router.post("/p/{token}/data")
def mail_data(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Mail the link to one's data: a passed-on issue must not show them."""
    return _mail(token, services, tongues, Notice.DATA)


@router.post("/p/{token}/erase")
def mail_erase(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Mail the link that erases: whoever got a passed-on issue can't."""
    return _mail(token, services, tongues, Notice.ERASE)


def _mail(token: str, services: WebServices, tongues: list[str], notice: Notice) -> HTMLResponse:
    delivery_id = delivery_of(services, Scope.PREFERENCES, token)
    visit = insist(lambda: _send(services, delivery_id, notice))
    return _page(services, visit, visit.say(tongues), token, Done.MAILED)


def _send(services: WebServices, delivery_id: int, notice: Notice) -> Visit:
    now = services.clock()
    with services.database.write() as session:
        visit = visit_of(session, delivery_id, now=now)
        copy = visit.copy
        if copy.subscriber_id is not None and copy.address:
            since = now - _MAILED_EVERY
            if not notices.was_written(session, notice, copy.address_hash, since=since):
                person = people.find(session, address.parse(copy.address))
                send(session, notice, visit.newsletter, person, post=post_of(services), now=now)
        return visit


def _pause(services: WebServices, delivery_id: int, newsletter_id: int, span: Pause) -> Visit:
    now = services.clock()
    with services.database.write() as session:
        copy = visit_of(session, delivery_id, now=now).copy
        if copy.subscriber_id is not None:
            until = now + span.span if span is not Pause.NONE else None
            settings.pause(session, copy.subscriber_id, newsletter_id, until=until)
        return visit_of(session, delivery_id, now=now)


def _set(services: WebServices, delivery_id: int, told: Preferences) -> Visit:
    now = services.clock()
    with services.database.write() as session:
        copy = visit_of(session, delivery_id, now=now).copy
        if copy.subscriber_id is not None:
            settings.set_preferences(session, copy.subscriber_id, told)
        return visit_of(session, delivery_id, now=now)


def _answered(visit: Visit) -> Done | None:
    return {"left": Done.LEFT, "back": Done.BACK}.get(str(visit.answer))


def _page(
    services: WebServices, visit: Visit, say: Speech, token: str, done: Done | None = None
) -> HTMLResponse:
    about = None
    if visit.copy.subscriber_id is not None:
        with services.database.read() as session:
            about = settings.preferences_of(session, visit.copy.subscriber_id)
    return page(
        "preferences",
        say=say,
        visit=visit,
        token=token,
        done=done,
        about=about,
        languages=NAMES,
        spans=[span.value for span in Pause if span is not Pause.NONE],
    )
