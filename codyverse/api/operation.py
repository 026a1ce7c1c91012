"""What one operation of the API is: declared once beside its view; checks, answers and documentation come from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from flask import Blueprint
from pydantic import BaseModel, TypeAdapter

from codyverse.http.access import Policy

bp = Blueprint("api", __name__, url_prefix="/api")
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
OPERATIONS: dict[str, "Operation"] = {}
"""All operations by their id, in the order in which they were declared."""


@dataclass(frozen=True, slots=True)
class Written:
    """Data that is JSON already, in the shape that is declared for its status: made once, sent as it is."""

    json: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a view answers: `data` for the declared schema (a model, or what it validates from), and how to tell it.

    `location` is the address of what was made; `version` stands for the ETag where the domain keeps one; `link` gives
    the Link header's parts. What is `fleeting` changes by the mere passing of time and is not kept. `status` None is the declared one.
    """

    data: Any = None
    message: str = "OK"
    status: int | None = None
    location: str | None = None
    version: str | None = None
    fleeting: bool = False
    headers: dict[str, str] = field(default_factory=dict)


View = Callable[..., Reply]


@dataclass(frozen=True)
class Operation:
    """One method at one path.

    `errors` are the codes that it may answer with besides those that follow from the rest; `also` are further
    statuses of success; `secret` marks answers that are kept only encrypted; `needs_key` refuses a POST without an
    Idempotency-Key; `conditional` reads If-Match; `body_optional` takes no body for an empty one; `limits` are rate
    limits besides the general one; `links` say what can follow: operation → its parameter → where the answer holds it
    (an OpenAPI runtime expression). With `media` the answer is text of that type, without an envelope.
    `of_content` says that the answer depends on the path, the query and the courses alone, never on who asks: it is kept
    until somebody writes courses. `version`, called as the view would be, tells under which name and version an answer
    to a person is kept, or None; `brings` are the riders that it needs (accounts.riders). `meanwhile` is what a GET answers
    with status 202 while that which it is about is being made.
    """

    id: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str
    policy: Policy
    scope: str | None
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    returns: Any
    status: int
    also: tuple[int, ...]
    errors: tuple[str, ...]
    secret: bool
    needs_key: bool
    conditional: bool
    body_optional: bool
    example: Any
    limits: tuple[Callable[[Any], Any], ...]
    links: dict[str, dict[str, str]]
    media: str | None
    of_content: bool
    brings: tuple[str, ...]
    version: Callable[..., tuple[str, str] | None] | None
    meanwhile: type[BaseModel] | None
    view: View

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates and writes what the view returns."""
        return TypeAdapter(self.returns)

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"


def leads_to(*operations: str, **parameters: str) -> dict[str, dict[str, str]]:
    """Links: each of these operations can follow, its parameters taken from these places of the answer."""
    return {name: dict(parameters) for name in operations}


def operation(
    method: Method,
    path: str,
    id: str,  # noqa: A002 - the contract's word
    *,
    tag: str,
    summary: str,
    policy: Policy = "learner",
    scope: str | None = None,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    returns: Any = None,
    status: int | None = None,
    also: tuple[int, ...] = (),
    errors: tuple[str, ...] = (),
    secret: bool = False,
    needs_key: bool = False,
    conditional: bool = False,
    body_optional: bool = False,
    example: Any = None,
    limits: tuple[Callable[[Any], Any], ...] = (),
    links: dict[str, dict[str, str]] | None = None,
    media: str | None = None,
    of_content: bool = False,
    brings: tuple[str, ...] = (),
    version: Callable[..., tuple[str, str] | None] | None = None,
    meanwhile: type[BaseModel] | None = None,
) -> Callable[[View], View]:
    """Declare the view below as an operation. Its docstring is the description.

    The view gets the path's parts, `body` and `query` if they are declared, by name; it returns a Reply and raises
    the domains' errors. Writes run inside one unit of work, so it opens none. Without `returns` the status is 204.
    """

    def declare(view: View) -> View:
        from codyverse.api.running import endpoint

        found = Operation(
            id=id,
            method=method,
            path=path,
            tag=tag,
            summary=summary,
            description=(view.__doc__ or "").strip(),
            policy=policy,
            scope=scope,
            body=body,
            query=query,
            returns=returns,
            status=status or (200 if returns is not None or media is not None else 204),
            also=also if meanwhile is None else (*also, 202),
            errors=errors,
            secret=secret,
            needs_key=needs_key,
            conditional=conditional,
            body_optional=body_optional,
            example=example,
            limits=limits,
            links=links or {},
            media=media,
            of_content=of_content,
            brings=brings,
            version=version,
            meanwhile=meanwhile,
            view=view,
        )
        if id in OPERATIONS:
            raise RuntimeError(f"two operations are called {id}")
        OPERATIONS[id] = found
        bp.add_url_rule(path, endpoint=id, view_func=endpoint(found), methods=[method])
        return view

    return declare
