"""Pages for readers: the front page, leave, come back.

GET and HEAD never change anything: scanners follow every link in a mail. No page needs a guard
against forged cross-site posts: there are no cookies, all right to change something stands in
the link's token, which no other site knows.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mailer.feedback.leave import PROBE, PROBED, Answer, Way, come_back, leave
from mailer.notice.model import Notice
from mailer.notice.send import send
from mailer.web.look import page
from mailer.web.services import Services, WebServices, insist
from mailer.web.speech import Tongues, speech
from mailer.web.visit import Visit, delivery_of, look, post_of, visit_of
from subscribers import address
from subscribers import queries as people
from subscribers.model import Status
from subscribers.token import Scope

router = APIRouter()

READ = ["GET", "HEAD"]


async def is_one_click(request: Request) -> bool:
    """Whether a mail program's own button posts (RFC 8058 section 3.2), in either form type."""
    body = await request.body()
    return b"List-Unsubscribe" in body and b"One-Click" in body


@router.api_route("/", methods=READ)
def front(services: Services, tongues: Tongues) -> HTMLResponse:
    """Name the newsletters."""
    with services.database.read() as session:
        newsletters = people.newsletters(session)
    first = newsletters[0].language if newsletters else None
    return page("front", say=speech(tongues, first), newsletters=newsletters)


@router.api_route("/u/{token}", methods=READ)
def ask_to_leave(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Show what one would leave, with a button that does it."""
    visit = look(services, delivery_of(services, Scope.UNSUBSCRIBE, token))
    return page("unsubscribe", say=visit.say(tongues), visit=visit, token=token)


@router.post("/u/{token}")
def do_leave(
    token: str,
    services: Services,
    tongues: Tongues,
    one_click: Annotated[bool, Depends(is_one_click)],
) -> Response:
    """End the subscription, for the page's button and for RFC 8058 alike."""
    way = Way.ONE_CLICK if one_click else Way.PAGE
    delivery_id = delivery_of(services, Scope.UNSUBSCRIBE, token)
    if delivery_id == PROBE:
        return PlainTextResponse(PROBED)
    visit = insist(lambda: leave_by(services, delivery_id, None, way))
    if one_click:
        return PlainTextResponse(_one_click_words(visit))
    return page("unsubscribe", say=visit.say(tongues), visit=visit, token=token)


@router.post("/u/{token}/undo")
def undo_leave(token: str, services: Services, tongues: Tongues) -> HTMLResponse:
    """Take back what the unsubscribe link did."""
    delivery_id = delivery_of(services, Scope.UNSUBSCRIBE, token)
    visit = insist(lambda: come_back_by(services, delivery_id, None, Way.PAGE))
    return page("unsubscribe", say=visit.say(tongues), visit=visit, token=token)


def leave_by(services: WebServices, delivery_id: int, newsletter_id: int | None, way: Way) -> Visit:
    """End a subscription by a link, and say goodbye to somebody who pressed a page's button."""
    now = services.clock()
    with services.database.write() as session:
        before = visit_of(session, delivery_id, now=now)
        left = newsletter_id or before.copy.newsletter_id
        answer = leave(session, before.copy, left, way, now=now)
        got_it = any(
            place.newsletter_id == left and place.status is Status.ACTIVE for place in before.places
        )
        if answer is Answer.LEFT and got_it and way is not Way.ONE_CLICK and before.copy.address:
            person = people.find(session, address.parse(before.copy.address))
            newsletter = people.newsletter(session, left)
            send(session, Notice.GOODBYE, newsletter, person, post=post_of(services), now=now)
        return visit_of(session, delivery_id, answer, now=now)


def come_back_by(
    services: WebServices, delivery_id: int, newsletter_id: int | None, way: Way
) -> Visit:
    """Undo a leave by the same link."""
    now = services.clock()
    with services.database.write() as session:
        copy = visit_of(session, delivery_id, now=now).copy
        answer = come_back(session, copy, newsletter_id or copy.newsletter_id, way, now=now)
        return visit_of(session, delivery_id, answer, now=now)


def _one_click_words(visit: Visit) -> str:
    if visit.answer is Answer.TEST:
        return "This was a test copy: nobody is subscribed by it, and nothing was changed.\n"
    return f"You get no more of {visit.copy.newsletter}.\n"
