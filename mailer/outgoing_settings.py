"""How the user's own systems are told of news: `[outgoing]`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from mailer.section import Section


class OutgoingSettings(Section):
    """Webhooks that tell your own systems; `mailer webhooks out add` adds one."""

    #: Also to private addresses and without TLS: for systems on your own network.
    private: bool = False
    #: How long an endpoint may take to answer, in seconds.
    timeout: float = Field(default=10.0, gt=0)
    #: The waits between tries, in seconds; after the last one news are given up.
    retries: tuple[Annotated[float, Field(gt=0)], ...] = (
        5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0,
    )  # fmt: skip
    #: The longest an endpoint is left in peace after failures in a row, in seconds.
    rest_most: float = Field(default=300.0, gt=0)
    #: An endpoint that fails for so long is switched off, and the owner told.
    disable_after: timedelta = timedelta(days=3)
    #: So long what was told, or given up, may be replayed; then it is forgotten.
    keep: timedelta = timedelta(days=30)
    #: How often it is looked for news, in seconds.
    poll_seconds: float = Field(default=1.0, gt=0)
    #: After so long without a sign of life another process goes on, in seconds.
    lease_seconds: float = Field(default=60.0, gt=0)
