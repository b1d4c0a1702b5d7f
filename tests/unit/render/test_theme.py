"""Themes speak the reader's language."""

from __future__ import annotations

from datetime import date

import pytest

from mailer.render.brand import contrast
from mailer.render.theme import direction, known, load, spoken_date

DAY = date(2026, 3, 5)


@pytest.mark.parametrize(
    ("lang", "day", "unsubscribe"),
    [
        ("en", "March 5, 2026", "Unsubscribe"),
        ("zh", "2026年3月5日", "退订"),
        ("zh-CN", "2026年3月5日", "退订"),
        ("ja", "2026年3月5日", "配信停止"),
        ("de", "5. März 2026", "Abbestellen"),
        ("fr", "5 mars 2026", "Se désabonner"),
        ("es", "5 de marzo de 2026", "Darse de baja"),
        ("ar", "5 مارس 2026", "إلغاء الاشتراك"),
        ("pt-BR", "5 de março de 2026", "Unsubscribe"),
        ("tlh", "March 5, 2026", "Unsubscribe"),
    ],
)
def test_words_and_dates(lang: str, day: str, unsubscribe: str) -> None:
    assert spoken_date(DAY, lang) == day
    for name in known():
        assert load(name).words_for(lang)["unsubscribe"] == unsubscribe


def test_every_language_says_everything() -> None:
    words = load("digest").words
    assert len(words) >= 7
    for lang, phrases in words.items():
        assert phrases.keys() == words["en"].keys(), lang
        assert "{number}" in phrases["issue"]
        assert "{name}" in phrases["why"]


@pytest.mark.parametrize(("lang", "side"), [("ar", "rtl"), ("he-IL", "rtl"), ("hi", "ltr")])
def test_direction(lang: str, side: str) -> None:
    assert direction(lang) == side


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
