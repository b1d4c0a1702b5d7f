"""How the child process and its parent talk: JSON objects, each behind its size."""

from __future__ import annotations

import json
import struct
from typing import IO

_SIZE = struct.Struct(">I")


def send(stream: IO[bytes], message: dict[str, str]) -> None:
    """Write one message."""
    data = json.dumps(message).encode("ascii")
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, str] | None:
    """Read one message; None at the end of the stream."""
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        return None
    message: dict[str, str] = json.loads(data)
    return message
