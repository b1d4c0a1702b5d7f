"""Images inside a message: multipart/related around the alternatives (RFC 2387)."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Mapping
from dataclasses import replace

from mailer.delivery.alternatives import Alternatives
from mailer.errors import RenderingFailed
from mailer.render.images import content_id, media_type


def content_type(boundary: str, *, embeds: bool) -> bytes:
    """The value of a message's Content-Type."""
    if embeds:
        return (
            f'multipart/related; type="multipart/alternative";\r\n boundary="{_outer(boundary)}"'
        ).encode("ascii")
    return f'multipart/alternative; boundary="{boundary}"'.encode("ascii")


def embed(body: Alternatives, boundary: str, images: Mapping[str, bytes | None]) -> Alternatives:
    """The alternatives with images behind them, by name.

    Raises RenderingFailed where an image is gone: copies would show holes.
    """
    outer = _outer(boundary)
    opening = (
        f'--{outer}\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    ).encode("ascii")
    parts = [_part(name, content, outer) for name, content in images.items()]
    closing = f"--{outer}--\r\n".encode("ascii")
    return replace(
        body,
        opening=opening + body.opening,
        closing=body.closing + b"\r\n" + b"".join(parts) + closing,
    )


def _outer(boundary: str) -> str:
    # `=_` is in no base64 and no quoted-printable, and no boundary is the start of the other's.
    return f"=_related{boundary}"


def _part(name: str, content: bytes | None, outer: str) -> bytes:
    if content is None:
        raise RenderingFailed(f"the image {name} is gone; schedule the issue again")
    head = (
        f"--{outer}\r\n"
        f"Content-Type: {media_type(name)}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{content_id(name)}>\r\n"
        f'Content-Disposition: inline; filename="{name}"\r\n\r\n'
    ).encode("ascii")
    return head + encodebytes(content).replace(b"\n", b"\r\n") + b"\r\n"
