"""What processes say of their work: `[log]`."""

from __future__ import annotations

from typing import Literal

from mailer.section import Section


class LogSettings(Section):
    """The lines on standard error; never an address or a secret is in them."""

    #: `json`: one document a line, with the ids of request, campaign, chunk and delivery.
    format: Literal["text", "json"] = "text"
    #: How much is told.
    level: Literal["debug", "info", "warning", "error"] = "info"
