"""Notifications as JSON."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from codyverse.api.schemas.common import Flag, Id, In, Moment, Out, PageQuery

Kind = Literal["badge", "level", "goal", "streak", "league", "course"]
AnyKind = Literal["badge", "level", "goal", "streak", "league", "course", "health"]
"""With those that only operators get, and cannot leave out."""
Kinds = Annotated[list[Kind], Field(max_length=20, examples=[["badge", "level"]])]
Hour = Annotated[int, Field(ge=0, le=23)]


class NotificationsQuery(PageQuery):
    """Which notifications."""

    unread: Annotated[Flag | None, Field(description="With true only those that were not read yet.")] = None


class NotificationOut(Out):
    """What happened, in words. `target` is what it is about, for a link: a course's slug, or empty."""

    id: Id
    kind: AnyKind
    title: str
    text: str
    target: str
    created_at: Moment
    read: bool


def _must_be_true(value: bool) -> bool:
    if not value:
        raise ValueError("What was read cannot be unread.")
    return value


class ReadIn(In):
    """It was read."""

    read: Annotated[bool, AfterValidator(_must_be_true), Field(json_schema_extra={"const": True})]


class ReadAllIn(In):
    """Everything was read, or everything up to the notification with this id."""

    up_to: Id | None = None


class UnreadOut(Out):
    """How many are unread now."""

    unread: int


class StreamQuery(In):
    """What the program knows already."""

    after: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,19}\.[0-9]{1,19}$", examples=["120.3"], description="A state.")
    ] = None


class QuietHours(In):
    """Local hours in which nothing comes by itself; they may go over midnight."""

    start: Annotated[Hour, Field(alias="from")]
    end: Annotated[Hour, Field(alias="until")]


class PreferencesIn(In):
    """How somebody wants to hear of things: which kinds on the pages, which by mail, at what local hour, and when not."""

    shown: Kinds
    mailed: Kinds
    mail_hour: Hour
    quiet_hours: QuietHours | None


class QuietHoursOut(Out):
    """Local hours in which nothing comes by itself."""

    start: Annotated[int, Field(alias="from")]
    end: Annotated[int, Field(alias="until")]


class PreferencesOut(Out):
    """How somebody wants to hear of things."""

    shown: list[Kind]
    mailed: list[Kind]
    mail_hour: int
    quiet_hours: QuietHoursOut | None
