"""Counted links and the pixel: an answer from memory, and a note of who looked.

GET and HEAD change nothing but the figures. A link leads only where its campaign's author wrote
it to lead: the URL is found by its number, nothing in the request says where to go.
"""

from __future__ import annotations

import base64
import re
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import PlainTextResponse, Response

from mailer.campaign.track import Track, read_track
from mailer.feedback.track.agents import machine
from mailer.feedback.track.model import Look
from mailer.render.track import HONEYPOT, PIXEL
from mailer.web.looks import LinkCache, LookKeeper
from mailer.web.pages import READ
from mailer.web.services import WebServices

router = APIRouter()

_NUMBER = re.compile(r"0|[1-9][0-9]{0,4}")
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Web mail shows it inside its own pages.
_FOREIGN = {"cross-origin-resource-policy": "cross-origin"}
_NOBODYS = "Nobody sees this link; machines that check every link of a mail come here.\n"


async def follow(request: Request) -> Response:
    """Lead on to a link's URL, or show the pixel; raises TokenInvalid.

    404 where the campaign has no link of this number.
    """
    services: WebServices = request.app.state.services
    track = read_track(services.keyring, request.path_params["token"], now=services.clock())
    place = request.path_params["place"]
    if place == PIXEL:
        _note(request, track, None)
        return Response(_GIF, media_type="image/gif", headers=_FOREIGN)
    number = int(place) if _NUMBER.fullmatch(place) else -1
    links: LinkCache = request.app.state.links
    urls = await links.of(track.campaign_id)
    if not HONEYPOT <= number <= len(urls):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    _note(request, track, number)
    if number == HONEYPOT:
        return PlainTextResponse(_NOBODYS)
    return Response(status_code=HTTPStatus.FOUND, headers={"location": urls[number - 1]})


def _note(request: Request, track: Track, link: int | None) -> None:
    services: WebServices = request.app.state.services
    headers = request.headers
    agent = headers.get("user-agent", "")
    purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz", "")
    keeper: LookKeeper = request.app.state.looks
    keeper.note(
        Look(
            track=track,
            link=link,
            at=services.clock(),
            machine=machine(request.method, agent, purpose, opens=link is None),
            # Python salts this hash anew in each process.
            visitor=hash((request.client.host if request.client else "", agent)),
        )
    )


router.add_route("/c/{token}/{place}", follow, methods=READ)
