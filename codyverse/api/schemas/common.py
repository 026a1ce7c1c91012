"""The parts that all schemas share: strict input, exact output, pages, times, ids."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

BIGINT_MAX = 2**63 - 1
MOST_PER_PAGE = 100
Item = TypeVar("Item")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class In(BaseModel):
    """What a client sends: exact types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, frozen=True)


class Out(BaseModel):
    """What a client gets. Made by name, or from a dataclass with `model_validate`."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )


def moment_text(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the contract writes every time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Id = Annotated[int, Field(ge=1, le=BIGINT_MAX, json_schema_extra={"format": "int64"})]
Moment = Annotated[
    datetime,
    PlainSerializer(moment_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-28T09:30:00.000Z"]}),
]


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as fault:
        raise ValueError("This is too far away.") from fault


GivenMoment = Annotated[AwareDatetime, AfterValidator(_in_utc), Field(examples=["2030-01-31T12:00:00Z"])]
Day = Annotated[
    date,
    PlainSerializer(lambda day: day.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-28"]}),
]


Flag = Annotated[
    Literal["true", "false"], WithJsonSchema({"type": "boolean"}), Field(description="true or false")
]
"""A yes or no in a query, written in these two ways only."""


def _day(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if not _DAY.fullmatch(given):
        raise ValueError("Write the day as 2026-11-28.")
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ValueError("There is no such day.") from None


GivenDay = Annotated[date, BeforeValidator(_day), Field(examples=["2026-11-28"])]
"""A day in a query. Numbers, which could be seconds since 1970, are none."""


def line(most: int, *, least: int = 1, **more: Any) -> Any:
    """A field for a text of `least` to `most` characters without NUL, which no column can store."""
    return Field(min_length=least, max_length=most, pattern=r"^[^\x00]*$", **more)


class PageQuery(In):
    """Which page of a list. Counted from 1."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    per_page: Annotated[int, Field(ge=1, le=MOST_PER_PAGE)] = 20

    @property
    def offset(self) -> int:
        """How many items stand before this page."""
        return (self.page - 1) * self.per_page


def page_of(items: Sequence[Any], query: PageQuery) -> dict[str, Any]:
    """The page that was asked for, of a list that is known as a whole."""
    shown = items[query.offset : query.offset + query.per_page]
    return {"items": list(shown), "page": query.page, "per_page": query.per_page, "total": len(items)}


class Page(Out, Generic[Item]):
    """A page of a list; the `Link` header names the first, previous, next and last."""

    items: list[Item]
    page: int
    per_page: int
    total: int
