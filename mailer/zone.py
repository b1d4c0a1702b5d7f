"""A DNS record as it is pasted: pure."""

from __future__ import annotations

from dataclasses import dataclass

#: One string of a TXT record holds at most so many bytes (RFC 1035 section 3.3.14).
_STRING = 255


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record to publish. `name` is whole, without the last dot; `value` is not cut yet."""

    name: str
    kind: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """The value of a TXT record in strings that are short enough."""
        return tuple(
            self.value[start : start + _STRING] for start in range(0, len(self.value), _STRING)
        )

    def __str__(self) -> str:
        """The line of a zone file, which most consoles take as well."""
        shown = self.value
        if self.kind == "TXT":
            shown = " ".join(f'"{_escaped(part)}"' for part in self.strings)
        return f"{self.name}. IN {self.kind} {shown}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
