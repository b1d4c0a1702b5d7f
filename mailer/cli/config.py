"""Which settings file this call reads; apart, so that `--help` loads nothing for it."""

from __future__ import annotations

from pathlib import Path

_chosen: Path | None = None


def use(path: Path | None) -> None:
    """Read this file instead of ./pressrun.toml."""
    global _chosen
    _chosen = path


def chosen() -> Path | None:
    """The file that `--config` named."""
    return _chosen
