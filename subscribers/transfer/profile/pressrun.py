"""What `mailer subscribers export` writes, as CSV and as JSON lines."""

from __future__ import annotations

from subscribers.transfer.profile.model import Profile, Rest, marks

_COLUMNS = ("email", "name", "language", "timezone", "tags", "status", "joined_at", "left_at")

PRESSRUN = Profile(
    name="pressrun",
    title="Pressrun",
    marks=marks("email name language timezone tags status joinedat leftat"),
    columns={name.replace("_", ""): name for name in (*_COLUMNS, "attributes", "consents")},
    rest=Rest.ATTRIBUTE,
    whole=True,
)
