"""One value, escaped for the place where it will stand."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from mailer.render.model import Escape

#: What no mail may carry: C0 and C1 controls (Gmail clips at C1), line and paragraph separators,
#: lone surrogates and non-characters.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_BLANKS = re.compile(r"[\t\n\r ]+")
_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)


def escape(value: str, how: Escape) -> str:
    """`value` made fit for its place; control characters and line ends never pass.

    A line end would let a value forge a header or break a canonical body, so it becomes a blank.
    A whole URL that is neither http(s) nor mailto becomes empty: a subscriber's attribute must
    not become a `javascript:` link.
    """
    # What is printable holds no control and no blank but the plain one: most values.
    fit = value.isprintable() and "  " not in value
    clean = value if fit else _BLANKS.sub(" ", _CONTROLS.sub("", value))
    match how:
        case Escape.HTML:
            return html.escape(clean, quote=True)
        case Escape.URL:
            return quote(clean, safe="")
        case Escape.LINK:
            return html.escape(clean.strip(), quote=True) if _SAFE_LINK.match(clean.strip()) else ""
        case Escape.TEXT | Escape.HEADER:
            return clean
