"""SMTP by phase: the one place that knows aiosmtplib and the wire."""

from mailer.delivery.smtp.commands import Capabilities
from mailer.delivery.smtp.connection import Connection
from mailer.delivery.smtp.transaction import Way
from mailer.delivery.smtp.verdict import Handed

__all__ = ["Capabilities", "Connection", "Handed", "Way"]
