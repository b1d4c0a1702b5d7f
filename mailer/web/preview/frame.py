"""The HTML of a copy, made fit to be shown in a frame of the preview."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailer.render.images import EMBED, LocalImage

_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)")
_SCHEMES_KNOWN = re.compile(r'(<meta name="color-scheme" content=")[^"]*"')
_WEB_LINK = re.compile(r'<a (?=[^>]*href="(?:https?|mailto):)')
_STYLE = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)

#: The frame is sandboxed by the page and by this: no script, no form, nothing but images.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; font-src 'none';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self';"
    " sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


def policy(*, with_images: bool) -> str:
    """The Content-Security-Policy of the frame; without images as where they are blocked."""
    return _POLICY.format(images="'self' https: http:" if with_images else "'none'")


def framed(html: str, images: Iterable[LocalImage], *, public_url: str, dark: bool) -> str:
    """The page as a mail program in light or dark mode shows it, whatever the browser's is.

    Images beside the issue come from the preview; links open in a window of their own.
    """
    scheme = "dark" if dark else "light"
    html = _STYLE.sub(lambda match: _decided(match.group(), scheme), html)
    html = _SCHEMES_KNOWN.sub(rf'\1{scheme}"', html)
    for image in images:
        for place in (f"{public_url}/i/{image.name}", f"{EMBED}{image.content_id}"):
            html = html.replace(f'src="{place}"', f'src="images/{image.name}"')
    return _WEB_LINK.sub('<a target="_blank" ', html)


def _decided(style: str, scheme: str) -> str:
    """A style element whose questions for the colour scheme are answered."""
    style = style.replace("color-scheme: light dark", f"color-scheme: {scheme}")

    def answer(match: re.Match[str]) -> str:
        # Always true, never true.
        return "(min-width: 0px)" if match.group(1) == scheme else "(max-width: 0px)"

    return _SCHEME.sub(answer, style)
