"""The one actor: a woken chunk is offered to the process's sender.

A message carries a chunk id and nothing else; it may come twice or never.
"""

from __future__ import annotations

from collections.abc import Callable

import dramatiq
from dramatiq import Broker
from dramatiq.errors import DramatiqError

from mailer.errors import BrokerUnavailable

QUEUE = "chunks"


class Waker:
    """Sends and receives wake-ups over one broker."""

    def __init__(self, broker: Broker, offer: Callable[[int], None]) -> None:
        """`offer` is called with the id of each woken chunk, in the worker's threads."""

        def send_chunk(chunk_id: int) -> None:
            offer(chunk_id)

        self._broker = broker
        declare = dramatiq.actor(queue_name=QUEUE, actor_name="send_chunk", broker=broker)
        self._actor = declare(send_chunk)
        self._worker: dramatiq.Worker | None = None

    def wake(self, chunk_id: int) -> None:
        """Tell some worker that a chunk has work; raises BrokerUnavailable."""
        try:
            self._actor.send(chunk_id)
        except (DramatiqError, OSError) as exc:
            raise BrokerUnavailable(f"the broker does not answer: {exc}") from exc
        except Exception as exc:
            # Redis' own errors have a root of their own; its client is imported where it is used.
            if type(exc).__module__.partition(".")[0] != "redis":
                raise
            raise BrokerUnavailable(f"the broker does not answer: {exc}") from exc

    def start(self) -> None:
        """Listen for wake-ups in threads of this process; few are fetched ahead."""
        self._worker = dramatiq.Worker(self._broker, worker_threads=1)
        self._worker.start()

    def stop(self) -> None:
        """Stop listening; what was fetched and not offered is forgotten."""
        if self._worker is not None:
            self._worker.stop(timeout=5_000)
            self._worker = None
        self._broker.close()
