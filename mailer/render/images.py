"""Images that lie beside an issue: looked at, measured, and named by what they hold.

A picture's URL without a scheme is a path from the issue's folder. The file is read once, when
the issue is rendered; readers get it from the web process as `/i/<hash>.<ext>`, or inside the
message as `cid:<hash>.<ext>@images`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from mailer.errors import RenderingFailed
from mailer.issue.model import ParsedIssue, Picture, Problem, Words
from mailer.issue.problems import IssueHasProblems, Notes
from mailer.issue.rules import Rule, Severity
from mailer.issue.urls import local_path
from mailer.issue.walk import walk

#: Nothing larger is read; phones on the road wait for what is larger than the other.
MAX_BYTES = 5 * 1024 * 1024
HEAVY_BYTES = 1024 * 1024
MAX_SIDE = 6000
WIDE = 2400
#: A picture of more pixels a side than a letter has shows sharp; fewer look blurred.
NARROW = 400
EMBED = "cid:"
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif"}


@dataclass(frozen=True, kw_only=True)
class LocalImage:
    """An image file: `name` is `<hash>.<ext>`, width and height in pixels."""

    name: str
    width: int
    height: int
    content: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """Its MIME type."""
        return media_type(self.name)

    @property
    def content_id(self) -> str:
        """What an embedded one is called within its message (RFC 2392)."""
        return content_id(self.name)


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The images of one issue by the path its author wrote.

    `base` is the URL in front of a name, or `cid:` for images inside the message.
    """

    images: Mapping[str, LocalImage]
    base: str = ""

    def find(self, url: Words) -> LocalImage | None:
        """The image at this URL; None where it lies on the web.

        Raises RenderingFailed when it is local and was not read.
        """
        path = local_path(url)
        if path is None:
            return None
        if path not in self.images:
            raise RenderingFailed(f"the image {path} was not read; render it beside its file")
        return self.images[path]

    @property
    def embedded(self) -> tuple[str, ...]:
        """The names of those that travel inside each message."""
        names = {image.name for image in self.images.values()}
        return tuple(sorted(names)) if self.base == EMBED else ()

    def address(self, image: LocalImage) -> str:
        """Where a reader's program finds it."""
        return f"{EMBED}{image.content_id}" if self.base == EMBED else f"{self.base}{image.name}"


def content_id(name: str) -> str:
    """What an embedded image is called within its message (RFC 2392)."""
    return f"{name}@images"


NO_IMAGES = Gallery(images={})


def media_type(name: str) -> str:
    """The MIME type of an image named `<hash>.<ext>`."""
    return _TYPES[name.rpartition(".")[2]]


def problems(issue: ParsedIssue) -> tuple[Problem, ...]:
    """What is wrong with the images beside an issue, from its top to its end."""
    notes = Notes(path=issue.path)
    _gather(issue, notes)
    return notes.in_order


def gather(issue: ParsedIssue) -> Mapping[str, LocalImage]:
    """The images beside an issue by their paths.

    Raises IssueHasProblems, with the line of each that can't be used.
    """
    notes = Notes(path=issue.path)
    found = _gather(issue, notes)
    errors = tuple(each for each in notes.in_order if each.severity is Severity.ERROR)
    if errors:
        raise IssueHasProblems(errors)
    return found


def _gather(issue: ParsedIssue, notes: Notes) -> dict[str, LocalImage]:
    folder = Path(issue.path).parent
    found: dict[str, LocalImage] = {}
    for path, picture in _local(issue):
        try:
            found[path] = image = found.get(path) or _read(folder, path)
        except _Unusable as exc:
            notes.add(Rule.UNRESOLVED_IMAGE, picture.place, *exc.words)
            continue
        for words in _doubts(path, image):
            notes.add(Rule.IMAGE_WEIGHT, picture.place, *words)
    return found


def _local(issue: ParsedIssue) -> Iterator[tuple[str, Picture]]:
    for node in walk(issue.blocks):
        if isinstance(node, Picture) and (path := local_path(node.url)) is not None:
            yield path, node


def files(issue: ParsedIssue) -> Iterator[Path]:
    """Where the images beside an issue lie, or should."""
    folder = Path(issue.path).parent
    return (folder / unquote(path) for path, _ in _local(issue))


class _Unusable(Exception):
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.words = message, remedy


def _read(folder: Path, path: str) -> LocalImage:
    file = folder / unquote(path)
    # What a link leads out of the folder may be anything: a key, a password file.
    if not file.resolve().is_relative_to(folder.resolve()):
        raise _Unusable(f"the image {path} lies outside the issue's folder", "move it there")
    try:
        with file.open("rb") as source:
            content = source.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        raise _Unusable(f"there is no image {path}", "put it beside the issue") from exc
    except (OSError, ValueError) as exc:
        raise _Unusable(f"the image {path} can't be read", "make it a readable file") from exc
    if len(content) > MAX_BYTES:
        limit = MAX_BYTES // 1024 // 1024
        raise _Unusable(f"the image {path} has more than {limit} MB", "make it smaller")
    kind, width, height = _measure(path, content)
    if max(width, height) > MAX_SIDE:
        raise _Unusable(f"the image {path} has {width} × {height} pixels", "make it smaller")
    name = f"{hashlib.sha256(content).hexdigest()[:32]}.{kind}"
    return LocalImage(name=name, width=width, height=height, content=content)


def _doubts(path: str, image: LocalImage) -> Iterator[tuple[str, str]]:
    size = f"{image.width} × {image.height} pixels"
    if len(image.content) > HEAVY_BYTES:
        kilobytes = len(image.content) // 1024
        yield f"the image {path} weighs {kilobytes} KB", "save it smaller, or as JPEG"
    if image.width > WIDE:
        yield f"the image {path} has {size}", f"{WIDE} pixels of width are sharp everywhere"
    elif image.width < NARROW:
        yield f"the image {path} has only {size}", "it stays small: a letter is wider"


def _measure(path: str, content: bytes) -> tuple[str, int, int]:
    """Kind, width and height, from the first bytes of the file."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
            width, height = struct.unpack(">II", content[16:24])
            kind = "png"
        elif content.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack("<HH", content[6:10])
            kind = "gif"
        elif content.startswith(b"\xff\xd8"):
            width, height = _jpeg(content)
            kind = "jpg"
        else:
            raise _Unusable(
                f"the image {path} is neither PNG, JPEG nor GIF",
                "save it as PNG or JPEG: Outlook shows no other",
            )
    except (struct.error, IndexError) as exc:
        raise _Unusable(f"the image {path} is damaged", "save it once more") from exc
    if not width or not height:
        raise _Unusable(f"the image {path} is damaged", "save it once more")
    return kind, width, height


def _jpeg(content: bytes) -> tuple[int, int]:
    """Width and height from the frame header (ITU T.81, B.2.2)."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    return 0, 0
