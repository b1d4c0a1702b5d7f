"""Everything that a check of an issue may find, by the name it can be switched off with."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad a problem is."""

    #: The issue can't be rendered, or must not go out.
    ERROR = "error"
    #: The issue can be rendered, but probably not as it was meant.
    WARNING = "warning"


class Rule(StrEnum):
    """One kind of problem: its name, how bad it is, and in a sentence what is found."""

    severity: Severity
    summary: str

    def __new__(cls, name: str, severity: Severity, summary: str) -> Rule:
        """A name that knows the rest."""
        rule = str.__new__(cls, name)
        rule._value_ = name
        rule.severity = severity
        rule.summary = summary
        return rule

    @classmethod
    def named(cls, name: str) -> Rule | None:
        """The rule of this name, if there is one."""
        return next((rule for rule in cls if rule.value == name), None)

    # --- errors: how an issue is written

    UNREADABLE = (
        "unreadable",
        Severity.ERROR,
        "The file is missing, not UTF-8, larger than 256 KB, or holds nothing to send.",
    )
    CONTROL_CHARACTER = (
        "control-character",
        Severity.ERROR,
        "A C0 or C1 control character: mail programs cut the message there, or choke on it.",
    )
    TOO_COMPLEX = (
        "too-complex",
        Severity.ERROR,
        "Nested too deep, too many brackets in a paragraph, or too many conditions in each other.",
    )
    FRONT_MATTER = (
        "front-matter",
        Severity.ERROR,
        "The lines between `---` are missing, not YAML, or hold an unknown key or a wrong value.",
    )
    MISSING_SUBJECT = ("missing-subject", Severity.ERROR, "The issue has no subject.")
    MERGE_FIELD = (
        "merge-field",
        Severity.ERROR,
        "`{{ … }}` or `{% … %}` holds a name, a filter or an expression that there is not.",
    )
    CONDITION = (
        "condition",
        Severity.ERROR,
        "An `{% if %}` is not closed, crosses something, or stands where none can stand.",
    )
    RAW_HTML = ("raw-html", Severity.ERROR, "HTML stands in the issue.")
    DIRECTIVE = (
        "directive",
        Severity.ERROR,
        "A `::` or `:::` block is unknown, not closed, empty, or holds what it can't hold.",
    )
    EMPTY_HEADING = ("empty-heading", Severity.ERROR, "A heading has no text.")
    MISPLACED_BUTTON = (
        "misplaced-button",
        Severity.ERROR,
        "A `{.button}` stands in the middle of text.",
    )
    EMPTY_LINK = ("empty-link", Severity.ERROR, "A link has no text.")
    MALFORMED_LINK = (
        "malformed-link",
        Severity.ERROR,
        "A link or image is relative, no valid URL, of a scheme that mail does not know, or lets "
        "a subscriber's value decide on the host.",
    )
    UNRESOLVED_IMAGE = (
        "unresolved-image",
        Severity.ERROR,
        "An image beside the issue is missing, outside its folder, too large, or no PNG, JPEG or "
        "GIF.",
    )

    # --- errors: what becomes of it

    RENDERING_FAILS = (
        "rendering-fails",
        Severity.ERROR,
        "The theme has mistakes, or the issue is more than can be rendered.",
    )
    MISSING_UNSUBSCRIBE = (
        "missing-unsubscribe",
        Severity.ERROR,
        "The theme shows no unsubscribe link in the HTML or the text.",
    )

    # --- warnings: how an issue is written

    MISSING_NUMBER = ("missing-number", Severity.WARNING, "The issue has no number.")
    MISSING_PREHEADER = (
        "missing-preheader",
        Severity.WARNING,
        "The issue has no preheader, or the subject again: inboxes show both side by side.",
    )
    SUBJECT_LENGTH = (
        "subject-length",
        Severity.WARNING,
        "The subject, with the longest values in it, is longer than inboxes show.",
    )
    PREHEADER_LENGTH = (
        "preheader-length",
        Severity.WARNING,
        "The preheader is longer than inboxes show.",
    )
    FIELD_WITHOUT_DEFAULT = (
        "field-without-default",
        Severity.WARNING,
        "A merge field that not everybody has is empty for them.",
    )
    UNKNOWN_ATTRIBUTE = (
        "unknown-attribute",
        Severity.WARNING,
        "`subscriber.attributes.…` names an attribute that the database does not know.",
    )
    MISSING_ALT = (
        "missing-alt",
        Severity.WARNING,
        "An image has no alternative text, or only a file's name: with images off all is blank.",
    )
    IMAGE_WEIGHT = (
        "image-weight",
        Severity.WARNING,
        "An image beside the issue is heavier or larger than a phone should load, or too small.",
    )
    LEFTOVER_MARKUP = (
        "leftover-markup",
        Severity.WARNING,
        "Markdown that did not become a link, bold, a heading, a list, and is shown as typed.",
    )
    FOREIGN_FIELD = (
        "foreign-field",
        Severity.WARNING,
        "A merge field as other systems write it: `*|FNAME|*`, `%name%`, `{name}`.",
    )
    BARE_URL = ("bare-url", Severity.WARNING, "A URL stands in text and is no link.")
    VAGUE_LINK = (
        "vague-link",
        Severity.WARNING,
        'A link says "click here", "more" or the like, in any of eight languages.',
    )
    HTTP_LINK = ("http-link", Severity.WARNING, "A link or image begins with `http://`.")
    DOUBTFUL_LINK = (
        "doubtful-link",
        Severity.WARNING,
        "A link ends with a comma, begins twice, leads to a number or a host that only you reach, "
        "or is no mail address.",
    )
    DUPLICATE_LINK = (
        "duplicate-link",
        Severity.WARNING,
        "Two items, cards or buttons lead to the same page, or two links of one paragraph.",
    )
    SHORTENED_LINK = (
        "shortened-link",
        Severity.WARNING,
        "A link goes through a shortener, which spam filters distrust.",
    )
    MISLEADING_LINK = (
        "misleading-link",
        Severity.WARNING,
        "A link's text names one site, or one paper, and its address another.",
    )
    INVISIBLE_CHARACTER = (
        "invisible-character",
        Severity.WARNING,
        "A character that nobody sees or that shows a loss: U+200B, U+FEFF, U+FFFD and the like.",
    )
    PLACEHOLDER = (
        "placeholder",
        Severity.WARNING,
        "TODO, FIXME, TBD, XXX or lorem ipsum stands in the text.",
    )
    HEADING_ORDER = (
        "heading-order",
        Severity.WARNING,
        "A heading leaves out a level.",
    )
    ACCIDENTAL_HEADING = (
        "accidental-heading",
        Severity.WARNING,
        "A line of `---` or `===` makes the text above it a heading.",
    )
    SECTION_NUMBERS = (
        "section-numbers",
        Severity.WARNING,
        "The numbers of the sections do not count up, or a `::toc` has nothing to list.",
    )

    # --- warnings: what becomes of it

    MISSING_POSTAL_ADDRESS = (
        "missing-postal-address",
        Severity.WARNING,
        "The newsletter has no postal address, or the theme does not show it.",
    )
    MESSAGE_SIZE = (
        "message-size",
        Severity.WARNING,
        "With the longest values in it the HTML has 90 KB or more; Gmail cuts it off at 102 KB.",
    )
    STYLE_SIZE = (
        "style-size",
        Severity.WARNING,
        "A `<style>` of the theme has more than 16 KB: Gmail leaves it out.",
    )
    CONTRAST = (
        "contrast",
        Severity.WARNING,
        "A text is too faint on what stands behind it, in light or in dark (WCAG 2.2 AA).",
    )
    UNSUPPORTED = (
        "unsupported",
        Severity.WARNING,
        "The theme uses HTML or CSS that Gmail, Outlook, Apple Mail or Yahoo do not support.",
    )
    UNSUPPORTED_IMAGE = (
        "unsupported-image",
        Severity.WARNING,
        "An image on the web has a format that not all of them show: SVG, WebP, AVIF, …",
    )
    PARTS_DIFFER = (
        "parts-differ",
        Severity.WARNING,
        "The HTML or the text leaves out a link or a heading of the issue.",
    )

    # --- what the network says (`--links`)

    BROKEN_LINK = (
        "broken-link",
        Severity.ERROR,
        "`--links`: there is no such page (404, 410) or no such host.",
    )
    MOVED_LINK = (
        "moved-link",
        Severity.WARNING,
        "`--links`: the link leads on, for good (301, 308) or to another host.",
    )
    UNVERIFIED_LINK = (
        "unverified-link",
        Severity.WARNING,
        "`--links`: nobody can tell; an error, a time-out, a password, a private network.",
    )

    # --- what real people have (`--audience`)

    EMPTY_VALUE = (
        "empty-value",
        Severity.WARNING,
        "`--audience`: a merge field shows nothing for some recipients.",
    )
    JUNK_VALUE = (
        "junk-value",
        Severity.WARNING,
        "`--audience`: some are greeted as NULL, N/A, test or the like, or their value is cut.",
    )
    UNMAILABLE = (
        "unmailable",
        Severity.WARNING,
        "`--audience`: no message can be made for some recipients.",
    )
