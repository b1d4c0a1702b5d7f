"""Writes mailer/lint/support.json from the npm package `caniemail`.

    npm pack caniemail && tar xzf caniemail-*.tgz
    python -m docs.support package

What a page uses is written as tokens (`property:gap`, `value:display=grid`, `element:video`), and
so is what a feature of the data means; the table holds only what some program does not support.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "mailer" / "lint" / "support.json"
FAMILIES = {"gmail": "Gmail", "outlook": "Outlook", "apple-mail": "Apple Mail", "yahoo": "Yahoo"}
#: No longer there.
GONE = {"windows-mail"}
#: Features whose titles do not say by themselves how they are written.
MEANT = {
    "css-variables": ["function:var", "property:--*"],
    "css-unit-calc": ["function:calc"],
    "css-left-right-top-bottom": [
        "property:left",
        "property:right",
        "property:top",
        "property:bottom",
    ],
    "css-gap": ["property:gap", "property:column-gap", "property:row-gap"],
    "css-modern-color": ["function:lch", "function:oklch", "function:lab", "function:oklab"],
    "css-block-inline-size": ["property:block-size", "property:inline-size"],
    "css-column-layout-properties": ["property:columns", "property:column-width"],
    "css-grid-template": [
        "property:grid-template",
        "property:grid-template-columns",
        "property:grid-template-rows",
        "property:grid-template-areas",
    ],
    "css-important": ["keyword:!important"],
    "css-unit-percent": ["unit:%"],
    "css-flex-direction": ["value:flex-direction=column"],
    "css-flex-wrap": ["value:flex-wrap=wrap"],
    "css-at-media-prefers-color-scheme": ["media:prefers-color-scheme"],
    "css-at-media-prefers-reduced-motion": ["media:prefers-reduced-motion"],
    "css-at-media-orientation": ["media:orientation"],
    "css-at-media-hover": ["media:hover", "media:any-hover"],
    "css-at-media-device-pixel-ratio": ["media:-webkit-device-pixel-ratio"],
    "css-intrinsic-size": ["word:fit-content", "word:min-content", "word:max-content"],
    "css-margin-inline-block": ["property:margin-inline", "property:margin-block"],
    "css-padding-inline-block": ["property:padding-inline", "property:padding-block"],
    "html-semantics": [
        f"element:{name}"
        for name in (
            "article",
            "aside",
            "details",
            "figcaption",
            "figure",
            "footer",
            "header",
            "main",
            "mark",
            "nav",
            "section",
            "summary",
            "time",
        )
    ],
    "html-image-maps": ["element:map"],
    "html-svg": ["element:svg"],
    "html-srcset": ["attribute:srcset", "attribute:sizes"],
    "html-form": ["element:form"],
    "html-lists": ["element:ul", "element:ol", "element:dl"],
    "image-jpg": ["image:jpg", "image:jpeg"],
    "image-heif": ["image:heif", "image:heic"],
    "image-tiff": ["image:tiff", "image:tif"],
    "image-base64": ["image:data"],
    "image-hdr": [],
}


def table(source: Path) -> dict[str, object]:
    """The table that the linter looks up, from an unpacked package."""
    data = json.loads((source / "data" / "caniemail.json").read_text(encoding="utf-8"))
    version = json.loads((source / "package.json").read_text(encoding="utf-8"))["version"]
    names = data["nicenames"]["platform"]
    features = {}
    for feature in sorted(data["data"], key=lambda each: str(each["slug"])):
        fails = _fails(feature["stats"], names)
        tokens = list(_tokens(feature))
        if fails and tokens:
            features[feature["slug"]] = {
                "title": feature["title"].strip(),
                "tokens": tokens,
                "fails": fails,
            }
    return {
        "source": f"caniemail {version} on npm, MIT, (c) Avi Goldman, (c) Andrew Powell; "
        "data of caniemail.com, MIT, (c) Remi Parmentier",
        "date": str(data["last_update_date"])[:10],
        "features": features,
    }


def _fails(stats: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, list[str]]:
    """The programs whose newest version does not support it, by family."""
    fails = {}
    for family, spoken in FAMILIES.items():
        platforms = stats.get(family, {})
        missing = [
            names[platform]
            for platform, versions in platforms.items()
            if platform not in GONE and str([*versions.values()][-1]).startswith("n")
        ]
        if missing:
            fails[spoken] = missing if len(missing) < len(platforms) else []
    return fails


def _tokens(feature: Mapping[str, Any]) -> Iterator[str]:
    slug, title = str(feature["slug"]), str(feature["title"]).strip()
    if slug in MEANT:
        yield from MEANT[slug]
        return
    kinds = {"css": _css, "html": _html, "image": _image}
    found = kinds[feature["category"]](slug, title) if feature["category"] in kinds else None
    if found:
        yield found


def _css(slug: str, title: str) -> str | None:
    patterns = (
        (r"::?([a-z-]+)(?:\(\))?", "pseudo:"),
        (r"@([a-z-]+)", "at:"),
        (r"([a-z-]+)\(\)", "function:"),
        (r"([a-z]+) unit", "unit:"),
        (r"([a-z-]+):\s*([a-z-]+)", "value:"),
        (r"([a-z-]+)(?: shorthand| property| CSS property)?", "property:"),
    )
    for pattern, kind in patterns:
        if match := re.fullmatch(pattern, title):
            return kind + "=".join(match.groups())
    return None


def _html(slug: str, title: str) -> str | None:
    if match := re.fullmatch(r"<(\w+)>(?: element)?", title):
        return f"element:{match[1]}"
    if match := re.fullmatch(r"([a-z-]+) attribute", title):
        return f"attribute:{match[1]}"
    if match := re.fullmatch(r'<(\w+) type="(\w+)"> element', title):
        return f"element:{match[1]}"
    return None


def _image(slug: str, title: str) -> str | None:
    return f"image:{slug.removeprefix('image-')}"


def main() -> None:
    """Write the table from the package in the folder named."""
    if len(sys.argv) != 2:
        sys.exit("python -m docs.support FOLDER-OF-THE-PACKAGE")
    text = json.dumps(table(Path(sys.argv[1])), ensure_ascii=False, indent=1)
    TABLE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
