"""The verb of this stage: a ParsedIssue to a Rendering."""

from __future__ import annotations

from mailer.errors import RenderingFailed
from mailer.issue.model import Choice, Inlines, Merge, ParsedIssue, Text
from mailer.render import child, preview
from mailer.render.images import NO_IMAGES, Gallery
from mailer.render.mjml import compose
from mailer.render.model import FORMAT, Escape, NewsletterLook, Rendering, SystemSlot
from mailer.render.slots import SlotBook
from mailer.render.text import plain_text
from mailer.render.theme import direction, load


class UnsubscribeMissing(RenderingFailed):
    """The theme shows no unsubscribe link."""


def render(
    issue: ParsedIssue,
    newsletter: NewsletterLook,
    *,
    theme: str = "digest",
    gallery: Gallery = NO_IMAGES,
    traced: bool = False,
) -> Rendering:
    """Render an issue once, for everybody; `gallery` holds the images beside it.

    `traced`: a mark `<!--zq<nonce>at<line>-->` stands before each block, for the linter.
    The same issue, newsletter, theme and images give the same bytes. Raises ThemeInvalid when the
    theme is wrong, RenderingFailed when the issue is more than a mail can hold.
    """
    front, look = issue.front, load(theme)
    lang = front.lang or newsletter.language
    book = SlotBook(nonce=issue.nonce, constants=constants(issue, newsletter))
    subject = _line(front.subject, book)
    title = preview.neutral(subject, book, Escape.HEADER)
    document = compose(issue, newsletter, look, book, lang=lang, gallery=gallery, traced=traced)
    aside = SlotBook(nonce=book.nonce, constants=book.constants)
    preheader = preview.neutral(_line(front.preheader, aside), aside, Escape.HEADER)
    html = child.transform(document.mjml, document.css, title)
    text = plain_text(issue, newsletter, book, say=look.words_for(lang), lang=lang)
    _require_unsubscribe(book, html, text)
    return Rendering(
        format=FORMAT,
        nonce=book.nonce,
        lang=lang,
        direction=direction(lang),
        title=title,
        subject=subject,
        preheader=preheader,
        html=html,
        text=text,
        slots=tuple(book.slots),
        conditions=tuple(book.conditions),
        embedded=gallery.embedded,
        canonical_url=front.canonical_url or "",
    )


def constants(issue: ParsedIssue, newsletter: NewsletterLook) -> dict[str, dict[str, object]]:
    """The fields that are the same for everybody."""
    front = issue.front
    words = "".join(part.text for part in front.subject if isinstance(part, Text))
    return {
        "newsletter": {
            "name": newsletter.name,
            "url": newsletter.url,
            "from_name": newsletter.from_name,
            "from_address": newsletter.from_address,
            "postal_address": newsletter.postal_address,
            "language": newsletter.language,
        },
        "issue": {
            "number": front.number,
            "date": front.date.isoformat() if front.date else None,
            "subject": words,
            "canonical_url": front.canonical_url,
        },
    }


def _line(inlines: Inlines, book: SlotBook) -> str:
    """A header's text, with slots."""
    pieces = []
    for inline in inlines:
        match inline:
            case Text(text=text):
                pieces.append(text)
            case Merge(expression=expression):
                pieces.append(book.value(expression, Escape.HEADER))
            case Choice():
                pieces.append(book.branch(inline, lambda below: _line(below, book)))
    return "".join(pieces)


def _require_unsubscribe(book: SlotBook, html: str, text: str) -> None:
    numbers = [
        slot.number for slot in book.slots if slot.source == SystemSlot.UNSUBSCRIBE_URL.value
    ]
    for part, name in ((html, "HTML"), (text, "plain text")):
        if not any(f"zq{book.nonce}x{number}z" in part for number in numbers):
            raise UnsubscribeMissing(
                f'the {name} has no unsubscribe link; the theme must show system("unsubscribe_url")'
            )
