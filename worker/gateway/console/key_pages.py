"""API keys of the tenant, by their first characters, and the log of actions in the console."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import UNCHANGED, Administering, ReadingAdmin, note
from worker.gateway.problems import not_found
from worker.store.access import api_keys, console_log

router = APIRouter(prefix="/console/keys", include_in_schema=False)

PER_PAGE: Final = 50


@router.get("")
def get_keys(request: Request, visitor: ReadingAdmin, before: UUID | None = None) -> Response:
    """List keys, and actions with the newest first."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        keys = api_keys.listed(connection, tenant=visitor.tenant)
        actions = console_log.listed(connection, visitor.tenant, before=before, most=PER_PAGE)
    more = f"/console/keys?before={actions[-1].id}" if len(actions) == PER_PAGE else None
    return pages.render(request, "keys.html", visitor, {"keys": keys, "actions": actions, "next_address": more})


@router.post("/{key_id}/revoke")
def revoke_key(request: Request, key_id: UUID, action: Administering) -> Response:
    """Revoke a key; takes effect within 5 seconds."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        known = {key.id for key in api_keys.listed(connection, tenant=action.visitor.tenant)}
        if key_id not in known:
            raise not_found("key")
        now = gateway.database.now(connection)
        changed = api_keys.revoke(connection, key_id, now=now)
        note(connection, action, "revoke key", str(key_id), "" if changed else UNCHANGED, now=now)
    return pages.see_other(f"/console/keys?done={'revoked' if changed else UNCHANGED}")
