"""Webhooks over the API: where what happened is sent. How deliveries arrive stands in docs/webhooks.md."""

from codyverse import delivering
from codyverse.api.operation import Reply, leads_to, operation
from codyverse.api.schemas.common import Page, PageQuery
from codyverse.api.schemas.webhooks import DeliveryOut, NewWebhookOut, WebhookIn, WebhookOut
from codyverse.http.access import principal
from codyverse.webhooks import queries, services
from codyverse.webhooks.queries import DeliveryView, WebhookView

TAG = "Webhooks"
SCOPE = "webhooks"


def _webhook(found: WebhookView) -> dict[str, object]:
    told = {name: getattr(found, name) for name in WebhookOut.model_fields}
    return told | {"events": list(found.events)}


def _delivery(found: DeliveryView) -> DeliveryOut:
    same = DeliveryOut.model_fields.keys() - {"event_id", "type"}
    told = {name: getattr(found, name) for name in same}
    return DeliveryOut.model_validate(told | {"event_id": found.event, "type": found.kind})


@operation(
    "GET",
    "/webhooks",
    "listWebhooks",
    tag=TAG,
    summary="Your webhooks",
    scope=SCOPE,
    query=PageQuery,
    returns=Page[WebhookOut],
)
def list_webhooks(query: PageQuery) -> Reply:
    """Oldest first. Their secrets are not in it."""
    found = queries.webhooks_page(principal().id, query.page, query.per_page)
    items = [WebhookOut.model_validate(_webhook(each)) for each in found.items]
    return Reply(Page[WebhookOut](items=items, page=query.page, per_page=query.per_page, total=found.total))


@operation(
    "POST",
    "/webhooks",
    "createWebhook",
    tag=TAG,
    summary="Register a webhook",
    scope=SCOPE,
    body=WebhookIn,
    returns=NewWebhookOut,
    status=201,
    errors=("CONFLICT",),
    secret=True,
    links=leads_to("getWebhook", "listDeliveries", "deleteWebhook", webhookId="$response.body#/data/id"),
)
def create_webhook(body: WebhookIn) -> Reply:
    """From now on the URL is sent these events, signed with the `secret` of the answer, which is shown this once.

    The same URL again is a conflict: delete the webhook to get a new secret. At most ten.
    """
    who = principal()
    made = services.register(
        who.id, body.url, body.events, body.scope, reach=delivering.reach(), seal=delivering.seal()
    )
    told = _webhook(queries.webhook(who.id, made.webhook_id)) | {"secret": made.secret}
    return Reply(
        NewWebhookOut.model_validate(told),
        "Keep the secret: it is shown this once.",
        location=f"/api/webhooks/{made.webhook_id}",
    )


@operation(
    "GET",
    "/webhooks/<id:webhook_id>",
    "getWebhook",
    tag=TAG,
    summary="A webhook",
    scope=SCOPE,
    returns=WebhookOut,
)
def get_webhook(webhook_id: int) -> Reply:
    """One of your own. Its secret is not in it."""
    return Reply(WebhookOut.model_validate(_webhook(queries.webhook(principal().id, webhook_id))))


@operation(
    "DELETE",
    "/webhooks/<id:webhook_id>",
    "deleteWebhook",
    tag=TAG,
    summary="Delete a webhook",
    scope=SCOPE,
)
def delete_webhook(webhook_id: int) -> Reply:
    """It is told nothing any more, and its deliveries are forgotten."""
    services.delete_webhook(principal().id, webhook_id)
    return Reply()


@operation(
    "GET",
    "/webhooks/<id:webhook_id>/deliveries",
    "listDeliveries",
    tag=TAG,
    summary="What was and is to be delivered",
    scope=SCOPE,
    query=PageQuery,
    returns=Page[DeliveryOut],
)
def list_deliveries(webhook_id: int, query: PageQuery) -> Reply:
    """Newest first, for 30 days."""
    found = queries.deliveries_page(principal().id, webhook_id, query.page, query.per_page)
    items = [_delivery(each) for each in found.items]
    return Reply(Page[DeliveryOut](items=items, page=query.page, per_page=query.per_page, total=found.total))


@operation(
    "POST",
    "/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/replay",
    "replayDelivery",
    tag=TAG,
    summary="Deliver once more",
    scope=SCOPE,
    returns=DeliveryOut,
    errors=("NOT_FOUND", "CONFLICT"),
)
def replay_delivery(webhook_id: int, delivery_id: int) -> Reply:
    """It is due again, under the same event id and with a day of tries, whatever became of it before.

    While it is being sent nothing changes. A conflict when the webhook is no longer active.
    """
    who = principal()
    services.replay(who.id, webhook_id, delivery_id)
    return Reply(_delivery(queries.delivery(who.id, webhook_id, delivery_id)), "It will be sent again.")
