"""`mailer doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer

from mailer.cli.campaign_options import Json
from mailer.cli.output import FAILED, MISTAKE, emit_json, fail, out, say
from mailer.cli.runtime import Runtime, read_keys, runtime
from mailer.doctor.examine import examine
from mailer.doctor.model import Finding, Status
from mailer.errors import KeysMissing

_COLOUR = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.ERROR: "bold red",
    Status.UNKNOWN: "dim",
}


def doctor(
    ip: Annotated[
        list[str] | None,
        typer.Option(help="An address that mail leaves from; else guessed. May come again."),
    ] = None,
    dns_server: Annotated[
        str | None,
        typer.Option(help="Ask this name server (ADDRESS or ADDRESS:PORT), not the system's."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that mail depends on, and say what is wrong and how to mend it.

    Database, keys, broker, relays, clocks, the public URL and one-click unsubscribe, webhooks,
    and the DNS: SPF, DKIM, DMARC, MX and PTR, with the very records to publish. It changes
    nothing. What can't be looked up from here is told so, and is no error.

    Examples: `mailer doctor`, `mailer doctor --ip 203.0.113.7 --dns-server 9.9.9.9 --json`
    """
    here = runtime()
    try:
        addresses = [ipaddress.ip_address(one) for one in ip or []]
    except ValueError as exc:
        fail(f"--ip: {exc}; write it like 203.0.113.7 or 2001:db8::7", code=MISTAKE)
    findings = examine(
        here.settings,
        here.unchecked_database,
        _keys(here),
        name_server=_server(dns_server) if dns_server else None,
        addresses=addresses,
    )
    seen = Counter(_emit(findings) if as_json else _tell(findings))
    if seen[Status.ERROR] or (strict and seen[Status.WARNING]):
        raise typer.Exit(FAILED)


def _keys(here: Runtime) -> str | KeysMissing:
    try:
        return read_keys(here.settings)
    except KeysMissing as exc:
        return exc


def _server(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or ":" in host:  # an IPv6 address has colons of its own
        host, port = text, "53"
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        fail(f"--dns-server: {text!r} is no address; write it like 9.9.9.9", code=MISTAKE)


def _emit(findings: Iterator[Finding]) -> list[Status]:
    found = [*findings]
    emit_json(
        [
            {
                "what": each.what,
                "status": each.status,
                "words": each.words,
                "remedy": each.remedy,
                "publish": [
                    {"name": r.name, "type": r.kind, "value": r.value, "line": str(r)}
                    for r in each.publish
                ],
            }
            for each in found
        ]
    )
    return [each.status for each in found]


def _tell(findings: Iterator[Finding]) -> Iterator[Status]:
    told: Counter[Status] = Counter()
    for each in findings:
        told[each.status] += 1
        out.print(f"{each.status:8}", style=_COLOUR[each.status], end=" ", markup=False)
        say(f"{each.what}: {each.words}")
        if each.remedy:
            say(f"{'':8}   {each.remedy}")
        for record in each.publish:
            say(f"{'':8}   publish: {record}")
        yield each.status
    say()
    words = {
        Status.ERROR: "to mend",
        Status.WARNING: "to look at",
        Status.UNKNOWN: "not looked up",
        Status.OK: "well",
    }
    say(", ".join(f"{told[status]} {words[status]}" for status in words if told[status]))
