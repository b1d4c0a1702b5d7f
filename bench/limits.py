"""What nothing can beat: OpenSSL's signatures, and bare INSERTs of as many rows."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from datetime import UTC, datetime

from bench.ground import Ground
from bench.model import Signature
from bench.stages import BATCH

_ALGORITHMS = {
    Signature.RSA: ("rsa2048", re.compile(r"^rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)", re.MULTILINE)),
    Signature.ED25519: ("ed25519", re.compile(r"\(Ed25519\)\s+\S+\s+\S+\s+([\d.]+)")),
}
_COLUMNS = "delivery_id, attempt, verdict, phase, code, reason, reply, at"


def signatures(signature: Signature) -> float | None:
    """Signatures per CPU second by `openssl speed`; None where there is no such program."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    name, told = _ALGORITHMS[signature]
    done = subprocess.run(
        [openssl, "speed", "-seconds", "1", name], capture_output=True, text=True, check=True
    )
    found = told.search(done.stdout)
    return float(found[1]) if found else None


def bare_inserts(ground: Ground, *, seconds: float) -> float:
    """Microseconds of CPU, client and server, of the least that a copy must write.

    That is an intent and an outcome, in batches as large as the gate's and each committed, by
    the driver alone, without keys.
    """
    mark = "?" if ground.database.is_sqlite else "%s"
    statement = f"INSERT INTO bare ({_COLUMNS}) VALUES ({', '.join([mark] * 8)})"
    begin = "BEGIN IMMEDIATE" if ground.database.is_sqlite else "BEGIN"
    connection = ground.database.engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS bare (delivery_id BIGINT, attempt INTEGER, verdict TEXT,"
        " phase TEXT, code INTEGER, reason TEXT, reply TEXT, at TEXT)"
    )
    connection.commit()
    until = time.monotonic() + seconds
    began, written = time.process_time() + ground.server_cpu, 0
    while time.monotonic() < until:
        now = datetime.now(UTC).isoformat()
        rows = [(n, 1, "sent", "reply", 250, "unknown", "", now) for n in range(BATCH)]
        for _intents_then_outcomes in range(2):
            cursor.execute(begin)
            cursor.executemany(statement, rows)
            connection.commit()
        written += BATCH
    cost = time.process_time() + ground.server_cpu - began
    connection.close()
    return cost / written * 1e6
