"""Relay dialects: what a service does to our mail, and what it must be told. Pure.

table     every service's row
guess     settings of a relay -> its dialect
dress     a dialect and the relay's settings -> headers, and where our token stands in them
    tell      a dialect in one line
"""

from mailer.delivery.dialects.dress import Dress, TokenHeader, dress_of
from mailer.delivery.dialects.guess import Known, dialect_of
from mailer.delivery.dialects.model import Dialect, Signs
from mailer.delivery.dialects.table import DIALECTS, SMTP

__all__ = [
    "DIALECTS",
    "SMTP",
    "Dialect",
    "Dress",
    "Known",
    "Signs",
    "TokenHeader",
    "dialect_of",
    "dress_of",
]
