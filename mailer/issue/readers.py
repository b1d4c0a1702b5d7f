"""What is known of the people who will read an issue: the longest values they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailer.issue.expression import Expression, evaluate

#: Where no database says more, nobody's name, address or attribute is taken to be longer.
ASSUMED_NAME = 40
ASSUMED_EMAIL = 64
ASSUMED_ATTRIBUTE = 60


@dataclass(frozen=True, kw_only=True)
class Readers:
    """The longest value of each field, and the attributes that people may have.

    `attributes` maps those names to their longest values; None: nobody knows them, and any name
    may be one.
    """

    name: str = "M" * ASSUMED_NAME
    email: str = "m" * ASSUMED_EMAIL
    language: str = "zh-Hant-TW"
    attributes: Mapping[str, str] | None = None

    @property
    def fields(self) -> Mapping[str, object]:
        """Somebody with the longest values, as expressions look them up."""
        attributes = _Any() if self.attributes is None else self.attributes
        return {
            "id": 10**12,
            "name": self.name,
            "email": self.email,
            "language": self.language,
            "attributes": attributes,
        }


@dataclass(frozen=True)
class _Any(Mapping[str, str]):
    """Every attribute, of the length that is assumed."""

    value: str = field(default="M" * ASSUMED_ATTRIBUTE)

    def __getitem__(self, key: str) -> str:
        return self.value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def longest(
    expression: Expression, readers: Readers, constants: Mapping[str, Mapping[str, object]]
) -> str:
    """The longest text that an expression comes to: for those with all values, or with none."""
    fullest = {**constants, "subscriber": readers.fields}
    emptiest = {**constants, "subscriber": {}}
    return max((str(evaluate(expression, each)) for each in (fullest, emptiest)), key=len)
