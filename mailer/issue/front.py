"""The front matter: YAML between two `---` lines at the top of an issue.

Only YAML's node tree is used, never its constructors: nothing is built but texts, and an alias
can't be expanded into a bomb.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

import yaml

from mailer.issue.inline import choice, settle
from mailer.issue.model import START, FrontMatter, Inline, Inlines, Merge, Off, Place, Text
from mailer.issue.nest import nest
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule, Severity
from mailer.issue.tags import Tag, TagKind, Tags

KEYS = (
    "subject",
    "preheader",
    "number",
    "date",
    "lang",
    "utm",
    "canonical_url",
    "images",
    "lint",
)
_UTM = ("source", "medium", "campaign", "term", "content", "id")
_LANG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FENCE = re.compile(r"---[ \t]*")
_OFF = "write lint: {off: {missing-number: it is a special edition}}"
_EXAMPLE = "begin the file with ---, subject: …, ---"


def split(source: str, notes: Notes) -> tuple[str, str]:
    """The front matter, and the whole source with the front matter's lines emptied."""
    lines = source.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        notes.add(Rule.FRONT_MATTER, START, "the front matter is missing", _EXAMPLE)
        return "", source
    for index, line in enumerate(lines[1:], start=1):
        if _FENCE.fullmatch(line):
            front = "\n".join(lines[1:index])
            return front, "\n" * (index + 1) + "\n".join(lines[index + 1 :])
    notes.add(
        Rule.FRONT_MATTER,
        START,
        "the front matter is not closed",
        "end it with a line of three dashes ---",
    )
    return "", source


def read(front: str, tags: Tags) -> FrontMatter:
    """Understand the front matter; what is wrong with it goes to the tags' notes."""
    values = dict(_entries(front, tags.notes))
    reader = _Reader(values, tags)
    if "subject" not in values and not tags.notes.fatal:
        tags.notes.add(
            Rule.MISSING_SUBJECT,
            START,
            "the subject is missing",
            "add subject: … to the front matter",
        )
    return FrontMatter(
        subject=reader.line("subject"),
        preheader=reader.line("preheader"),
        number=reader.number(),
        date=reader.date(),
        lang=reader.lang(),
        utm=reader.utm(),
        canonical_url=reader.canonical_url(),
        embed_images=reader.embed_images(),
        off=tuple(reader.off()),
        places={name: _place(node) for name, node in values.items()},
    )


def _entries(front: str, notes: Notes) -> Iterator[tuple[str, yaml.Node]]:
    root = _compose(front, notes)
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        notes.add(
            Rule.FRONT_MATTER,
            _place(root),
            "the front matter holds no keys",
            "write lines like subject: …",
        )
        return
    seen: set[str] = set()
    for key, value in root.value:
        name = str(key.value)
        if name not in KEYS:
            close = difflib.get_close_matches(name, KEYS, n=1)
            known = f"did you mean {close[0]}?" if close else "there are " + ", ".join(KEYS)
            notes.add(Rule.FRONT_MATTER, _place(key), f"unknown key {name!r}", known)
        elif name in seen:
            notes.add(
                Rule.FRONT_MATTER,
                _place(key),
                f"{name!r} stands here twice",
                "remove one of the two lines",
            )
        else:
            seen.add(name)
            yield name, value


