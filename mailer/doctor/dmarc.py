"""DMARC (RFC 9989): the policy of a From domain, found by the tree walk, and alignment.

Pure, given a function that asks the DNS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailer.lookup import Kind

Ask = Callable[[str, Kind], Sequence[str]]

_POLICIES = ("none", "quarantine", "reject")
#: Section 4.10: of a longer name only so many labels are walked.
_MOST_LABELS = 7


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The record of one domain, by tag in lower case; `below`: it holds for a subdomain."""

    domain: str
    tags: Mapping[str, str] = field(default_factory=dict)
    below: bool = False

    @property
    def policy(self) -> str:
        """What receivers are asked to do; an unknown word counts as none."""
        told = self.tags.get("p", "none")
        if self.below:
            told = self.tags.get("sp", told)
        told = told.lower()
        return told if told in _POLICIES else "none"

    def strict(self, tag: str) -> bool:
        """Whether `adkim` or `aspf` asks for the very domain."""
        return self.tags.get(tag, "r").lower() == "s"


def policy_at(domain: str, ask: Ask) -> Policy | None:
    """The policy record of this very domain; where there are several, none counts."""
    found = [text for text in ask(f"_dmarc.{domain}", "TXT") if _is_dmarc(text)]
    if len(found) != 1:
        return None
    return Policy(domain=domain, tags=_tags(found[0]))


def several_at(domain: str, ask: Ask) -> bool:
    """Whether this domain publishes more than one record, so that none counts."""
    return len([text for text in ask(f"_dmarc.{domain}", "TXT") if _is_dmarc(text)]) > 1


def walk(domain: str, ask: Ask) -> list[Policy]:
    """The records of a domain and those above it, until one says where to stop (4.10)."""
    found = []
    for name in _upwards(domain):
        policy = policy_at(name, ask)
        if policy is None:
            continue
        found.append(policy)
        if policy.tags.get("psd", "u").lower() in ("y", "n"):
            break
    return found


def organisational(domain: str, ask: Ask) -> str:
    """The Organizational Domain of a name (4.10.2)."""
    found = walk(domain, ask)
    for policy in found:
        psd = policy.tags.get("psd", "u").lower()
        if psd == "n":
            return policy.domain
        if psd == "y" and policy.domain != domain:
            depth = policy.domain.count(".") + 2
            return ".".join(domain.split(".")[-depth:])
    return min((p.domain for p in found), key=lambda name: name.count("."), default=domain)


def policy_for(domain: str, ask: Ask) -> Policy | None:
    """The policy that holds for a From domain: its own, or one above it (4.10.1)."""
    found = walk(domain, ask)
    own = next((policy for policy in found if policy.domain == domain), None)
    if own is not None or not found:
        return own
    organisation = organisational(domain, ask)
    above = next((policy for policy in found if policy.domain == organisation), found[-1])
    return replace(above, below=True)


def aligned(author: str, other: str, *, strict: bool, ask: Ask) -> bool:
    """Whether what was authenticated stands for the From domain (4.4)."""
    if author == other:
        return True
    return not strict and organisational(author, ask) == organisational(other, ask)


def _upwards(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    rest = labels[1:] if len(labels) <= _MOST_LABELS else labels[-_MOST_LABELS:]
    for start in range(len(rest)):
        yield ".".join(rest[start:])


def _is_dmarc(text: str) -> bool:
    name, _, value = text.partition(";")[0].partition("=")
    return name.strip().lower() == "v" and value.strip() == "DMARC1"


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
