"""A RabbitMQ of our own: Debian's, without systemd, on loopback, as its own user."""

from __future__ import annotations

import pwd
import shutil
import tempfile
from pathlib import Path

import pika

from tests.services import process
from tests.services.process import ServiceMissing

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_USER = "rabbitmq"


class RabbitmqServer:
    """One broker that comes up in 10 to 25 s. Raises ServiceMissing where none can be had."""

    def __init__(self) -> None:
        epmd = shutil.which("epmd")
        if not _SERVER.exists() or epmd is None:
            raise ServiceMissing("RabbitMQ is missing: apt-get install rabbitmq-server")
        owner = pwd.getpwnam(_USER)
        self._folder = Path(tempfile.mkdtemp(prefix="pressrun-rabbitmq-"))
        self.port, epmd_port, nodes_port = (process.free_port() for _ in range(3))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        config = self._folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 50MB\n"
            "loopback_users.guest = true\n"
        )
        for path in (self._folder, config):
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
        environment = {
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": f"pressrun-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(nodes_port),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ("-kernel inet_dist_use_interface {127,0,0,1}"),
        }
        output = self._folder / "output"
        output.touch()
        # Started apart: Erlang's own way leaves it behind as a daemon.
        self._epmd = process.start(
            [epmd, "-port", str(epmd_port), "-address", "127.0.0.1"],
            log=output,
            user=_USER,
            environment=environment,
        )
        self._server = process.start(
            [_SERVER], log=output, user=_USER, last="TERM", environment=environment
        )
        process.wait_for_port(self.port, self._server, output, seconds=90)

    @property
    def pid(self) -> int:
        """The process that started it."""
        return self._server.pid

    def wipe(self) -> None:
        """Forget all that waits in the queues."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        channel = connection.channel()
        for queue in ("chunks", "chunks.DQ", "chunks.XQ"):
            channel.queue_delete(queue)
        connection.close()

    def stop(self) -> None:
        """End both by their pids and remove the folder."""
        # SIGINT would open Erlang's menu; it ends cleanly on TERM.
        self._server.terminate()
        process.stop(self._server)
        process.stop(self._epmd)
        shutil.rmtree(self._folder, ignore_errors=True)
