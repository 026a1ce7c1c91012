"""People as JSON."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from codyverse.api.schemas.common import Id, In, Moment, Out, PageQuery, line

Role = Literal["learner", "author", "operator"]
Intensity = Literal["casual", "regular", "serious"]
Mechanic = Literal["xp", "coins", "streak", "goals", "badges", "leagues"]
Theme = Literal["auto", "light", "dark"]
StreakMode = Literal["daily", "weekly"]
Showable = Literal["badges", "level", "streak", "lessons"]


class PreferencesOut(Out):
    """How somebody wants to learn. `hidden` are mechanics that leave no trace on their pages."""

    goal_intensity: Intensity
    hidden: list[Mechanic]
    theme: Theme
    streak_mode: StreakMode
    leagues: bool


class PublicPageOut(Out):
    """The page that everybody may see, if there is one. Without a `handle` there is none."""

    handle: str
    public: bool
    shown: list[Showable]


class PersonOut(Out):
    """An account. `eraseAfter`: its erasure was asked for; signing in before then calls it off."""

    id: Id
    email: str
    name: str
    role: Role
    time_zone: str
    day_start_hour: int
    locale: str
    created_at: Moment
    deactivated_at: Moment | None
    erase_after: Moment | None


class MeOut(PersonOut):
    """Your own account."""

    preferences: PreferencesOut
    public_page: PublicPageOut
    scopes: list[str] | None = Field(
        description="Those of the token that asked; null for a browser's session."
    )


class PreferencesIn(In):
    """What is left out stays as it is."""

    goal_intensity: Intensity | None = None
    hidden: Annotated[list[Mechanic], Field(max_length=6)] | None = None
    theme: Theme | None = None
    streak_mode: StreakMode | None = None
    leagues: bool | None = None


class PublicPageIn(In):
    """What is left out stays as it is. An empty `handle` takes the page away."""

    handle: str | None = Field(default=None, pattern="^([a-z0-9]+(-[a-z0-9]+)*)?$", max_length=30)
    public: bool | None = None
    shown: Annotated[list[Showable], Field(max_length=4)] | None = None


class MeIn(In):
    """What is left out stays as it is."""

    name: str | None = line(60, default=None, examples=["Ada"])
    time_zone: str | None = line(64, default=None, examples=["Europe/Berlin"])
    day_start_hour: Annotated[int, Field(ge=0, le=23)] | None = None
    preferences: PreferencesIn | None = None
    public_page: PublicPageIn | None = None


class PeopleQuery(PageQuery):
    """Which accounts. `afterId`: only those made after this one, so that the last account seen leads to the next page."""

    role: Role | None = None
    after_id: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


class ErasureOut(Out):
    """When everything personal will be gone, and the receipt with which one can ask later whether it is."""

    erase_after: Moment
    receipt: Annotated[str, Field(examples=["QX4T-7MZA-22KC-HB5L"])]


class ExportStateOut(Out):
    """An export that is being prepared: it waits for its turn, or is being written."""

    state: Literal["waiting", "running"]
    asked_at: Moment


class ExportOut(Out):
    """Everything that is kept about you, by table, as it was at `exportedAt`."""

    exported_at: Moment
    tables: Annotated[
        dict[str, list[dict[str, Any]]],
        WithJsonSchema(
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "object"}},
                "description": "The name of a table → its rows.",
            }
        ),
    ]
