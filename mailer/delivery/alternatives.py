"""The body of a message: plain text and HTML as multipart/alternative (RFC 2046 section 5.1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.delivery.personalise import Program, compile_body
from mailer.delivery.values import RecipientValues
from mailer.render.model import Rendering


@dataclass(frozen=True, kw_only=True)
class Alternatives:
    """The two alternatives, and what stands before, between and after them."""

    text: Program
    html: Program
    opening: bytes
    middle: bytes
    closing: bytes

    def fill(self, values: RecipientValues) -> bytes:
        """The body for one recipient: it is its own relaxed canonical form."""
        return b"".join(
            (
                self.opening,
                self.text.fill(values.in_body, values.truths),
                self.middle,
                self.html.fill(values.in_body, values.truths),
                self.closing,
            )
        )


def compile_alternatives(rendering: Rendering, boundary: str) -> Alternatives:
    """Compile text and HTML of a rendering.

    `boundary` starts with `=_`, which occurs in no quoted-printable text, nor `_` in base64: no
    part can hold it. Raises RenderingFailed where the rendering is damaged.
    """
    slots, conditions, nonce = rendering.slots, rendering.conditions, rendering.nonce
    text = compile_body(rendering.text, slots, conditions, nonce=nonce)
    html = compile_body(rendering.html, slots, conditions, nonce=nonce)
    return Alternatives(
        text=text,
        html=html,
        opening=_part(boundary, "text/plain", text),
        middle=b"\r\n" + _part(boundary, "text/html", html),
        closing=f"\r\n--{boundary}--\r\n".encode("ascii"),
    )


def _part(boundary: str, kind: str, program: Program) -> bytes:
    return (
        f"--{boundary}\r\n"
        f"Content-Type: {kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {program.encoding}\r\n\r\n"
    ).encode("ascii")
