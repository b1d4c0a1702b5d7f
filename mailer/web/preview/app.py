"""The preview as an ASGI application; every path begins with the key of this run."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)

from mailer.issue.model import Problem
from mailer.render import theme as themes
from mailer.render.images import media_type
from mailer.resources import templates
from mailer.web.preview import frame
from mailer.web.preview.desk import Copy, Desk, Draft
from mailer.web.preview.guard import LocalGuard
from mailer.web.preview.readers import SAMPLES
from subscribers.errors import PressrunError

#: How often the files are looked at, in seconds: a save shows within one second.
LOOK_SECONDS = 0.2
#: A longer message is cut where it is shown: embedded images are megabytes of letters.
_MOST_SHOWN = 400_000
_FILES = {"preview.css": "text/css", "preview.js": "text/javascript"}

router = APIRouter()


def create_preview(desk: Desk, *, port: int, stop: Callable[[], bool]) -> tuple[FastAPI, str]:
    """The application, and the path at which a browser finds it.

    Streams end once `stop()` is true.
    """
    key = secrets.token_urlsafe(12)
    app = FastAPI(title="Preview", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk, app.state.stop = desk, stop
    app.add_middleware(LocalGuard, port=port)
    app.include_router(router, prefix=f"/{key}")
    app.add_exception_handler(PressrunError, _told)
    return app, f"/{key}/"


def _told(_request: Request, exc: Exception) -> Response:
    return PlainTextResponse(f"{exc}\n", 503)


# --- what is asked for


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One view of the issue: in which theme, for whom, with which conditions decided."""

    desk: Desk
    draft: Draft
    reader: str
    flipped: Mapping[str, bool]

    def copy(self) -> tuple[Copy | None, str]:
        """The reader's copy, or why there is none."""
        try:
            return self.desk.copy(self.draft, self.reader, self.flipped), ""
        except PressrunError as exc:
            return None, str(exc)


def _wanted(
    desk: Annotated[Desk, Depends(_desk)],
    theme: str = "",
    reader: str = SAMPLES[0].id,
    on: Annotated[list[str] | None, Query()] = None,
    off: Annotated[list[str] | None, Query()] = None,
) -> Wanted:
    flipped = {**dict.fromkeys(on or (), True), **dict.fromkeys(off or (), False)}
    return Wanted(desk=desk, draft=desk.draft(theme), reader=reader, flipped=flipped)


Here = Annotated[Desk, Depends(_desk)]
View = Annotated[Wanted, Depends(_wanted)]


# --- the page


@router.get("/")
def page() -> FileResponse:
    """The page around everything."""
    return FileResponse(templates() / "preview" / "page.html", media_type="text/html")


@router.get("/state")
def state(view: View) -> JSONResponse:
    """All that stands around the frame."""
    draft, desk = view.draft, view.desk
    copy, trouble = view.copy()
    conditions = desk.conditions(draft, view.reader)
    told = {
        "version": draft.version,
        "file": desk.file.name,
        "newsletter": desk.newsletter.name,
        "sender": f"{desk.newsletter.from_name} <{desk.newsletter.from_address}>",
        "subject": copy.subject if copy else "",
        "preheader": draft.frozen.rendering.preheader if draft.frozen else "",
        "html_bytes": len(copy.html.encode()) if copy else 0,
        "error": draft.error or trouble,
        "conditions": [{"source": s, "holds": holds} for s, holds in conditions.items()],
        "theme": draft.theme,
        "themes": sorted({*themes.known(), draft.theme}),
        "reader": dataclasses.asdict(desk.readership.known(view.reader)),
        "samples": [dataclasses.asdict(sample) for sample in SAMPLES],
        "searchable": desk.readership.database is not None,
        "source": draft.source,
    }
    return JSONResponse(told)


@router.get("/problems")
def problems(view: View) -> JSONResponse:
    """What the check says of the issue."""
    found = view.desk.problems(view.draft) if view.draft.source else ()
    return JSONResponse([_listed(problem) for problem in found])


def _listed(problem: Problem) -> dict[str, object]:
    return {**dataclasses.asdict(problem), "severity": problem.severity}


@router.get("/frame")
def framed(view: View, dark: bool = False, images: bool = True) -> HTMLResponse:
    """The HTML part, for the frame."""
    copy, trouble = view.copy()
    if copy is None or view.draft.frozen is None:
        words = escape(trouble or "Nothing to show yet: mend the errors in the list.")
        html = f"<!DOCTYPE html><meta charset=utf-8><p style='font:16px sans-serif'>{words}</p>"
    else:
        html = frame.framed(
            copy.html, view.draft.frozen.images, public_url=view.desk.public_url, dark=dark
        )
    headers = {"content-security-policy": frame.policy(with_images=images)}
    return HTMLResponse(html, headers=headers)


@router.get("/text")
def text(view: View) -> PlainTextResponse:
    """The plain text part."""
    copy, trouble = view.copy()
    return PlainTextResponse(copy.text if copy else f"{trouble}\n")


@router.get("/message")
def message(view: View) -> PlainTextResponse:
    """The message as it is handed to the relay, but for the DKIM signature."""
    copy, trouble = view.copy()
    whole = copy.message if copy else f"{trouble}\n"
    cut = f"{whole[:_MOST_SHOWN]}\n[… {len(whole) - _MOST_SHOWN} more characters]\n"
    return PlainTextResponse(whole if len(whole) <= _MOST_SHOWN else cut)


@router.get("/readers")
def readers(desk: Here, q: str = "") -> JSONResponse:
    """People of the newsletter whose name or address holds these words."""
    return JSONResponse([dataclasses.asdict(each) for each in desk.readership.search(q[:100])])


@router.get("/images/{name}")
def image(desk: Here, name: str) -> Response:
    """An image that lies beside the issue."""
    found = desk.image(name)
    if found is None:
        raise HTTPException(404)
    return Response(found.content, media_type=media_type(found.name))


@router.get("/events")
async def events(request: Request, desk: Here) -> StreamingResponse:
    """The version of what is on disk, whenever it changes (Server-Sent Events)."""
    stop: Callable[[], bool] = request.app.state.stop

    async def versions() -> AsyncIterator[str]:
        last = ""
        while not stop():
            version = await asyncio.to_thread(lambda: desk.version)
            if version != last:
                yield f"data: {version}\n\n"
                last = version
            await asyncio.sleep(LOOK_SECONDS)

    return StreamingResponse(versions(), media_type="text/event-stream")


@router.get("/{name}")
def asset(name: str) -> FileResponse:
    """The page's style sheet and script."""
    if name not in _FILES:
        raise HTTPException(404)
    return FileResponse(templates() / "preview" / name, media_type=_FILES[name])
