"""Writes docs/images/: what the themes look like, from the samples, through Chromium.

Run `python -m docs.pictures` after changing a theme.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from mailer.cli.screenshots import inside
from mailer.issue.parse import parse, read
from mailer.render.chromium import Page, chromium
from mailer.render.images import Gallery, gather
from mailer.render.model import NewsletterLook, SystemSlot
from mailer.render.preview import fill
from mailer.render.render import constants, render
from mailer.resources import templates

FOLDER = Path(__file__).parent / "images"
SAMPLES = templates() / "sample"
HEIGHT = 1080
LOOK = NewsletterLook(
    name="Weekly Gradient",
    from_name="Weekly Gradient",
    postal_address="12 Example Street, 12345 Exampleton",
    url="https://newsletter.example/",
)


def page(theme: str, sample: str) -> str:
    """A sample issue in a theme, its images inside."""
    file = SAMPLES / sample
    issue = parse(str(file), read(file))
    images = gather(issue)
    made = render(issue, LOOK, theme=theme, gallery=Gallery(images=images, base="images/"))
    system = dict.fromkeys(SystemSlot, "https://newsletter.example/")
    filled = fill(made, {"subscriber": {"name": "Ada"}, **constants(issue, LOOK)}, system)
    return inside(filled.html, images.values())


def picture(browser: Page, theme: str, sample: str, *, width: int, dark: bool) -> Image.Image:
    """The top of a page, at half its size."""
    browser.show(page(theme, sample), width=width, dark=dark)
    shot = Image.open(io.BytesIO(browser.picture(width=width))).convert("RGB")
    top = shot.crop((0, 0, width, HEIGHT))
    return top.resize((width // 2, HEIGHT // 2), Image.Resampling.LANCZOS)


def strip(pictures: list[Image.Image], file: Path) -> None:
    """Pictures side by side, in few colours."""
    gap = 12
    width = sum(each.width for each in pictures) + gap * (len(pictures) - 1)
    whole = Image.new("RGB", (width, HEIGHT // 2), "#ffffff")
    at = 0
    for each in pictures:
        whole.paste(each, (at, 0))
        at += each.width + gap
    whole.quantize(palette=palette(whole), dither=Image.Dither.NONE).save(file, optimize=True)


def palette(picture: Image.Image) -> Image.Image:
    """256 colours: the most frequent just as they are, for those are the themes' own; others."""
    counted = picture.getcolors(picture.width * picture.height) or []
    often = [colour for _, colour in sorted(counted, key=lambda each: each[0])[-96:]]
    rest = picture.quantize(160).getpalette() or []
    made = Image.new("P", (1, 1))
    made.putpalette([part for colour in often for part in colour] + rest[: 160 * 3])
    return made


def main() -> None:
    """Write both pictures."""
    FOLDER.mkdir(exist_ok=True)
    shown = [("letter", "magazine/specimen.md"), ("digest", "issue.md")]
    shown.append(("magazine", "magazine/issue.md"))
    with chromium() as browser:
        light = [picture(browser, *each, width=700, dark=False) for each in shown]
        strip(light, FOLDER / "themes.png")
        dark = [picture(browser, *each, width=375, dark=True) for each in shown]
        dark.append(picture(browser, "digest", "issue.zh.md", width=375, dark=False))
        strip(dark, FOLDER / "phones.png")


if __name__ == "__main__":
    main()
