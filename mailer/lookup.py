"""The only DNS client: what stands in the DNS, as text."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from mailer.errors import DnsBroken, DnsUnavailable

Kind = Literal["A", "AAAA", "MX", "NS", "PTR", "TXT"]

#: How long one question may take, in seconds.
LIFETIME = 3.0


class Dns:
    """Asks the system's name servers, or the one given (address, port).

    With `remember` no question is put twice, and none after one that nobody answered: for a
    look that is over in seconds.
    """

    def __init__(self, server: tuple[str, int] | None = None, *, remember: bool = False) -> None:
        self._server = server
        self._known: dict[tuple[str, Kind], tuple[str, ...]] | None = {} if remember else None
        self._silence: DnsUnavailable | None = None
        self._resolver: dns.resolver.Resolver | None = None

    def ask(self, name: str, kind: Kind) -> tuple[str, ...]:
        """The records of a name: TXT as whole strings, MX as "preference host", best first.

        Nothing where there are none, or no such name. Raises DnsUnavailable where no server
        answers, and DnsBroken where they do and can't tell (SERVFAIL).
        """
        if self._known is None:
            return self._ask(name, kind)
        if self._silence is not None:
            raise self._silence
        if (name, kind) not in self._known:
            try:
                self._known[name, kind] = self._ask(name, kind)
            except DnsUnavailable as exc:
                self._silence = exc
                raise
        return self._known[name, kind]

    def _ask(self, name: str, kind: Kind) -> tuple[str, ...]:
        try:
            found = self._ready().resolve(name, kind, lifetime=LIFETIME, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong):
            return ()
        except (dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            return ()
        except dns.resolver.NoNameservers as exc:
            raise DnsBroken(f"{name}: its name servers answer with an error ({kind})") from exc
        except (dns.exception.DNSException, OSError) as exc:
            raise DnsUnavailable(f"no name server answers: {exc}") from exc
        if kind == "TXT":
            return tuple(b"".join(record.strings).decode("latin-1") for record in found)
        if kind == "MX":
            best_first = sorted(found, key=lambda record: record.preference)
            return tuple(f"{mx.preference} {_host(mx.exchange)}" for mx in best_first)
        return tuple(record.to_text().rstrip(".").lower() for record in found)

    def expect_the_world(self) -> None:
        """Take a server that does not know the root (behind a portal, in a sandbox) for none."""
        with suppress(DnsUnavailable, DnsBroken):
            if not self.ask(".", "NS"):
                self._silence = DnsUnavailable("the name server here knows nothing of the internet")

    def mail_hosts(self, domain: str) -> tuple[str, ...]:
        """The hosts of a domain's MX records, best first; "" stands for "no mail here"."""
        return tuple(record.partition(" ")[2] for record in self.ask(domain, "MX"))

    def names(self, address: str) -> tuple[str, ...]:
        """The names of an IP address (PTR); raises as `ask` does."""
        return self.ask(dns.reversename.from_address(address).to_text(), "PTR")

    def _ready(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            try:
                self._resolver = dns.resolver.Resolver(configure=self._server is None)
            except dns.exception.DNSException as exc:
                raise DnsUnavailable(f"no name server is known: {exc}") from exc
            if self._server is not None:
                self._resolver.nameservers = [self._server[0]]
                self._resolver.port = self._server[1]
        return self._resolver


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().removeprefix(".")
