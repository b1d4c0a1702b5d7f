"""Form bodies, told by how they begin: url-encoded or multipart (RFC 7578), text fields alone."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from mailer.webhooks.model import WebhookUnreadable

MAX_FIELDS = 1_000
_NAME = re.compile(rb'form-data;[^\r\n]*?\bname="([^"\r\n]*)"', re.IGNORECASE)


def read_form(body: bytes) -> list[tuple[str, str]]:
    """Read names and values in their order; raises WebhookUnreadable."""
    try:
        if body.startswith(b"--"):
            return _multipart(body)
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as exc:
        raise WebhookUnreadable(f"not a form: {exc}") from exc


def _multipart(body: bytes) -> list[tuple[str, str]]:
    boundary = body.partition(b"\r\n")[0]
    parts = (b"\r\n" + body).split(b"\r\n" + boundary)
    if len(parts) > MAX_FIELDS + 2:
        raise WebhookUnreadable(f"more than {MAX_FIELDS} fields")
    if not parts[-1].startswith(b"--"):
        raise WebhookUnreadable("not a form: it is cut off")
    fields: list[tuple[str, str]] = []
    for part in parts[1:-1]:
        head, found, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not found or name is None:
            raise WebhookUnreadable("not a form: a part has no name")
        fields.append((name[1].decode("utf-8"), value.decode("utf-8")))
    return fields


def first(fields: list[tuple[str, str]], name: str) -> str:
    """The first value of a field, or nothing."""
    return next((value for given, value in fields if given == name), "")


def last(fields: list[tuple[str, str]], name: str) -> str:
    """The last value of a field, or nothing."""
    return first(fields[::-1], name)
