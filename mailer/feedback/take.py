"""A raw message is kept before anybody is told that we have it; a worker applies it later."""

from __future__ import annotations

import hashlib
from datetime import datetime

from mailer.feedback import queries
from mailer.feedback.mail_report import MAIL
from mailer.feedback.model import Arrived
from subscribers.database import Database


def take(database: Database, message: bytes, *, recipient: str = "", now: datetime) -> bool:
    """Keep a message, durable on return; False where we have it already.

    `recipient` is whom the SMTP dialogue named, and stands in a field above the message, as
    servers write it. Raises DatabaseUnavailable, DatabaseBusy or DatabaseFull: then the
    message must stay where it was.
    """
    delivered = f"Delivered-To: {recipient}\r\n".encode() if recipient else b""
    content = delivered + message
    arrived = Arrived(
        provider=MAIL,
        request_id=hashlib.sha256(content).hexdigest(),
        received_at=now,
        body=content,
    )
    with database.write() as session:
        return queries.keep_requests(session, [arrived])[0]
