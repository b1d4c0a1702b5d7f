"""A name server on loopback that knows the records it is told."""

from __future__ import annotations

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers questions over UDP; names it does not know don't exist (NXDOMAIN)."""

    def __init__(
        self,
        records: dict[str, list[str]] | None = None,
        zone: dict[tuple[str, str], list[str]] | None = None,
    ) -> None:
        """`records` are MX: `{"corp.net": ["10 mx.corp.net."]}`; an empty list has none.

        `zone` has any kind: `{("corp.net", "TXT"): ['"v=spf1 -all"']}`; "SERVFAIL" alone is that.
        """
        self.asked: list[str] = []
        self.zone = {(name, "MX"): texts for name, texts in (records or {}).items()}
        self.zone |= zone or {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # An empty packet is the word to stop.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self.address)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, client = self._socket.recvfrom(4096)
            if not packet:
                return
            self._socket.sendto(self._answer(packet), client)

    def _answer(self, packet: bytes) -> bytes:
        question = dns.message.from_wire(packet)
        name = question.question[0].name
        domain = name.to_text(omit_final_dot=True).lower()
        self.asked.append(domain)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        texts = self.zone.get((domain, kind), [])
        if texts == ["SERVFAIL"]:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif texts:
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *texts))
        elif not any(known == domain or known.endswith(f".{domain}") for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()
