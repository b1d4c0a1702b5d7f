"""Where the files that Pressrun brings along lie: in the checkout or inside the wheel."""

from pathlib import Path

from subscribers.errors import PressrunError

_PACKAGE = Path(__file__).resolve().parent


class ResourceMissing(PressrunError):
    """Files that belong to Pressrun are missing; install it again with `pip install .`."""


def templates() -> Path:
    """The folder with ``issue``, ``blocks``, ``notice`` and ``pages`` templates.

    A wheel carries it as ``mailer/templates``; a checkout and an editable install have it beside
    the package.
    """
    for place in (_PACKAGE / "templates", _PACKAGE.parent / "templates"):
        if place.is_dir():
            return place
    raise ResourceMissing
