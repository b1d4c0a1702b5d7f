"""What the setting `dialect` of a relay may be; `mailer.delivery.dialects` says what each is."""

from __future__ import annotations

from typing import Literal

DialectName = Literal[
    "smtp",
    "ses",
    "postmark",
    "sendgrid",
    "mailgun",
    "sparkpost",
    "brevo",
    "mailjet",
    "resend",
]
