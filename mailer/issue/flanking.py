"""Which `*` and `~` open and which close, beside Chinese, Japanese and Korean text too.

CommonMark goes by blanks, which those scripts do not set there: `**注意：**这里` stays as it is
written, because its second `**` stands between a punctuation mark and a letter. So their
punctuation counts as letters here, and Western punctuation beside one of their characters as if
a blank were there.
"""

from __future__ import annotations

import unicodedata

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType


class FlankingParser(ParserInline):
    """Markdown's inline parser, with `Flanking` for its state."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Push the inline tokens of `src` into `tokens`."""
        state = Flanking(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class Flanking(StateInline):
    """Knows of a row of markers whether it may open and whether it may close."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803
        """As CommonMark's 6.2, but for what stands beside wide characters."""
        plain = super().scanDelims(start, canSplitWord)
        end = start + plain.length
        before = self.src[start - 1] if start > 0 else " "
        after = self.src[end] if end < self.posMax else " "
        if not (canSplitWord and (_wide(before) or _wide(after))):
            return plain
        opens = not isWhiteSpace(ord(after)) and (not _western(after) or _wide(before))
        closes = not isWhiteSpace(ord(before)) and (not _western(before) or _wide(after))
        return Scanned(plain.can_open or opens, plain.can_close or closes, plain.length)


def _wide(char: str) -> bool:
    """Whether this is of a script written without blanks, or with words joined to what is bold."""
    return unicodedata.east_asian_width(char) in "WF"


def _western(char: str) -> bool:
    return not _wide(char) and (isMdAsciiPunct(ord(char)) or isPunctChar(char))
