"""Kit, once ConvertKit: the CSV of the Subscribers page; custom fields have their own names.

"inactive" never confirmed, where elsewhere it means that somebody left; "cold" still gets mail.
"""

from __future__ import annotations

from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread
from subscribers.transfer.standing import (
    ACTIVE,
    BOUNCED,
    COMPLAINED,
    PENDING,
    UNSUBSCRIBED,
    words,
)

KIT = Profile(
    name="kit",
    title="Kit (ConvertKit)",
    marks=marks(
        "firstname emailaddress state",
        "firstname email state createdat",
        "id firstname email status createdat",
        "id firstname emailaddress status createdat",
    ),
    columns=spread(
        {
            "email": "email emailaddress",
            "first_name": "firstname",
            "last_name": "lastname",
            "status": "state status",
            "joined_at": "createdat subscribedat",
            "left_at": "cancelledat canceledat",
            "tags": "tags",
            "referrer_url": "referrer",
            IGNORED: "id",
        }
    ),
    statuses=words(
        {
            "active confirmed cold": ACTIVE,
            "inactive unconfirmed": PENDING,
            "cancelled canceled": UNSUBSCRIBED,
            "bounced": BOUNCED,
            "complained": COMPLAINED,
        }
    ),
)
