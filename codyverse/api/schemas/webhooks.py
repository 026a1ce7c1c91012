"""Webhooks and their deliveries as JSON."""

from typing import Annotated, Literal

from pydantic import Field

from codyverse.api.schemas.common import Id, In, Moment, Out

Kind = Literal["lesson.completed", "badge.earned", "level.reached", "course.completed"]
WhoseEvents = Literal["own", "all"]


class WebhookIn(In):
    """Where to send what. `scope`: your own events, or for operators everybody's (`all`)."""

    url: Annotated[
        str,
        Field(
            min_length=10,
            max_length=2000,
            pattern=r"^https?://[!-~]+$",
            description="In production over https, to a public address.",
            examples=["https://school.example.org/hooks/cody"],
            json_schema_extra={"format": "uri"},
        ),
    ]
    events: Annotated[
        list[Kind], Field(min_length=1, max_length=4, examples=[["lesson.completed", "course.completed"]])
    ]
    scope: WhoseEvents = "own"


class WebhookOut(Out):
    """A webhook. Not `active`: its server answered 410 and is told nothing any more."""

    id: Id
    url: str
    events: list[Kind]
    scope: WhoseEvents
    active: bool
    created_at: Moment


class NewWebhookOut(WebhookOut):
    """A new webhook. `secret`, which its deliveries are signed with, is shown this once."""

    secret: Annotated[str, Field(examples=["whsec_…"])]


class DeliveryOut(Out):
    """An event on its way. `eventId` is what arrives as `Webhook-Id`; `createdAt` is when it happened.

    `statusCode` and `fault` tell of the last try; `nextTryAt` is set while it is pending.
    """

    id: Id
    event_id: str
    type: Kind
    created_at: Moment
    state: Literal["pending", "delivered", "failed"]
    tries: int
    next_try_at: Moment | None
    last_try_at: Moment | None
    delivered_at: Moment | None
    failed_at: Moment | None
    status_code: int | None
    fault: str
