"""A name server on loopback that knows the MX records it is told."""

from __future__ import annotations

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """Answers MX questions over UDP; domains it does not know don't exist (NXDOMAIN)."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        """`records`: `{"corp.net": ["10 mx.corp.net."]}`; an empty list has no MX."""
        self.asked: list[str] = []
        self._records = records
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
        if domain not in self._records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self._records[domain]:
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "MX", *records))
        return answer.to_wire()
