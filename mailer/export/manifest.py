"""What an export says of itself: pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from subscribers.errors import UsersMistake

FORMAT = "pressrun-export"
VERSION = 1
MANIFEST, KEYS = "manifest.json", "pressrun.keys"


class ExportInvalid(UsersMistake):
    """This is no export of Pressrun, or it is damaged."""


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """One table's file: how many lines it has, how to see that it is whole, what columns hold."""

    name: str
    file: str
    rows: int
    sha256: str
    columns: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An export: when it was made and by which program, of which schema, with which keys.

    `fingerprint` tells the keys without telling them.
    """

    version: str
    made_at: datetime
    step: str
    fingerprint: str
    with_keys: bool
    tables: tuple[TableFile, ...]

    @property
    def rows(self) -> dict[str, int]:
        """How many each table has."""
        return {table.name: table.rows for table in self.tables}

    def to_json(self) -> str:
        """As it stands in the export."""
        told = asdict(self) | {"made_at": self.made_at.isoformat()}
        head = {"format": FORMAT, "format_version": VERSION}
        return json.dumps(head | told, indent=2) + "\n"


def read_manifest(text: str) -> Manifest:
    """Read what `to_json` wrote; raises ExportInvalid."""
    try:
        told = json.loads(text)
        name, version = told.pop("format"), told.pop("format_version")
        if name == FORMAT and version != VERSION:
            raise ExportInvalid(
                f"the export's format is {version!r:.20}; upgrade this installation to read it"
            )
        if name != FORMAT:
            raise ExportInvalid
        told["made_at"] = datetime.fromisoformat(told["made_at"])
        told["tables"] = tuple(TableFile(**table) for table in told["tables"])
        return Manifest(**told)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ExportInvalid from exc
