"""Ghost: the CSV of the Members page; `subscribed_to_emails` is false for those who left."""

from __future__ import annotations

from subscribers.attribute.model import Kind
from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread
from subscribers.transfer.standing import ACTIVE, UNSUBSCRIBED, words

GHOST = Profile(
    name="ghost",
    title="Ghost",
    marks=marks("email subscribedtoemails", "email complimentaryplan stripecustomerid"),
    columns=spread(
        {
            "email": "email",
            "name": "name",
            "status": "subscribedtoemails",
            "joined_at": "createdat",
            "tags": "labels",
            "note": "note",
            "complimentary_plan": "complimentaryplan",
            "stripe_customer_id": "stripecustomerid",
            "tiers": "tiers products",
            IGNORED: "id deletedat giftid",
        }
    ),
    statuses=words({"true": ACTIVE, "false": UNSUBSCRIBED}),
    kinds={"complimentary_plan": Kind.BOOLEAN, "tiers": Kind.LIST},
)
