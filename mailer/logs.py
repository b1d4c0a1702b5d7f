"""What processes say of their work: as text, or as one JSON document a line.

Each line carries the ids of what it is about (campaign, chunk, delivery, request), and never an
address or a secret: both are taken out last, whoever put them in.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from mailer.diagnosis.redact import redact
from mailer.settings import Settings

#: The ids that lines may carry, in this order.
IDS = ("request", "campaign", "chunk", "delivery")
#: Shorter secrets are words of other lines as often as not.
_SHORTEST = 6
_HIDDEN = "…"

_about: ContextVar[dict[str, int | str] | None] = ContextVar("about", default=None)


@contextmanager
def about(**ids: int | str) -> Iterator[None]:
    """Lines written in here are about these: `about(campaign=3, chunk=17)`."""
    token = _about.set({**(_about.get() or {}), **ids})
    try:
        yield
    finally:
        _about.reset(token)


def configure(settings: Settings) -> None:
    """Let the processes' lines look as `[log]` says; `--verbose` still tells more."""
    root = logging.getLogger()
    root.setLevel(min(root.level, logging.getLevelName(settings.log.level.upper())))
    secrets = _secrets(settings)
    for handler in root.handlers:
        handler.setFormatter(Lines(secrets, as_json=settings.log.format == "json"))
    for noisy in ("dramatiq", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Lines(logging.Formatter):
    """One record as one line, without addresses and secrets."""

    def __init__(self, secrets: Sequence[str], *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        ids = ids_of(record)
        if not self._as_json:
            told = self._clean(super().format(record))
            return told + "".join(f" {name}={value}" for name, value in ids.items())
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(record.getMessage()),
            **ids,
        }
        if record.exc_info:
            line["error"] = self._clean(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return redact(text)


def ids_of(record: logging.LogRecord) -> dict[str, object]:
    """What a record is about: its own `extra`, else what was said around it."""
    around = _about.get() or {}
    told = {name: getattr(record, name, around.get(name)) for name in IDS}
    return {name: value for name, value in told.items() if value is not None}


def _secrets(settings: Settings) -> list[str]:
    """Every secret of the settings, the longest first."""
    found = {*_inside(settings)}
    for url in (settings.database_url, settings.broker_url or ""):
        found.add(urlsplit(url).password or "")
    return sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)


def _inside(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _inside(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _inside(each)
