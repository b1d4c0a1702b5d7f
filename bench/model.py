"""What is measured, and how figures of several rounds are told."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Signature(StrEnum):
    """How messages are signed."""

    NONE = "unsigned"
    ED25519 = "Ed25519"
    RSA = "RSA-2048"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way of sending, end to end."""

    database: str
    content: str
    signature: Signature
    processes: int


@dataclass(frozen=True, kw_only=True)
class Window:
    """What happened while somebody watched; CPU in seconds, user and system together."""

    messages: int
    seconds: float
    cpu: float
    server_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds

    @property
    def cpu_per_10k(self) -> float:
        """CPU seconds per 10,000 messages, those of a database server included."""
        return (self.cpu + self.server_cpu) / self.messages * 10_000

    @property
    def per_cpu_second(self) -> float:
        """Messages per CPU second of the workers alone."""
        return self.messages / self.cpu


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over the rounds."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of at least one value."""
        known = sorted(values)
        return cls(least=known[0], median=statistics.median(known), most=known[-1])


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A worker's resident memory while it sends a whole list: (copies sent, MiB), and the peak."""

    recipients: int
    course: list[tuple[int, float]]
    peak: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All that one run measured; lists hold one entry a round."""

    sent: dict[Case, list[Window]] = field(default_factory=dict)
    peers: dict[str, list[Window]] = field(default_factory=dict)
    #: Operations per CPU second, by name.
    limits: dict[str, list[float]] = field(default_factory=dict)
    #: Microseconds of CPU a message, by stage and variant.
    stages: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    #: Milliseconds in which an issue is rendered, and the bytes of its HTML, by content.
    rendered: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    #: What was measured with, by its part.
    about: dict[str, str] = field(default_factory=dict)
    #: Bytes of a finished message, by content.
    sizes: dict[str, int] = field(default_factory=dict)
