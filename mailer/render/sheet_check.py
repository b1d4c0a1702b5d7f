"""A theme's style sheets, held against CSS before anything is rendered.

Whatever is wrong in a sheet is left out in silence by those who read it: a colon forgotten costs a
declaration, a brace all that follows. It is looked for in the template itself, so that the line is
the one that somebody wrote; what Jinja writes stands there as blanks, or as a word.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import tinycss2
from tinycss2 import ast

_STYLED = """
align-content align-items align-self background background-attachment background-clip
background-color background-image background-origin background-position background-repeat
background-size border border-bottom border-bottom-color border-bottom-left-radius
border-bottom-right-radius border-bottom-style border-bottom-width border-collapse
border-color border-image border-left border-left-color border-left-style border-left-width
border-radius border-right border-right-color border-right-style border-right-width
border-spacing border-style border-top border-top-color border-top-left-radius
border-top-right-radius border-top-style border-top-width border-width bottom box-shadow
box-sizing caption-side clear clip color color-scheme content cursor direction display
empty-cells filter flex flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap
float font font-family font-feature-settings font-size font-stretch font-style font-variant
font-variant-numeric font-weight gap grid height hyphens justify-content left letter-spacing
line-break line-height list-style list-style-image list-style-position list-style-type margin
margin-bottom margin-inline margin-left margin-right margin-top max-height max-width
min-height min-width object-fit opacity order outline outline-color outline-offset
outline-style outline-width overflow overflow-wrap overflow-x overflow-y padding
padding-bottom padding-inline padding-left padding-right padding-top page-break-after
page-break-before page-break-inside position quotes right src tab-size table-layout text-align
text-decoration text-decoration-color text-decoration-line text-decoration-style
text-decoration-thickness text-indent text-overflow text-shadow text-size-adjust
text-transform text-underline-offset top transform transition unicode-bidi vertical-align
visibility white-space width word-break word-spacing word-wrap writing-mode z-index
"""
#: What letters are styled with; a name close to one of these is taken for a slip.
PROPERTIES = frozenset(_STYLED.split())
_WRITTEN = re.compile(r"\{\{.*?\}\}")
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class SheetProblem:
    """A mistake in a sheet; line and column count from 1."""

    line: int
    column: int
    message: str


def check(template: str, *, inlined: bool) -> tuple[SheetProblem, ...]:
    """What is wrong in a sheet, from its top; `inlined` when it goes into style attributes."""
    nodes = tinycss2.parse_stylesheet(_plain(template), skip_comments=True, skip_whitespace=True)
    return tuple(_check_rules(nodes, inlined=inlined))


def _plain(template: str) -> str:
    """The sheet without Jinja, each character that stays where it was."""
    bare = _STATEMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), template)
    return _WRITTEN.sub(lambda match: "x" * len(match.group()), bare)


def _check_rules(nodes: list[ast.Node], *, inlined: bool) -> Iterator[SheetProblem]:
    for node in nodes:
        match node:
            case ast.QualifiedRule():
                yield from _check_selector(node)
                yield from _check_block(node, inlined=inlined)
            case ast.AtRule():
                yield from _check_at(node, inlined=inlined)
            case ast.ParseError():
                yield _problem(node, "this is no rule; write selector { property: value }")


def _check_at(node: ast.AtRule, *, inlined: bool) -> Iterator[SheetProblem]:
    name = f"@{node.at_keyword}"
    if node.lower_at_keyword == "import":
        yield _problem(node, "@import is not followed; write the rules themselves")
    elif inlined:
        yield _problem(node, f"{name} can't stand in an element; put it into client.css.j2")
    elif node.lower_at_keyword in ("media", "supports") and node.content is not None:
        inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
        yield from _check_rules(inner, inlined=False)


def _check_selector(rule: ast.QualifiedRule) -> Iterator[SheetProblem]:
    for node in rule.prelude:
        lost = "the rule behind it is left out; remove it"
        if isinstance(node, ast.ParseError):
            yield _problem(node, f"this }} closes nothing, and {lost}")
        elif isinstance(node, ast.LiteralToken) and node == ";":
            yield _problem(node, f"no ; stands between rules: {lost}")


def _check_block(rule: ast.QualifiedRule, *, inlined: bool) -> Iterator[SheetProblem]:
    inside = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
    for node in inside:
        match node:
            case ast.Declaration():
                yield from _check_declaration(node, inlined=inlined)
            case ast.QualifiedRule() | ast.AtRule():
                yield _problem(rule, "this { is not closed; write } before the next rule")
                return
            case ast.ParseError():
                begun = _begun(rule.content, node)
                yield _problem(begun, "this is no declaration; write property: value;")


def _check_declaration(node: ast.Declaration, *, inlined: bool) -> Iterator[SheetProblem]:
    name = node.lower_name
    if not tinycss2.serialize(node.value).strip():
        yield _problem(node, f"{name} has no value; write one, or remove it")
    elif name not in PROPERTIES and not name.startswith(("-", "mso-")):
        close = difflib.get_close_matches(name, PROPERTIES, n=1, cutoff=0.82)
        if close:
            yield _problem(node, f"there is no property {name}; did you mean {close[0]}?")
    elif any(isinstance(each, ast.LiteralToken) and each == ":" for each in node.value):
        yield _problem(node, f"a ; is missing behind the value of {name}")
    elif inlined and node.important:
        yield _problem(node, "!important would beat the colours for dark; remove it")


def _begun(tokens: list[ast.Node], error: ast.Node) -> ast.Node:
    """Where a declaration begins that is found to be none at its end."""
    begun: ast.Node | None = None
    for each in tokens:
        if (each.source_line, each.source_column) >= (error.source_line, error.source_column):
            break
        if isinstance(each, ast.LiteralToken) and each == ";":
            begun = None
        elif begun is None and not isinstance(each, ast.WhitespaceToken | ast.Comment):
            begun = each
    return begun or error


def _problem(node: ast.Node, message: str) -> SheetProblem:
    return SheetProblem(line=node.source_line, column=node.source_column, message=message)
