"""`/healthz` and `/readyz`: whether this process lives, and whether it can do its work."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse

from mailer import migrations
from mailer.errors import BrokerUnavailable
from mailer.feedback import queries
from mailer.web.pages import READ
from mailer.web.services import Services
from subscribers.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    SchemaTooNew,
    SchemaTooOld,
)

router = APIRouter()


@router.api_route("/healthz", methods=READ)
def healthz(services: Services) -> JSONResponse:
    """Whether this process answers and reaches its database."""
    with services.database.read() as session:
        queries.answers(session)
    return JSONResponse({"status": "ok"})


@router.api_route("/readyz", methods=READ)
def readyz(services: Services) -> JSONResponse:
    """Whether database, schema and broker are as this process needs them; which is not, if one."""
    found = {
        "database": "ok",
        "schema": "ok",
        "broker": "none" if services.settings.broker_url is None else "ok",
    }
    try:
        migrations.check(services.database)
    except (SchemaTooNew, SchemaTooOld) as exc:
        found["schema"] = "too new" if isinstance(exc, SchemaTooNew) else "too old"
    except (DatabaseUnavailable, DatabaseBusy, DatabaseFull):
        found["database"] = "out of reach"
        found["schema"] = "unknown"
    try:
        services.ping_broker()
    except BrokerUnavailable:
        # Workers find their work in the database meanwhile: slower, and still ready.
        found["broker"] = "out of reach"
    ready = found["database"] == found["schema"] == "ok"
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"status": "ready" if ready else "not ready", **found}, status)
