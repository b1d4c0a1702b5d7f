"""What is wrong with a theme's MJML, with file, line and column.

mjml-python passes unknown tags, attributes, units and parents in silence and has no places; so
the MJML is read by an XML parser and held against a schema (`mjml_schema.json`, from the
reference implementation's components) before it gets there.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

from lxml import etree

from mailer.render.templating import PLACE

#: mjml-python overflows its stack at about 1,800 levels; no theme needs a hundredth of that.
MAX_DEPTH = 60
_MARK = re.compile(rf' {PLACE}="([^":]*):(\d+):(\d+)"')
_TAG = re.compile(r"<(/?)(mj[a-z-]*)\b((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(/?)>")
_HTML = re.compile(r"<!--.*?-->", re.DOTALL)
_EVERYWHERE = {"css-class", "mj-class"}
_COLOUR = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|(?:rgb|hsl)a?\([\d\s.,%/]+\)", re.IGNORECASE
)

#: What mjml-python leaves out without a word, and what to do instead.
_LACKING = {
    "mj-html-attributes": "write the attributes into the HTML itself",
    "mj-include": 'use {% include "part.mjml.j2" %}',
    "mj-preview": "write the preheader with mj-raw: a white one is taken for a trick of spammers",
    "mj-title": "remove it: the issue's subject is the title",
}


@dataclass(frozen=True, kw_only=True)
class MjmlProblem:
    """One mistake in a template; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class _Component:
    holds: str
    parents: list[str]
    attributes: Mapping[str, str]


def check(mjml: str, folders: Iterable[Path] = ()) -> tuple[MjmlProblem, ...]:
    """Everything wrong with a document; `folders` are where its templates were looked for.

    A tag without a mark of its place stands at its own line and column of `mjml`.
    """
    checker = _Checker(source=mjml, folders=tuple(folders))
    checker.run()
    return tuple(sorted(checker.found, key=lambda each: (each.file, each.line, each.column)))


def without_places(mjml: str) -> str:
    """The document without the marks of its tags' places."""
    return _MARK.sub("", mjml)


@lru_cache(maxsize=1)
def _schema() -> tuple[Mapping[str, _Component], frozenset[str]]:
    text = (resources.files(__package__) / "mjml_schema.json").read_text(encoding="utf-8")
    values = json.loads(text)
    components = {name: _Component(**each) for name, each in values["components"].items()}
    return components, frozenset(values["colours"].split())


@dataclass(kw_only=True)
class _Checker:
    source: str
    folders: tuple[Path, ...]
    found: list[MjmlProblem] = field(default_factory=list)

    def run(self) -> None:
        # Without huge_tree libxml2 itself stops at 256 levels.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        try:
            root = etree.fromstring(self.source.encode("utf-8"), parser)
        except etree.XMLSyntaxError as exc:
            self._malformed(exc)
            return
        if root.tag != "mjml":
            self._say(root, f"<{root.tag}> is no layout; begin with <mjml>")
            return
        for element, depth in _walk(root):
            if depth > MAX_DEPTH:
                self._say(element, f"nested deeper than {MAX_DEPTH} levels; use fewer")
                return
            self._element(element)

    def _element(self, element: etree._Element) -> None:
        tag = str(element.tag)
        parent = element.getparent()
        if _within(element, "mj-attributes"):
            self._default(element)
            return
        if parent is not None and _holds_html(parent):
            if tag.startswith("mj-"):
                self._say(element, f"<{tag}> can't stand in HTML; end the tag around it first")
            return
        components, _ = _schema()
        if tag in _LACKING:
            self._say(element, f"<{tag}> does nothing here; {_LACKING[tag]}")
        elif tag not in components:
            self._say(element, _unknown(tag, parent))
        else:
            self._placed(element, components[tag])
            self._attributes(element, components[tag].attributes)

    def _placed(self, element: etree._Element, component: _Component) -> None:
        tag, parent = str(element.tag), element.getparent()
        if tag == "mj-raw" and parent is not None and parent.tag == "mjml":
            self._say(element, "<mj-raw> is dropped here; put it into mj-head or mj-body")
        elif parent is not None and parent.tag not in component.parents:
            allowed = " or ".join(component.parents)
            self._say(element, f"<{tag}> can't stand in <{parent.tag}>; put it into {allowed}")
        if component.holds == "tags":
            texts = [element.text, *(child.tail for child in element)]
            if any(text and text.strip() for text in texts):
                self._say(element, f"text in <{tag}> is dropped; put it into mj-text")

    def _default(self, element: etree._Element) -> None:
        """An entry of mj-attributes: mj-all, mj-class, or a component's defaults."""
        tag, parent = str(element.tag), element.getparent()
        components, _ = _schema()
        if parent is not None and parent.tag != "mj-attributes":
            self._say(
                element, f"<{tag}> below <{parent.tag!s}> does nothing; write another mj-class"
            )
        elif tag in ("mj-all", "mj-class"):
            every = {n: t for each in components.values() for n, t in each.attributes.items()}
            self._attributes(element, every | ({"name": "string"} if tag == "mj-class" else {}))
        elif tag not in components:
            self._say(element, _unknown(tag, None))
        else:
            self._attributes(element, components[tag].attributes)

    def _attributes(self, element: etree._Element, known: Mapping[str, str]) -> None:
        tag = str(element.tag)
        if tag == "mj-social-element" and not element.get("src"):
            self._say(element, "this icon would come from a vendor's host; give it a src")
        for raw, value in element.attrib.items():
            name = str(raw)
            if name == PLACE or name in _EVERYWHERE:
                continue
            if tag == "mj-wrapper" and name == "gap":
                self._say(element, "gap does nothing here; give the sections padding")
            elif name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean {close[0]}?" if close else "remove it"
                self._say(element, f"<{tag}> has no attribute {name}; {remedy}")
            elif wrong := _wrong(str(value), known[name]):
                self._say(element, f'{name}="{value!s}" of <{tag}> {wrong}')

    def _malformed(self, exc: etree.XMLSyntaxError) -> None:
        """Say which tag is not closed, or else where the parser stopped."""
        if stopped := _unclosed(self.source):
            at, words = stopped
        else:
            line, column = exc.position
            at = sum(len(each) + 1 for each in self.source.split("\n")[: line - 1]) + column - 1
            words = f"not well-formed: {str(exc).split(', line')[0]}"
        self._note(self.source, at, words)

    def _note(self, source: str, at: int, words: str) -> None:
        end = source.find(">", at) + 1 or len(source)
        marks = list(_MARK.finditer(source, 0, end))
        if marks:
            name, line, column = marks[-1].groups()
            place = self._file(name), int(line), int(column)
        else:
            place = "layout", source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
        self.found.append(MjmlProblem(file=place[0], line=place[1], column=place[2], message=words))

    def _say(self, element: etree._Element, words: str) -> None:
        marked: etree._Element | None = element
        while marked is not None and PLACE not in marked.attrib:
            marked = marked.getparent()
        if marked is None:
            line: int = element.sourceline  # type: ignore[assignment]  # the stub has ellipses
            problem = MjmlProblem(file="layout", line=line, column=1, message=words)
        else:
            name, first, second = str(marked.attrib[PLACE]).split(":")
            problem = MjmlProblem(
                file=self._file(name), line=int(first), column=int(second), message=words
            )
        # A part included twice, or a loop, makes the same mistake only once.
        if problem not in self.found:
            self.found.append(problem)

    def _file(self, name: str) -> str:
        return next((str(each / name) for each in self.folders if (each / name).is_file()), name)


