"""A section of the settings: frozen, strict, its secrets also from files of their own."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """What every section does: `<name>_file` names a file that holds `<name>` alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: object) -> object:
        """A secret may stand in a file of its own, which `<name>_file` names."""
        if not isinstance(values, dict):
            return values
        named = [n for n in cls.model_fields if f"{n}_file" in cls.model_fields]
        files = {n: values[f"{n}_file"] for n in named if values.get(f"{n}_file")}
        return {n: read_secret(f"{n}_file", Path(f)) for n, f in files.items()} | values


def read_secret(name: str, file: Path) -> str:
    """The text of a file without the blanks around it; raises ValueError, in words."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{name}: can't read {file}: {exc}") from exc
