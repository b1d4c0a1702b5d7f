"""Images of issues, published by what they hold: they never change, so caches may keep them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from starlette.responses import Response

from mailer.campaign import queries
from mailer.render.images import media_type
from mailer.web.pages import READ
from mailer.web.services import Services

router = APIRouter()

Name = Annotated[str, Path(pattern=r"^[0-9a-f]{32}\.(png|jpg|gif)$")]
_FOR_GOOD = {
    "cache-control": "public, max-age=31536000, immutable",
    # What a proxy of a mail provider may do with it, and that it is nothing but an image.
    "cross-origin-resource-policy": "cross-origin",
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
}


@router.api_route("/i/{name}", methods=READ)
def image(name: Name, services: Services) -> Response:
    """Show an image; 404 where no issue holds one of this name."""
    with services.database.read() as session:
        content = queries.image(session, name)
    if content is None:
        raise HTTPException(404)
    etag = f'"{name.partition(".")[0]}"'
    return Response(content, media_type=media_type(name), headers={**_FOR_GOOD, "etag": etag})
