"""SPF (RFC 7208): whether a domain lets an address send, and what to publish so that it does.

Pure, given a function that asks the DNS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailer.lookup import Kind

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Ask = Callable[[str, Kind], Sequence[str]]

#: Section 4.6.4: more mechanisms that need the DNS are an error for good.
MOST_LOOKUPS = 10
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_FAMILY: dict[int, Kind] = {4: "A", 6: "AAAA"}


class SpfBroken(Exception):
    """The record is an error for good (permerror); says why."""


def record_of(domain: str, ask: Ask) -> str | None:
    """The SPF record of a domain; raises SpfBroken where there is more than one."""
    found = [
        text
        for text in ask(domain, "TXT")
        if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")
    ]
    if len(found) > 1:
        raise SpfBroken(f"{domain} publishes {len(found)} SPF records; there may be one")
    return found[0] if found else None


@dataclass
class Evaluation:
    """One walk through a domain's record and those it includes, for one address.

    `seen` are the domains whose records were read, `lookups` is what the walk cost: its limit
    ends a record that includes itself, too.
    """

    ask: Ask
    address: Address
    lookups: int = 0
    seen: list[str] = field(default_factory=list)

    def result(self, domain: str) -> str:
        """`pass`, `fail`, `softfail`, `neutral` or `none`; raises SpfBroken."""
        record = record_of(domain, self.ask)
        if record is None:
            return "none"
        self.seen.append(domain)
        redirect = ""
        for term in record.split()[1:]:
            name, separator, value = term.partition("=")
            if separator and ":" not in name and "/" not in name:
                redirect = value if name.lower() == "redirect" else redirect
                continue
            qualifier, mechanism = (term[0], term[1:]) if term[0] in _QUALIFIERS else ("+", term)
            if self._matches(mechanism, domain):
                return _QUALIFIERS[qualifier]
        if redirect:
            self._count()
            return self._included(redirect)
        return "neutral"

    def _matches(self, mechanism: str, domain: str) -> bool:
        name, _, value = mechanism.partition(":")
        name, slash, length = name.partition("/")
        name = name.lower()
        if name == "all":
            return True
        if name in ("ip4", "ip6"):
            return self._is_in(value, mechanism)
        if name not in ("a", "mx", "include", "exists", "ptr"):
            raise SpfBroken(f"{domain} says {mechanism!r}, which is no mechanism")
        self._count()
        if name == "include":
            return self._included(value) == "pass"
        if name in ("exists", "ptr"):
            # What they match depends on more than the address; nobody's own record needs them.
            return False
        target, more, told = value.partition("/")
        return self._is_host(name, target or domain, f"{more or slash}{told or length}")

    def _is_host(self, name: str, target: str, lengths: str) -> bool:
        """`lengths` is what may follow a name: nothing, `/24`, `//64` or `/24//64`."""
        hosts = [target]
        if name == "mx":
            hosts = [record.partition(" ")[2] for record in self.ask(target, "MX")][:10]
        of4, _, of6 = lengths.partition("//")
        length = (of4.lstrip("/") or "32") if self.address.version == 4 else (of6 or "128")
        return any(
            self._is_in(f"{found}/{length}", f"{name}:{target}")
            for host in hosts
            for found in self.ask(host, _FAMILY[self.address.version])
        )

    def _is_in(self, network: str, told: str) -> bool:
        try:
            return self.address in ipaddress.ip_network(network, strict=False)
        except ValueError as exc:
            raise SpfBroken(f"{told!r} names no network") from exc

    def _included(self, domain: str) -> str:
        if "%" in domain:  # a macro: what it leads to depends on the sender
            return "neutral"
        result = self.result(domain)
        if result == "none":
            raise SpfBroken(f"{domain} is included and publishes no SPF record")
        return result

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise SpfBroken(f"it needs more than {MOST_LOOKUPS} look-ups, which nobody does")


#: What services want in the record of the domain their mail is from, by the relay's host.
SERVICES = {
    ".amazonaws.com": "include:amazonses.com",
    "smtp.resend.com": "include:amazonses.com",
    "smtp.sendgrid.net": "include:sendgrid.net",
    "smtp.postmarkapp.com": "include:spf.mtasv.net",
    ".mailgun.org": "include:mailgun.org",
    ".sparkpostmail.com": "include:sparkpostmail.com",
    "smtp-relay.brevo.com": "include:spf.brevo.com",
    "in-v3.mailjet.com": "include:spf.mailjet.com",
    "smtp.mandrillapp.com": "include:spf.mandrillapp.com",
    "smtp.mailersend.net": "include:_spf.mailersend.net",
    "smtp-relay.gmail.com": "include:_spf.google.com",
    "smtp.gmail.com": "include:_spf.google.com",
    "smtp.office365.com": "include:spf.protection.outlook.com",
}


def mechanism_of(relay_host: str) -> str | None:
    """What a well-known service wants in the record; None for a relay that is not one."""
    host = relay_host.lower().rstrip(".")
    return next(
        (told for name, told in SERVICES.items() if host == name or host.endswith(name)), None
    )


def with_mechanism(record: str | None, *mechanisms: str) -> str:
    """A record that lets these send as well: before what it says of all others."""
    terms = record.split() if record else ["v=spf1", "~all"]
    new = [mechanism for mechanism in mechanisms if mechanism not in terms]
    ends = [
        number
        for number, term in enumerate(terms)
        if term.lower().lstrip("+-~?") == "all" or term.lower().startswith("redirect=")
    ]
    end = ends[0] if ends else len(terms)
    return " ".join([*terms[:end], *new, *terms[end:]])


def openness(record: str) -> str | None:
    """What is wrong with whom a record lets send; None where nothing is."""
    terms = [term.lower() for term in record.split()[1:]]
    if "+all" in terms or "all" in terms:
        return "lets everybody send (+all)"
    if not any(term in ("-all", "~all", "?all") or term.startswith("redirect=") for term in terms):
        return "does not say what of all others: it should end in ~all"
    return "says nothing of all others (?all)" if "?all" in terms else None
