"""A copy as a web page, for mail programs that show it badly."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from mailer.campaign import queries as campaign_queries
from mailer.feedback import queries
from mailer.render.images import EMBED, content_id
from mailer.render.model import SystemSlot
from mailer.render.preview import NOBODY, fill
from mailer.web.pages import READ
from mailer.web.services import Services
from subscribers.errors import TokenInvalid
from subscribers.token import Scope, make, read

router = APIRouter()

#: Mail carries its styles in attributes and its pictures from anywhere; nothing else may load.
_POLICY = (
    "default-src 'none'; img-src https: http: data:; font-src https:;"
    " style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.api_route("/v/{token}", methods=READ)
def view(token: str, services: Services) -> HTMLResponse:
    """Show the copy as it went out, but for nobody in particular.

    People pass this address on: names and other personal fields show their defaults, and only
    the way out is the recipient's own.
    """
    delivery_id = read(services.keyring, Scope.VIEW, token, now=services.clock())
    with services.database.read() as session:
        copy = queries.copy_of(session, delivery_id)
        if copy is None:
            raise TokenInvalid
        rendering = campaign_queries.rendering_of(session, copy.campaign_id)
    way_out = make(services.keyring, Scope.UNSUBSCRIBE, delivery_id)
    url = services.settings.public_url
    system = {
        SystemSlot.UNSUBSCRIBE_URL: f"{url}/u/{way_out}",
        SystemSlot.ARCHIVE_URL: f"{url}/v/{token}",
        # The preferences show what else somebody reads: not for those it is passed on to.
        SystemSlot.PREFERENCES_URL: f"{url}/u/{way_out}",
        SystemSlot.SUBSCRIBER_TOKEN: "",
    }
    html = fill(rendering, NOBODY, system).html
    for name in rendering.embedded:
        html = html.replace(f"{EMBED}{content_id(name)}", f"{url}/i/{name}")
    return HTMLResponse(html, headers={"content-security-policy": _POLICY})
