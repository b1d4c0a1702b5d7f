"""listmonk: the CSV of the Subscribers page; `attributes` is a JSON object of one's own fields.

The status is the person's, not the list's: "enabled" says nothing of who has left a list, which is
why those are exported by themselves and imported with a status of their own.
"""

from __future__ import annotations

from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread
from subscribers.transfer.standing import BLOCKED, SAYS_NOTHING, UNSUBSCRIBED, words

LISTMONK = Profile(
    name="listmonk",
    title="listmonk",
    marks=marks("uuid email attributes status"),
    columns=spread(
        {
            "email": "email",
            "name": "name",
            "attributes": "attributes",
            "status": "status",
            "joined_at": "createdat",
            IGNORED: "uuid updatedat",
        }
    ),
    statuses=words(
        {"enabled": SAYS_NOTHING, "disabled": UNSUBSCRIBED, "blocklisted blacklisted": BLOCKED}
    ),
)
