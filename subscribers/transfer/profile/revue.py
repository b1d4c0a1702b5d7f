"""Revue, closed in January 2023: the zip its authors have left, with CSV files of subscribers.

The files say by their names who had left; each has addresses, names and a date.
"""

from __future__ import annotations

from subscribers.model import Status
from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread

REVUE = Profile(
    name="revue",
    title="Revue",
    marks=marks("email firstname lastname createdat", "email firstname lastname lastchanged"),
    columns=spread(
        {
            "email": "email",
            "first_name": "firstname",
            "last_name": "lastname",
            "joined_at": "createdat subscribedat",
            "left_at": "unsubscribedat",
            "status": "status",
            IGNORED: "id listid lastchanged",
        }
    ),
    files={
        "unsubscribe": Status.UNSUBSCRIBED,
        "bounce": Status.BOUNCED,
        "subscriber": Status.ACTIVE,
    },
    alone=True,
)
