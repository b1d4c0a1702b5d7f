"""Asking the DNS who takes a domain's mail."""

from __future__ import annotations

from typing import Protocol

import dns.exception
import dns.name
import dns.resolver

from mailer.errors import DnsUnavailable

#: How long one domain may take, in seconds.
LIFETIME = 3.0


class MxResolver(Protocol):
    """Tells the hosts that take a domain's mail, in lower case, the preferred ones first.

    None for a domain without any. Raises DnsUnavailable where nobody answers.
    """

    def hosts(self, domain: str) -> tuple[str, ...]:
        """The names of its mail hosts."""
        ...


class SystemResolver:
    """Asks the system's name servers, or the ones given (address, port)."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        self._server = server
        self._resolver: dns.resolver.Resolver | None = None

    def hosts(self, domain: str) -> tuple[str, ...]:
        """The hosts of a domain's MX records."""
        try:
            found = self._ready().resolve(domain, "MX", lifetime=LIFETIME, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong):
            return ()
        except (dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            return ()
        except dns.resolver.NoNameservers:
            # All answered, and none could tell (SERVFAIL): that is about this domain.
            return ()
        except (dns.exception.DNSException, OSError) as exc:
            raise DnsUnavailable(f"no name server answers: {exc}") from exc
        best_first = sorted(found, key=lambda record: record.preference)
        return tuple(record.exchange.to_text(omit_final_dot=True).lower() for record in best_first)

    def _ready(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            self._resolver = dns.resolver.Resolver(configure=self._server is None)
            if self._server is not None:
                self._resolver.nameservers = [self._server[0]]
                self._resolver.port = self._server[1]
        return self._resolver
