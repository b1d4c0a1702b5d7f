"""One's own data, and their end: both behind links that were mailed to the address just now."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from mailer.feedback.own_data.gather import own_data
from mailer.notice import queries as notices
from mailer.report.privacy.erase import erase
from mailer.web.look import page
from mailer.web.pages import READ
from mailer.web.services import Services, WebServices, insist
from mailer.web.speech import Tongues
from mailer.web.visit import Visit, delivery_of, visit_of
from subscribers import address
from subscribers.errors import TokenInvalid
from subscribers.token import Scope

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter()

#: What the notices promise, and the day in which their campaign was made.
VALID = timedelta(days=8)


@router.api_route("/d/{token}", methods=READ)
def show_data(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Show all that is known of a person."""
    visit, told = _data(services, token)
    return page("data", say=visit.say(tongues), visit=visit, token=token, told=told)


@router.api_route("/d/{token}/data.json", methods=READ)
def give_data(token: str, services: Services) -> Response:
    """The same as a file."""
    _, told = _data(services, token)
    headers = {"content-disposition": 'attachment; filename="data.json"'}
    return Response(told, media_type="application/json", headers=headers)


@router.api_route("/e/{token}", methods=READ)
def ask_to_erase(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Ask once more."""
    delivery_id = delivery_of(services, Scope.ERASE, token)
    with services.database.read() as session:
        visit = _recent(session, delivery_id, now=services.clock())
    return page("erase", say=visit.say(tongues), visit=visit, token=token)


@router.post("/e/{token}")
def do_erase(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Erase the person; a second time there is nobody to erase."""
    delivery_id = delivery_of(services, Scope.ERASE, token)
    visit = insist(lambda: _erase(services, delivery_id))
    return page("erase", say=visit.say(tongues), visit=visit, token=token)


def _data(services: WebServices, token: str) -> tuple[Visit, str]:
    delivery_id = delivery_of(services, Scope.DATA, token)
    with services.database.read() as session:
        visit = _recent(session, delivery_id, now=services.clock())
        if not visit.copy.address:
            raise TokenInvalid
        told = own_data(session, address.parse(visit.copy.address), keyring=services.keyring)
    return visit, json.dumps(told, ensure_ascii=False, indent=2)


def _erase(services: WebServices, delivery_id: int) -> Visit:
    now = services.clock()
    with services.database.write() as session:
        visit = _recent(session, delivery_id, now=now)
        if visit.copy.address:
            parsed = address.parse(visit.copy.address)
            erase(session, parsed, keyring=services.keyring, now=now)
        return visit_of(session, delivery_id, now=now)


def _recent(session: Session, delivery_id: int, *, now: datetime) -> Visit:
    visit = visit_of(session, delivery_id, now=now)
    made_at = notices.made_at(session, visit.copy.campaign_id)
    if made_at is None or made_at < now - VALID:
        raise TokenInvalid
    return visit
