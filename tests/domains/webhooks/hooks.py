"""Webhooks of the tests: registered through the services, looked at as their owners look at them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask

from codyverse import delivering
from codyverse.core.database import unit_of_work
from codyverse.webhooks import queries, services
from codyverse.webhooks.queries import DeliveryView
from codyverse.webhooks.rules import KINDS
from codyverse.webhooks.services import Registered
from tests.factories import make_user


@contextmanager
def may_call_loopback(app: Flask) -> Iterator[None]:
    """WEBHOOK_NETWORKS names loopback while the block runs."""
    before = app.extensions["settings"]
    app.extensions["settings"] = before.model_copy(update={"webhook_networks": "127.0.0.0/8"})
    try:
        yield
    finally:
        app.extensions["settings"] = before


def register(user_id: int, url: str, kinds: tuple[str, ...] = KINDS, scope: str = "own") -> Registered:
    """A webhook, committed."""
    with unit_of_work():
        return services.register(user_id, url, kinds, scope, reach=delivering.reach(), seal=delivering.seal())


def operator() -> int:
    return make_user(role="operator", name="Olga")


def deliveries(user_id: int, webhook_id: int) -> tuple[DeliveryView, ...]:
    """Newest first."""
    return queries.deliveries_page(user_id, webhook_id, 1, 100).items


def proof(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """The signature that these headers should carry, reckoned as the standard says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def said(body: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(body)
    return read
