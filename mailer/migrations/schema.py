"""Every module with tables, so that the one MetaData is whole."""

from __future__ import annotations

from mailer.campaign import tables as campaign_tables
from mailer.delivery import tables as delivery_tables
from mailer.feedback import tables as feedback_tables
from subscribers import tables as people_tables
from subscribers.outbox import tables as outbox_tables
from subscribers.signup import tables as signup_tables

MODULES = (
    people_tables,
    signup_tables,
    outbox_tables,
    campaign_tables,
    delivery_tables,
    feedback_tables,
)
