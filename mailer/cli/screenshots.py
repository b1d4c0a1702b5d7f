"""Pictures of a rendered issue: on a phone and a desk, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mailer.render.chromium import chromium
from mailer.render.images import LocalImage

#: Widths of window, in pixels: a phone and a mail program's pane.
WIDTHS = (375, 700)


def take(pages: Mapping[str, str], out: Path, images: Iterable[LocalImage] = ()) -> Iterator[Path]:
    """PNGs of pages by name, as `<name>-<width>-light.png` and `-dark.png` in `out`.

    `images` are shown; what lies on the web is not: nothing is fetched. Raises ChromiumMissing.
    """
    shown = list(images)
    with chromium() as browser:
        for name, page in pages.items():
            whole = inside(page, shown)
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    browser.show(whole, width=width, dark=scheme == "dark")
                    file = out / f"{name}-{width}-{scheme}.png"
                    file.write_bytes(browser.picture(width=width))
                    yield file


def inside(page: str, images: Iterable[LocalImage]) -> str:
    """The page with its local images inside: a page from nowhere can open no file."""
    for image in images:
        data = base64.b64encode(image.content).decode("ascii")
        page = page.replace(
            f'src="images/{image.name}"', f'src="data:{image.media_type};base64,{data}"'
        )
    return page
