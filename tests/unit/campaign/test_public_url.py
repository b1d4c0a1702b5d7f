"""A public URL that would make dead unsubscribe links is refused before anything is scheduled."""

from __future__ import annotations

import pytest

from mailer.campaign.schedule import check_public_url
from mailer.errors import UrlUnsafe
from mailer.settings import RelaySettings, Settings


def settings(host: str, url: str) -> Settings:
    return Settings(relay=RelaySettings(host=host), public_url=url)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8025"),
        ("localhost", "http://laptop.local"),
        ("::1", "http://127.0.0.1:8025"),
        ("smtp.example.com", "https://news.example.com"),
    ],
)
def test_fine(host: str, url: str) -> None:
    check_public_url(settings(host, url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://news.example.com", "https"),
        ("http://127.0.0.1:8025", "https"),
        ("https://127.0.0.1", "can reach 127.0.0.1"),
        ("https://192.168.1.4", "can reach 192.168.1.4"),
        ("https://[::1]", "can reach ::1"),
        ("https://laptop", "can reach laptop"),
        ("https://box.local", "can reach box.local"),
        ("https://news.internal", "can reach news.internal"),
    ],
)
def test_refused_with_the_remedy(url: str, words: str) -> None:
    with pytest.raises(UrlUnsafe, match=words) as caught:
        check_public_url(settings("smtp.example.com", url))
    assert "set public_url" in str(caught.value)
