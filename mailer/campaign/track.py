"""What stands in counted links and the pixel: one token, of a copy or of a whole campaign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from subscribers.token import Keyring, Scope, make, read

#: A token holds 64 bits: the campaign's id in the upper 24, the delivery's in the lower 40. With
#: both in it a link is found without asking the database who was sent what.
_DELIVERY_BITS = 40
_NOBODY = 0


@dataclass(frozen=True, kw_only=True)
class Track:
    """Where a link was followed from; `delivery_id` None: from no particular copy."""

    campaign_id: int
    delivery_id: int | None


def click_url(public_url: str, keyring: Keyring, campaign_id: int, delivery_id: int = 0) -> str:
    """What a number is appended to; without a delivery it is the same in all copies."""
    assert 0 <= delivery_id < 1 << _DELIVERY_BITS
    number = campaign_id << _DELIVERY_BITS | delivery_id
    return f"{public_url.rstrip('/')}/c/{make(keyring, Scope.CLICK, number)}"


def read_track(keyring: Keyring, token: str, *, now: datetime) -> Track:
    """Where a token is from; raises TokenInvalid."""
    number = read(keyring, Scope.CLICK, token, now=now)
    delivery_id = number & ((1 << _DELIVERY_BITS) - 1)
    return Track(
        campaign_id=number >> _DELIVERY_BITS,
        delivery_id=None if delivery_id == _NOBODY else delivery_id,
    )
