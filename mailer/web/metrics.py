"""`/metrics` for Prometheus: the ledger, lanes, clock and intake, as the database tells them.

Every process on every host gives the same figures, so one target is enough.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from mailer import __version__
from mailer.report.figures.queries import Figures, figures
from mailer.web.services import Services, WebServices

router = APIRouter()

#: Figures are kept so long, and so many times as long as they took: they cost a twentieth at most.
KEPT_SECONDS, KEPT_SHARE = 5.0, 20.0


class Metrics:
    """The figures as text, made anew when they are old enough."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._text = b""
        self._again = 0.0

    def text(self) -> bytes:
        """What Prometheus reads; raises DatabaseUnavailable."""
        with self._lock:
            began = time.monotonic()
            if began >= self._again:
                with self._services.database.read() as session:
                    found = figures(session, now=self._services.clock())
                self._text = _exposed(found)
                took = time.monotonic() - began
                self._again = began + max(KEPT_SECONDS, took * KEPT_SHARE)
            return self._text


@router.get("/metrics")
def metrics(request: Request, services: Services) -> Response:
    """Give the figures to this machine, or to who knows the token; to nobody else."""
    if not may_see(request, services):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    kept: Metrics = request.app.state.metrics
    return Response(kept.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def may_see(request: Request, services: WebServices) -> bool:
    """Whether a request may see the figures: by the token, or, where settings say so, from here.

    A request that a proxy passed on comes from loopback too: it is told by its headers.
    """
    web = services.settings.web
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    token = web.metrics_token.get_secret_value() if web.metrics_token else ""
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    if web.metrics != "loopback":
        return False
    passed_on = {"x-forwarded-for", "x-forwarded-host", "forwarded", "via"} & {*request.headers}
    return not passed_on and request.client is not None and _is_loopback(request.client.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Collector:
    """Hands figures to the library, which knows the format."""

    def __init__(self, found: Figures) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """The library's hook."""
        return _families(self._found)


def _exposed(found: Figures) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(found))
    return generate_latest(registry)


def _families(found: Figures) -> Iterator[Metric]:
    yield _gauge("pressrun_info", "The version that runs.", ("version",), {(__version__,): 1})
    yield _gauge(
        "pressrun_campaigns", "Issues, by state.", ("state",), {(s,): n for s, n in found.campaigns}
    )
    yield _gauge(
        "pressrun_deliveries",
        "Copies of the issues under way, paused, or over within a day, by state.",
        ("campaign", "state"),
        {(str(c), s): n for c, s, n in found.deliveries},
    )
    tried = CounterMetricFamily(
        "pressrun_copies_tried",
        "Copies that were taken, or refused for good, by lane; of campaigns kept in the ledger.",
        labels=("lane",),
    )
    refused = CounterMetricFamily(
        "pressrun_copies_refused",
        "Copies refused for good: because of the address, or because of us.",
        labels=("lane", "because"),
    )
    for lane in found.lanes:
        tried.add_metric((lane.lane,), lane.tried)
        refused.add_metric((lane.lane, "address"), lane.hard)
        refused.add_metric((lane.lane, "sender"), lane.refused)
    yield from (tried, refused)
    yield _gauge(
        "pressrun_lane_rate",
        "Messages a second that a slowed-down lane may go at.",
        ("relay", "lane"),
        {(r, lane): rate for r, lane, rate in found.slowed},
    )
    yield _gauge(
        "pressrun_chunks_waiting",
        "Chunks that are due and free.",
        (),
        {(): found.waiting},
    )
    yield _gauge(
        "pressrun_clock_lag_seconds",
        "For how long nothing has driven the issue that waits longest; 0 where none is under way.",
        (),
        {(): found.clock_lag},
    )
    yield _gauge(
        "pressrun_due_lag_seconds",
        "For how long an issue is due that has not begun.",
        (),
        {(): found.due_lag},
    )
    yield _gauge(
        "pressrun_intake_waiting", "Reports that wait to be applied.", (), {(): found.intake}
    )
    yield _gauge(
        "pressrun_intake_lag_seconds",
        "For how long the oldest of them waits.",
        (),
        {(): found.intake_lag},
    )
    yield _gauge(
        "pressrun_subscriptions",
        "People by newsletter and status.",
        ("newsletter", "status"),
        {(n, s): count for n, s, count in found.subscriptions},
    )


def _gauge(
    name: str, help_: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for label, value in sorted(values.items()):
        family.add_metric(label, value)
    return family
