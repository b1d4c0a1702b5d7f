"""A request to subscribe, and how many are taken."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.address import Address

_V4_PREFIX, _V6_PREFIX = 24, 48
UNKNOWN_NETWORK = "unknown"


class Asked(StrEnum):
    """What came of asking; it depends on the network alone, never on the address."""

    #: Kept, to be looked at.
    KEPT = "kept"
    #: This network has asked too often.
    TOO_MANY = "too many"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many requests are taken, and how often an address is asked to confirm.

    `per_network` requests of a network an hour. One confirmation an `every` to an address, and
    `per_day` of them: nobody's mailbox can be flooded through a form.
    """

    per_network: int = 30
    every: timedelta = timedelta(hours=1)
    per_day: int = 5


@dataclass(frozen=True, kw_only=True)
class Signup:
    """A request as it came in.

    `form` is the path it came from, `words` what stood beside the button, `network` the first
    part of the sender's IP address. `is_machine`: it filled in what people do not see.
    """

    newsletter_id: int
    address: Address
    form: str
    words: str
    network: str
    language: str | None = None
    is_machine: bool = False


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A request that nobody has looked at yet; `address` is as it was typed."""

    id: int
    newsletter_id: int
    address: str
    form: str
    words: str
    network: str
    language: str | None
    received_at: datetime


def network_of(host: str | None) -> str:
    """The network of an IP address, too wide to tell one person: /24, or /48 of IPv6."""
    try:
        ip = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return UNKNOWN_NETWORK
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    prefix = _V4_PREFIX if ip.version == 4 else _V6_PREFIX
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))


def next_mail(sent: list[datetime], *, now: datetime, limits: Limits) -> datetime | None:
    """When an address may be asked to confirm again, given when it was or will be; None: not today.

    `sent` holds the last day's.
    """
    if len(sent) >= limits.per_day:
        return None
    return max([now, *(at + limits.every for at in sent)])
