"""Bold and italic beside scripts that are written without blanks."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from mailer.issue.directives import dialect


def _html(markdown: str) -> str:
    return str(dialect(lambda _line: None).render(markdown)).strip()


@pytest.mark.parametrize(
    ("source", "bold"),
    [
        pytest.param("**注意：**这里", "<strong>注意：</strong>这里", id="Chinese"),
        pytest.param("红点**（注意）**这里", "红点<strong>（注意）</strong>这里", id="both sides"),
        pytest.param("**注意。**赤い点", "<strong>注意。</strong>赤い点", id="Japanese"),
        pytest.param("は**「引用」**を", "は<strong>「引用」</strong>を", id="brackets"),
        pytest.param("**중요(필독)**은", "<strong>중요(필독)</strong>은", id="Korean"),
        pytest.param("看*ViT!*吧", "看<em>ViT!</em>吧", id="Western mark"),
        pytest.param("**重要**。***都***", "<strong>重要</strong>。", id="a mark behind"),
        pytest.param("旧~~价：~~新", "旧<s>价：</s>新", id="struck"),
    ],
)
def test_bold_needs_no_blank(source: str, bold: str) -> None:
    assert bold in _html(source)


@pytest.mark.parametrize(
    "source",
    [
        *("**a**", "a**b**c", "**a.**b", "** a **", "a*b*c", "2 * 3 * 4", "*a**b*", "**a*b**c*"),
        *("***a***", "**a b", "“**a**”", "a_b_c", "_a_", "** 注意 **", "注意_x_注意", "~~a~~"),
    ],
)
def test_all_else_is_as_in_commonmark(source: str) -> None:
    assert _html(source) == MarkdownIt("commonmark").enable("strikethrough").render(source).strip()