def _walk(root: etree._Element) -> Iterator[tuple[etree._Element, int]]:
    waiting = [(root, 1)]
    while waiting:
        element, depth = waiting.pop()
        yield element, depth
        waiting.extend((child, depth + 1) for child in element if isinstance(child.tag, str))


def _holds_html(element: etree._Element) -> bool:
    components, _ = _schema()
    known = components.get(str(element.tag))
    return known is None or known.holds == "html"


def _within(element: etree._Element, tag: str) -> bool:
    return any(parent.tag == tag for parent in element.iterancestors())


def _unknown(tag: str, parent: etree._Element | None) -> str:
    if not tag.startswith("mj"):
        around = f"<{parent.tag}>" if parent is not None else "mj-attributes"
        return f"<{tag}> can't stand in {around}; put HTML into mj-text or mj-raw"
    close = difflib.get_close_matches(tag, _schema()[0], n=1)
    return f"there is no <{tag}>; " + (f"did you mean <{close[0]}>?" if close else "remove it")


def _wrong(value: str, kind: str) -> str | None:
    """What is wrong with an attribute's value, in the schema's words for types."""
    name, _, rest = kind.partition("(")
    choices = rest.partition(")")[0].split(",")
    match name:
        case "enum":
            return None if value in choices else f"must be {' or '.join(filter(None, choices))}"
        case "unit" | "unitWithNegative":
            most = 4 if kind.endswith("{1,4}") else 1
            parts = value.split()
            if 1 <= len(parts) <= most and all(_measures(part, choices, name) for part in parts):
                return None
            units = " or ".join(filter(None, choices))
            return f"must be {'up to four numbers' if most == 4 else 'a number'} in {units}"
        case "color":
            known = value.lower() in _schema()[1] or _COLOUR.fullmatch(value)
            return None if known else "must be a colour like #1c2226"
        case "boolean":
            return None if value in ("true", "false") else "must be true or false"
        case "integer":
            return None if value.isdecimal() else "must be a whole number"
    return None


def _measures(part: str, units: list[str], kind: str) -> bool:
    match = re.fullmatch(r"(-?)(\d+(?:\.\d+)?|\.\d+)(px|%|em|)", part)
    if match is None:
        return part == "auto" and "auto" in units
    sign, number, unit = match.groups()
    if sign and kind != "unitWithNegative":
        return False
    return unit in units or (not unit and float(number) == 0)


def _unclosed(source: str) -> tuple[int, str] | None:
    """Where a tag of MJML is opened and not closed, or closed and not opened."""
    opened: list[tuple[str, int]] = []
    for match in _TAG.finditer(_HTML.sub(lambda each: " " * len(each.group()), source)):
        closing, tag, _, empty = match.groups()
        if not closing and not empty:
            opened.append((tag, match.start()))
        elif closing and opened and opened[-1][0] == tag:
            opened.pop()
        elif closing:
            name, at = opened[-1] if opened else ("", 0)
            if any(name == tag for name, _ in opened) or difflib.get_close_matches(tag, [name]):
                return at, f"<{name}> is not closed; write </{name}> before </{tag}>"
            return match.start(), f"</{tag}> closes nothing; remove it"
    if opened:
        name, at = opened[-1]
        return at, f"<{name}> is not closed; write </{name}>"
    return None