def _compose(front: str, notes: Notes) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(front, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(line=mark.line + 2, column=mark.column + 1) if mark else START
        notes.add(
            Rule.FRONT_MATTER,
            place,
            f"not valid YAML: {exc.problem or exc.context}",
            _yaml_remedy(front),
        )
    except yaml.YAMLError:
        notes.add(
            Rule.FRONT_MATTER,
            START,
            "not valid YAML",
            "remove control characters from the front matter",
        )
    except RecursionError:
        notes.add(
            Rule.FRONT_MATTER,
            START,
            "the front matter is nested too deep",
            "write one line for each key",
        )
    else:
        return node
    return None


def _yaml_remedy(front: str) -> str:
    if "{{" in front or "{%" in front:
        return 'put values with {{ … }}, colons or quotes between quotes, as in subject: "…"'
    return "put values with colons or quotes between quotes"


def _place(node: yaml.Node) -> Place:
    # The front matter begins on the file's second line; marks count from 0.
    return Place(line=node.start_mark.line + 2, column=node.start_mark.column + 1)


def _quotes(node: yaml.Node) -> int:
    return 1 if isinstance(node, yaml.ScalarNode) and node.style else 0


class _Reader:
    def __init__(self, values: dict[str, yaml.Node], tags: Tags) -> None:
        self._values = values
        self._tags = tags
        self._notes = tags.notes

    def _scalar(self, name: str) -> tuple[str, Place] | None:
        node = self._values.get(name)
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode):
            # Not str.split(): NBSP and U+3000 are the author's own.
            value = re.sub(r"[ \t\n]+", " ", str(node.value)).strip(" ")
            return (value, _place(node)) if value else None
        hint = 'write it between quotes: "…"' if name in ("subject", "preheader") else "write text"
        self._notes.add(Rule.FRONT_MATTER, _place(node), f"{name} is not a text", hint)
        return None

    def line(self, name: str) -> Inlines:
        found = self._scalar(name)
        if found is None:
            if name == "subject" and isinstance(self._values.get(name), yaml.ScalarNode):
                self._notes.add(
                    Rule.MISSING_SUBJECT,
                    _place(self._values[name]),
                    "the subject is empty",
                    "write one",
                )
            return ()
        value, place = found
        node = self._values[name]
        inside = Place(line=place.line, column=place.column + _quotes(node))
        return _line(self._tags.exchange(value, first=inside), self._tags)

    def number(self) -> int | None:
        found = self._scalar("number")
        if found is None:
            return None
        value, place = found
        if not re.fullmatch(r"[0-9]{1,9}", value):
            self._notes.add(
                Rule.FRONT_MATTER, place, f"number {value!r} is no whole number", "write number: 30"
            )
            return None
        return int(value)

    def date(self) -> date | None:
        found = self._scalar("date")
        if found is None:
            return None
        value, place = found
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            self._notes.add(
                Rule.FRONT_MATTER, place, f"date {value!r} is no date", "write date: 2026-12-01"
            )
            return None

    def lang(self) -> str | None:
        found = self._scalar("lang")
        if found is None:
            return None
        value, place = found
        if not _LANG.fullmatch(value):
            self._notes.add(
                Rule.FRONT_MATTER,
                place,
                f"lang {value!r} is no language tag",
                "write en or zh-Hans",
            )
            return None
        return value

    def utm(self) -> tuple[tuple[str, str], ...]:
        node = self._values.get("utm")
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return ()
        if not isinstance(node, yaml.MappingNode):
            remedy = "write source:, medium:, campaign: on lines of their own below utm:"
            self._notes.add(Rule.FRONT_MATTER, _place(node), "utm holds no names", remedy)
            return ()
        return tuple(self._parameters(node))

    def _parameters(self, node: yaml.MappingNode) -> Iterator[tuple[str, str]]:
        for key, value in node.value:
            name = str(key.value).removeprefix("utm_")
            if name not in _UTM:
                known = "there are " + ", ".join(_UTM)
                self._notes.add(
                    Rule.FRONT_MATTER, _place(key), f"unknown utm parameter {name!r}", known
                )
            elif not isinstance(value, yaml.ScalarNode) or not value.value:
                self._notes.add(
                    Rule.FRONT_MATTER, _place(value), f"utm {name} is no text", "write a short word"
                )
            elif "{{" in value.value or "{%" in value.value:
                self._notes.add(
                    Rule.FRONT_MATTER,
                    _place(value),
                    "merge fields can't stand in utm parameters",
                    "write the same word for everybody: it is there to count clicks together",
                )
            else:
                yield f"utm_{name}", str(value.value)

    def embed_images(self) -> bool:
        found = self._scalar("images")
        if found is not None and found[0] not in ("link", "embed"):
            self._notes.add(
                Rule.FRONT_MATTER,
                found[1],
                f"images: {found[0]!r} is no choice",
                "write link or embed",
            )
        return found is not None and found[0] == "embed"

    def off(self) -> Iterator[Off]:
        """`lint: {off: [rule, …]}`, or `rule: reason` in place of a list's bare names."""
        node = self._values.get("lint")
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode) or [key.value for key, _ in node.value] != [
            "off"
        ]:
            self._wrong(node, "lint holds only off", _OFF)
            return
        rules = node.value[0][1]
        if isinstance(rules, yaml.MappingNode):
            for key, value in rules.value:
                reason = str(value.value) if isinstance(value, yaml.ScalarNode) else ""
                yield from self._rule_off(key, reason)
        elif isinstance(rules, yaml.SequenceNode):
            for rule in rules.value:
                yield from self._rule_off(rule, "")
        else:
            self._wrong(rules, "lint: off: is no list of rules", _OFF)

    def _rule_off(self, node: yaml.Node, reason: str) -> Iterator[Off]:
        name = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        rule = Rule.named(name)
        if rule is None:
            close = difflib.get_close_matches(name, list(Rule), n=1)
            remedy = f"did you mean {close[0]}?" if close else "see mailer issue check --rules"
            self._wrong(node, f"there is no rule {name!r}", remedy)
            return
        if rule.severity is Severity.ERROR:
            self._wrong(node, f"{rule} stops an issue and can't be switched off", "mend it instead")
        else:
            yield Off(rule=rule, reason=" ".join(reason.split()), place=_place(node))

    def _wrong(self, node: yaml.Node, message: str, remedy: str) -> None:
        self._notes.add(Rule.FRONT_MATTER, _place(node), message, remedy)

    def canonical_url(self) -> str | None:
        found = self._scalar("canonical_url")
        if found is None:
            return None
        value, place = found
        try:
            parts = urlsplit(value)
            absolute = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            absolute = False
        if not absolute:
            self._notes.add(
                Rule.FRONT_MATTER, place, f"{value!r} is no absolute URL", "write https://…"
            )
            return None
        return value


def _line(marked: str, tags: Tags) -> Inlines:
    """Text with merge fields and conditions, but without Markdown."""
    pieces: list[Inline | Tag] = []
    for piece in tags.split(marked):
        if isinstance(piece, str):
            pieces.append(Text(text=piece))
        elif piece.kind is TagKind.FIELD and piece.expression:
            pieces.append(Merge(expression=piece.expression, place=piece.place))
        else:
            pieces.append(piece)
    return settle(nest(pieces, tags.notes, choice))
