"""The page a confirmation leads to, or the question whether to go on: GET shows, POST confirms."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from mailer.feedback.join import Confirmed, asks_to_stay, confirm, is_old
from mailer.web.look import page
from mailer.web.pages import READ
from mailer.web.services import Services, WebServices, insist
from mailer.web.speech import Tongues
from mailer.web.visit import Visit, delivery_of, post_of, visit_of
from subscribers.model import Status
from subscribers.signup.model import network_of
from subscribers.token import Scope

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter()


@router.api_route("/c/{token}", methods=READ)
def ask_to_confirm(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Show what one would get, with a button."""
    delivery_id, now = delivery_of(services, Scope.CONFIRM, token), services.clock()
    with services.database.read() as session:
        visit = visit_of(session, delivery_id, now=now)
        is_active = visit.place is not None and visit.place.status is Status.ACTIVE
        to_stay = is_active and asks_to_stay(session, visit.copy, now=now)
        answer = None if to_stay else _before(session, visit, now=now)
    return page(
        "confirm",
        say=visit.say(tongues),
        visit=visit,
        token=token,
        answer=answer,
        to_stay=to_stay,
    )


def _before(session: Session, visit: Visit, *, now: datetime) -> Confirmed | None:
    """What can be said without asking; None: it is theirs to confirm."""
    status = visit.place.status if visit.place else None
    if status is Status.ACTIVE:
        return Confirmed.BEFORE
    if status is not Status.PENDING or is_old(session, visit.copy, now=now):
        return Confirmed.TOO_LATE
    return None


@router.post("/c/{token}")
def do_confirm(token: str, request: Request, services: Services, tongues: Tongues) -> HTMLResponse:
    """Take the confirmation; a welcome follows by mail."""
    delivery_id = delivery_of(services, Scope.CONFIRM, token)
    network = network_of(request.client.host if request.client else None)
    visit, answer = insist(lambda: _confirm(services, delivery_id, network))
    return page(
        "confirm", say=visit.say(tongues), visit=visit, token=token, answer=answer, to_stay=False
    )


def _confirm(services: WebServices, delivery_id: int, network: str) -> tuple[Visit, Confirmed]:
    now = services.clock()
    with services.database.write() as session:
        visit = visit_of(session, delivery_id, now=now)
        answer = confirm(session, visit.copy, post_of(services), network=network, now=now)
        return visit, answer
