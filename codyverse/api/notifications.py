"""Notifications over the API: the list, what was read, how somebody wants to hear of things, the stream."""

from flask import request

from codyverse.accounts.queries import Principal
from codyverse.api.operation import Reply, operation
from codyverse.api.schemas.common import Page
from codyverse.api.schemas.notifications import (
    NotificationOut,
    NotificationsQuery,
    PreferencesIn,
    PreferencesOut,
    QuietHoursOut,
    ReadAllIn,
    ReadIn,
    StreamQuery,
    UnreadOut,
)
from codyverse.http.access import principal
from codyverse.notifications import queries, services
from codyverse.notifications.rules import KINDS

TAG = "Notifications"
SCOPE = "notifications"
ASK_AGAIN_MS = 15_000


@operation(
    "GET",
    "/notifications",
    "listNotifications",
    tag=TAG,
    summary="What happened",
    scope=SCOPE,
    query=NotificationsQuery,
    returns=Page[NotificationOut],
)
def list_notifications(query: NotificationsQuery) -> Reply:
    """Newest first, your own only. What belongs to mechanics that you left out is left out."""
    who = principal()
    found = queries.news_slice(
        who.id,
        who.preferences.hidden,
        offset=query.offset,
        limit=query.per_page,
        unread_only=query.unread == "true",
    )
    return Reply(
        Page[NotificationOut](
            items=[NotificationOut.model_validate(each) for each in found.lines],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )
    )


@operation(
    "PATCH",
    "/notifications/<id:notification_id>",
    "markRead",
    tag=TAG,
    summary="Mark one as read",
    scope=SCOPE,
    body=ReadIn,
    returns=NotificationOut,
    example={"read": True},
)
def mark_read(notification_id: int, body: ReadIn) -> Reply:  # noqa: ARG001 - its shape says all there is
    """Again is harmless. Somebody else's does not exist."""
    who = principal()
    services.mark_read(who.id, notification_id)
    line = queries.notification(who.id, notification_id, who.preferences.hidden)
    return Reply(NotificationOut.model_validate(line))


@operation(
    "POST",
    "/notifications/read-all",
    "markAllRead",
    tag=TAG,
    summary="Mark all as read",
    scope=SCOPE,
    body=ReadAllIn,
    body_optional=True,
    returns=UnreadOut,
    example={"upTo": 120},
)
def mark_all_read(body: ReadAllIn) -> Reply:
    """With `upTo` only what there was when you read the list, so that nothing new is lost. Again is harmless."""
    who = principal()
    services.mark_all_read(who.id, **({} if body.up_to is None else {"up_to": body.up_to}))
    return Reply(UnreadOut(unread=queries.bell(who.id, who.preferences.hidden).unread))


@operation(
    "GET",
    "/notifications/preferences",
    "getNotificationPreferences",
    tag=TAG,
    summary="How you hear of things",
    scope=SCOPE,
    returns=PreferencesOut,
)
def get_preferences() -> Reply:
    """Which kinds on the pages, which by mail and when, and the hours in which nothing comes by itself."""
    return Reply(_preferences(principal()))


@operation(
    "PUT",
    "/notifications/preferences",
    "chooseNotificationPreferences",
    tag=TAG,
    summary="Choose how you hear of things",
    scope=SCOPE,
    body=PreferencesIn,
    returns=PreferencesOut,
    example={
        "shown": ["badge", "level", "goal"],
        "mailed": [],
        "mailHour": 17,
        "quietHours": {"from": 22, "until": 7},
    },
)
def choose_preferences(body: PreferencesIn) -> Reply:
    """All of them at once. Quiet hours that begin when they end are none. Again is harmless."""
    who = principal()
    hours = body.quiet_hours
    services.choose(
        who.id,
        page_off=set(KINDS) - set(body.shown),
        mail_kinds=body.mailed,
        mail_hour=body.mail_hour,
        quiet=None if hours is None else (hours.start, hours.end),
    )
    return Reply(_preferences(who))


def _preferences(who: Principal) -> PreferencesOut:
    chosen = queries.choices(who.id)
    quiet = None if chosen.quiet is None else QuietHoursOut(start=chosen.quiet[0], end=chosen.quiet[1])
    return PreferencesOut.model_validate(
        {
            "shown": [kind for kind in KINDS if kind not in chosen.page_off],
            "mailed": [kind for kind in KINDS if kind in chosen.mail_kinds],
            "mail_hour": chosen.mail_hour,
            "quiet_hours": quiet,
        }
    )


@operation(
    "GET",
    "/notifications/stream",
    "streamNotifications",
    tag=TAG,
    summary="Hear of news at once",
    scope=SCOPE,
    query=StreamQuery,
    media="text/event-stream",
)
def stream(query: StreamQuery) -> Reply:
    """Server-Sent Events. The event `news` says that something changed; its data and id are the new state.

    `Last-Event-ID`, or `?after=`, tells the state that you know. The site's stream process holds the line open. Where
    none runs, this answers at once with the present state, and asks you to come again in 15 seconds; programs that
    speak the protocol do so by themselves.
    """
    who = principal()
    state = queries.bell(who.id, who.preferences.hidden).state
    known = request.headers.get("Last-Event-ID") or query.after
    said = ": nothing new" if known == state else f"event: news\ndata: {state}"
    return Reply(f"retry: {ASK_AGAIN_MS}\nid: {state}\n{said}\n\n")
