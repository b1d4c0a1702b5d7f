"""Mail addresses: read strictly once, compared by one key ever after.

What is refused here can't reach an envelope or a header: no control or invisible character,
no comment, no quoted local part (`"a b"@…` is legal and, in practice, an attack), no
address literal.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import idna

from subscribers.errors import AddressInvalid

#: RFC 5321 section 4.5.3.1: octets, in UTF-8; a path's 256 include its angle brackets.
MAX_LOCAL = 64
MAX_DOMAIN = 253
MAX_ADDRESS = 254

# RFC 5321 Atom, RFC 6531 adds everything beyond ASCII.
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+\Z")
_HOSTNAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")
# What nearly all addresses look like in lower case: nothing in it needs a closer look.
_PLAIN = re.compile(
    r"([a-z0-9_+'-]{1,32}(?:\.[a-z0-9_+'-]{1,31})?)"
    r"@((?:[a-z0-9]{1,40}(?:-[a-z0-9]{1,20})?\.){1,2}[a-z]{2,20})\Z",
    re.ASCII,
)
# Controls, invisible format characters (bidi overrides, zero-width), surrogates, private
# use, unassigned, and every kind of separator.
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One mail address.

    `as_given` is what the person wrote. `key` is what addresses are compared by: the local
    part casefolded (RFC 5321 lets a server tell Foo@ from foo@; in the world they are one
    person, who should not get two copies), the domain in lower-case ASCII. `domain` is that
    ASCII domain alone.
    """

    as_given: str
    key: str
    domain: str

    @property
    def envelope(self) -> str:
        """What SMTP is told: the local part as given, the domain in ASCII."""
        return f"{self.as_given.rpartition('@')[0]}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the local part is beyond ASCII, so that the relay must know RFC 6531."""
        return not self.as_given.rpartition("@")[0].isascii()


def parse(text: str) -> Address:
    """Read one bare address, such as `ada@example.org` (RFC 5321, RFC 6531, IDNA 2008).

    Blanks around it are dropped; `Name <address>` is not an address. Raises AddressInvalid,
    whose message quotes the text, says what is wrong and how to mend it.
    """
    key = text.lower()
    plain = _PLAIN.match(key)
    # Some letters beyond ASCII have a lower case within it.
    if plain is not None and text.isascii():
        return Address(as_given=text, key=key, domain=plain[2])
    trimmed = text.strip(" \t")
    _refuse_invisible(trimmed)
    local, at, domain = trimmed.rpartition("@")
    if not at:
        raise _invalid(trimmed, "has no @", "write it like name@example.org")
    _check_local(trimmed, local)
    ascii_domain = _ascii_domain(trimmed, domain)
    if len(local.encode()) + 1 + len(ascii_domain) > MAX_ADDRESS:
        raise _too_long(trimmed)
    return Address(as_given=trimmed, key=f"{_local_key(local)}@{ascii_domain}", domain=ascii_domain)


def _local_key(local: str) -> str:
    if local.isascii():
        return local.lower()
    # Not casefold(): that makes ß and ss one mailbox, and somebody would be missed.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())


def _refuse_invisible(text: str) -> None:
    if not text:
        raise AddressInvalid("the address is empty; write it like name@example.org")
    if len(text) > MAX_ADDRESS:
        raise _too_long(text)
    if text.isascii() and text.isprintable() and " " not in text:
        return
    if text.endswith(">"):
        raise _invalid(text, "is more than an address", "keep what is between < and >")
    for column, character in enumerate(text, start=1):
        if unicodedata.category(character) in _FORBIDDEN:
            what = f"has a blank or an invisible character U+{ord(character):04X}"
            raise _invalid(text, f"{what} at character {column}", "remove it")


def _check_local(text: str, local: str) -> None:
    if not local:
        raise _invalid(text, "has nothing before the @", "write it like name@example.org")
    if len(local.encode()) > MAX_LOCAL:
        raise _invalid(text, f"has more than {MAX_LOCAL} octets before the @", "check it")
    if local.startswith('"'):
        raise _invalid(text, "has a quoted part before the @", "use an address without quotes")
    for atom in local.split("."):
        if not atom:
            raise _invalid(text, "has a dot too many before the @", "remove the dot")
        if not _ATOM.match(atom):
            bad = next(character for character in atom if not _ATOM.match(character))
            raise _invalid(text, f"has {bad!r} before the @", "remove it, keep the bare address")


def _ascii_domain(text: str, domain: str) -> str:
    if domain.startswith("["):
        raise _invalid(text, "has an IP address for a domain", "use the domain's name")
    lowered = domain.lower()
    if not lowered.isascii() or "xn--" in lowered:
        lowered = _idna_domain(text, domain)
    if not lowered:
        raise _invalid(text, "has nothing after the @", "write it like name@example.org")
    if "." not in lowered:
        raise _invalid(text, "has no dot after the @", "write the whole domain, as example.org")
    if len(lowered) > MAX_DOMAIN:
        raise _invalid(text, f"has a domain longer than {MAX_DOMAIN} octets", "check it")
    top = lowered.rpartition(".")[2]
    if not _HOSTNAME.match(lowered) or top[0] == "-" or top[-1] == "-" or top.isdigit():
        raise _invalid(text, "has no domain name after the @", "write it like name@example.org")
    return lowered


def _idna_domain(text: str, domain: str) -> str:
    try:
        # Encoding what was decoded refuses an xn-- label that is not its own encoding.
        unicode_domain = idna.decode(domain, uts46=True, std3_rules=True)
        return idna.encode(unicode_domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except UnicodeError as exc:  # idna.IDNAError is one
        raise _invalid(text, "has no domain name after the @", "check its spelling") from exc


def _too_long(text: str) -> AddressInvalid:
    return _invalid(text, f"is longer than {MAX_ADDRESS} octets", "check for a missing comma")


def _invalid(text: str, what: str, remedy: str) -> AddressInvalid:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    # repr() shows what is invisible, and keeps an odd address from forging a log line.
    return AddressInvalid(f"{shown!r} {what}; {remedy}")
