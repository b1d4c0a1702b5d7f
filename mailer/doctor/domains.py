"""The DNS of the domains that mail is from: SPF, DKIM, DMARC, MX and PTR."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mailer.campaign.schedule import is_loopback
from mailer.delivery.dialects import Dialect, Signs, dialect_of
from mailer.delivery.dkim_keys import records
from mailer.doctor import dmarc, spf
from mailer.doctor.model import Finding, error, ok, unknown, unless_dns_fails, warning
from mailer.doctor.spf import Address, Evaluation, SpfBroken
from mailer.errors import DnsBroken, DnsUnavailable
from mailer.lookup import Dns, Kind
from mailer.settings import DkimSettings, Settings
from mailer.zone import Record

_Look = Callable[[str, str], Finding]
#: Stands for whatever address: a record is walked to its end.
_NOBODY = ipaddress.IPv4Address("192.0.2.1")


@dataclass(frozen=True, kw_only=True)
class Domains:
    """What the looks need to know; `senders` are the From domains of the newsletters.

    `addresses` are those that mail leaves from, where they are known.
    """

    settings: Settings
    dns: Dns
    senders: Sequence[str]
    addresses: Sequence[Address] = ()

    def look(self) -> Iterator[Finding]:
        """All findings, domain by domain."""
        for domain in self.senders:
            yield from self._each(f"mail to {domain}", self._takes_mail, domain)
        for domain in dict.fromkeys(self._return_path(sender) for sender in self.senders):
            yield from self._each(f"SPF {domain}", self._spf, domain)
        yield from self._dkim()
        for domain in self.senders:
            yield from self._each(f"DMARC {domain}", self._dmarc, domain)
        if self.settings.inbound_domain:
            domain = self.settings.inbound_domain
            yield from self._each(f"MX {domain}", self._return_mx, domain)
        yield from self._ptr()

    def _each(self, what: str, look: _Look, domain: str) -> list[Finding]:
        return unless_dns_fails(what, lambda: [look(what, domain)])

    @property
    def _outward(self) -> list[str]:
        """The hosts of relays that are not on this machine."""
        hosts = [relay.host for relay in self.settings.every_relay.values()]
        return [host for host in hosts if not is_loopback(host)]

    @property
    def _dialects(self) -> list[Dialect]:
        return [dialect_of(relay).dialect for relay in self.settings.every_relay.values()]

    @property
    def _signing(self) -> DkimSettings | None:
        """The keys that sign, where any relay keeps what they sign."""
        keeps = any(dialect.keeps_our_signature for dialect in self._dialects)
        return self.settings.dkim if keeps else None

    @property
    def _keeps_return_path(self) -> bool:
        return any(dialect.keeps_return_path for dialect in self._dialects)

    @property
    def _relay_signs(self) -> bool:
        """Whether a relay is known to sign, by a key that is not known here."""
        return any(dialect.signs is not Signs.US for dialect in self._dialects)

    def _return_path(self, sender: str) -> str:
        """The domain of the envelope sender, where a relay keeps ours; else the relay knows."""
        return (self.settings.inbound_domain if self._keeps_return_path else None) or sender

    # -- SPF -------------------------------------------------------------------------------

    def _spf(self, what: str, domain: str) -> Finding:
        wanted = self._mechanisms()
        try:
            record = spf.record_of(domain, self.dns.ask)
            if record is None:
                return error(
                    what,
                    "there is no record: receivers can't tell your mail from a forger's",
                    "publish one",
                    _txt(domain, spf.with_mechanism(None, *(wanted or ["mx"]))),
                )
            walk = Evaluation(ask=self.dns.ask, address=_NOBODY)
            walk.result(domain)
            refused = [a for a in self.addresses if not self._passes(domain, a)]
        except SpfBroken as exc:
            return error(what, str(exc), "one record, of at most ten look-ups, is counted")
        if refused:
            told = ", ".join(str(address) for address in refused)
            more = [f"ip{address.version}:{address}" for address in refused]
            return error(
                what,
                f"{record} does not let {told} send",
                "add it",
                _txt(domain, spf.with_mechanism(record, *more)),
            )
        missing = [name for name in wanted if _included(name) not in [None, *walk.seen]]
        if missing:
            return warning(
                what,
                f"{record} lacks {' '.join(missing)}",
                "add it, unless the service has its own Return-Path domain",
                _txt(domain, spf.with_mechanism(record, *missing)),
            )
        if (too_open := spf.openness(record)) is not None:
            return warning(what, f"{record} {too_open}", "end it in ~all, or -all")
        if not self.addresses and not wanted and self._outward:
            return unknown(
                what,
                f"{record}; whether it covers {self._outward[0]} is not known here",
                "say --ip ADDRESS with an address it sends from",
            )
        return ok(what, record)

    def _passes(self, domain: str, address: Address) -> bool:
        return Evaluation(ask=self.dns.ask, address=address).result(domain) == "pass"

    def _mechanisms(self) -> list[str]:
        found = [spf.mechanism_of(host) for host in self._outward]
        return [*dict.fromkeys(mechanism for mechanism in found if mechanism)]

    # -- DKIM ------------------------------------------------------------------------------

    def _dkim(self) -> Iterator[Finding]:
        if self._signing is None:
            if self._outward or self._relay_signs:
                yield unknown(
                    "DKIM",
                    "Pressrun does not sign, so the relay must: its selector is not known here",
                    "see in a received mail that `d=` is the From address's domain"
                    + ("" if self.settings.dkim else ", or sign here: `mailer dkim new --add`"),
                )
            else:
                yield warning(
                    "DKIM",
                    "nobody signs, unless the relay does",
                    "`mailer dkim new --add` makes a key",
                )
            return
        for record in records(self._signing):
            what = f"DKIM {record.name.partition('._domainkey.')[0]}"
            yield from unless_dns_fails(what, partial(self._key, what, record))

    def _key(self, what: str, ours: Record) -> list[Finding]:
        return [self._published(what, ours)]

    def _published(self, what: str, ours: Record) -> Finding:
        found = self.dns.ask(ours.name, "TXT")
        keys = [_tags(text) for text in found if "p" in _tags(text)]
        if not keys:
            return error(what, f"{ours.name} has no key", "publish it", ours)
        if len(keys) > 1:
            return error(what, f"{ours.name} has {len(keys)} keys", "leave this one alone", ours)
        [told] = keys
        if told["p"] == "":
            return error(what, f"{ours.name} says that the key is revoked", "publish it", ours)
        if told["p"] != _tags(ours.value)["p"]:
            return error(
                what,
                f"{ours.name} has another key than ours: every signature fails",
                "publish this one, or set rsa_key to the file it belongs to",
                ours,
            )
        if told.get("k", "rsa") != _tags(ours.value)["k"]:
            return error(what, f"{ours.name} names the wrong kind of key", "publish it", ours)
        if "y" in told.get("t", "").split(":"):
            return warning(what, f"{ours.name} says t=y: only a test", "take out t=y", ours)
        return ok(what, f"{ours.name} has our key")

    # -- DMARC -----------------------------------------------------------------------------

    def _dmarc(self, what: str, domain: str) -> Finding:
        if dmarc.several_at(domain, self.dns.ask):
            return error(what, "there are several records, so none counts", "leave one of them")
        policy = dmarc.policy_for(domain, self.dns.ask)
        if policy is None:
            return error(
                what,
                "there is no policy: Gmail and Yahoo want one of whoever mails many",
                "publish one",
                _txt(f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"),
            )
        told = f"p={policy.policy}" + ("" if policy.domain == domain else f" of {policy.domain}")
        signs = self._signing.domain if self._signing else None
        by_dkim = signs is not None and dmarc.aligned(
            domain, signs, strict=policy.strict("adkim"), ask=self.dns.ask
        )
        by_spf = self._keeps_return_path and dmarc.aligned(
            domain, self._return_path(domain), strict=policy.strict("aspf"), ask=self.dns.ask
        )
        if signs is not None and not by_dkim:
            return error(
                what,
                f"{told}; our signature is by {signs}, which is not aligned",
                f"sign for the From address: `mailer dkim new --domain {domain}`",
            )
        if not (by_dkim or by_spf or self._relay_signs):
            return error(
                what,
                f"{told}; the Return-Path is in {self._return_path(domain)}, not aligned,"
                " and we do not sign",
                f"`mailer dkim new --domain {domain}`, or let the relay sign for {domain}",
            )
        if "rua" not in policy.tags:
            return warning(
                what,
                f"{told}, and nobody is told of mail that fails",
                "add where reports go",
                _txt(f"_dmarc.{policy.domain}", _with_reports(policy, domain)),
            )
        if signs is None and (self._outward or self._relay_signs):
            return unknown(
                what,
                f"{told}; it is met where the relay signs for {domain}, as `d=` of a mail shows",
            )
        ways = [name for name, so in (("DKIM", by_dkim), ("SPF", by_spf)) if so]
        return ok(what, f"{told}, aligned by {' and '.join(ways)}")

    # -- where mail goes and comes from ----------------------------------------------------

    def _takes_mail(self, what: str, domain: str) -> Finding:
        """The From domain must take mail: receivers ask for it, and people answer."""
        hosts = self.dns.mail_hosts(domain)
        if hosts == ("",):
            return error(what, "says that it takes none (null MX)", "answers and bounces are lost")
        if hosts:
            return ok(what, f"goes to {hosts[0]}")
        if self.dns.ask(domain, "A") or self.dns.ask(domain, "AAAA"):
            return warning(what, "goes to its web server, for want of an MX", "publish an MX")
        return error(what, "goes nowhere: many refuse mail from such a domain", "publish an MX")

    def _return_mx(self, what: str, domain: str) -> Finding:
        host = self.settings.public_url.partition("://")[2].partition(":")[0]
        wanted = Record(name=domain, kind="MX", value=f"10 {host}.")
        hosts = self.dns.mail_hosts(domain)
        if not hosts or hosts == ("",):
            return error(
                what, "bounces have nowhere to go", "publish the host that takes them", wanted
            )
        lost = [h for h in hosts if not (self.dns.ask(h, "A") or self.dns.ask(h, "AAAA"))]
        if lost:
            return error(what, f"{lost[0]} has no address", f"publish an A record for {lost[0]}")
        return ok(what, f"bounces go to {hosts[0]}")

    def _ptr(self) -> Iterator[Finding]:
        if not self.addresses:
            yield unknown(
                "PTR",
                "the addresses that mail leaves from are not known here"
                + (f"; who runs {self._outward[0]} sees to it" if self._outward else ""),
                "say --ip ADDRESS to have one looked up",
            )
        for address in self.addresses:
            yield from self._each(f"PTR {address}", self._named, str(address))

    def _named(self, what: str, address: str) -> Finding:
        names = self.dns.names(address)
        if not names:
            return error(
                what,
                "has no name: Gmail and others refuse mail from it",
                "ask who gave you the address to name it after your mail server",
            )
        kind: Kind = "A" if ":" not in address else "AAAA"
        wanted = ipaddress.ip_address(address)
        for name in names:
            if wanted in [ipaddress.ip_address(found) for found in self.dns.ask(name, kind)]:
                return ok(what, f"is {name}, and {name} is {address}")
        return error(
            what,
            f"is {names[0]}, but {names[0]} is not {address}",
            "publish it",
            Record(name=names[0], kind=kind, value=address),
        )


def own_addresses(settings: Settings, dns: Dns) -> list[Address]:
    """The public addresses of this machine, by its public URL, where mail leaves from it."""
    if not all(is_loopback(relay.host) for relay in settings.every_relay.values()):
        return []
    host = settings.public_url.partition("://")[2].partition(":")[0]
    try:
        found = [*dns.ask(host, "A"), *dns.ask(host, "AAAA")]
    except (DnsUnavailable, DnsBroken):
        return []
    return [address for a in found if (address := ipaddress.ip_address(a)).is_global]


def _included(mechanism: str) -> str | None:
    name, _, domain = mechanism.partition(":")
    return domain if name == "include" else None


def _txt(name: str, value: str) -> Record:
    return Record(name=name, kind="TXT", value=value)


def _with_reports(policy: dmarc.Policy, domain: str) -> str:
    tags = {"v": "DMARC1", **policy.tags, "rua": f"mailto:postmaster@{domain}"}
    return "; ".join(f"{name}={value}" for name, value in tags.items())


def _tags(text: str) -> dict[str, str]:
    """The tags of a DKIM key record (RFC 6376 section 3.6.1)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs if name.strip()}
