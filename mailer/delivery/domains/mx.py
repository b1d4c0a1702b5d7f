"""Asking the DNS who takes a domain's mail."""

from __future__ import annotations

from typing import Protocol

from mailer.errors import DnsBroken
from mailer.lookup import Dns


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
        self._dns = Dns(server)

    def hosts(self, domain: str) -> tuple[str, ...]:
        """The hosts of a domain's MX records."""
        try:
            return self._dns.mail_hosts(domain)
        except DnsBroken:
            # That is about this domain alone: the next one may be answered.
            return ()
