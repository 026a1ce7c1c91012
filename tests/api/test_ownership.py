"""One learner with another learner's ids, at every operation: refused or not found, and nothing of theirs is touched."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from flask import Flask

from codyverse.api.operation import OPERATIONS, Operation
from codyverse.core import personal
from tests.api.client import Program
from tests.api.snapshots import changed, state
from tests.api.world import World, make_world
from tests.conftest import undone

ALL = list(OPERATIONS.values())
SHARED = {"lesson_id", "step_id", "course_id", "module_id", "item_id", "slug"}
"""Parts of paths that name what belongs to everybody; all other parts name what belongs to one person."""


def parts_of(op: Operation) -> list[str]:
    """The names of the path's parts, with their owners."""
    rules = (piece.split(">")[0].rpartition(":")[2] for piece in op.path.split("<")[1:])
    return [name for name in rules if name not in SHARED]


@pytest.fixture(scope="module")
def _made(_application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    with undone(_application):
        with _application.app_context():
            folder = tmp_path_factory.mktemp("worlds")
            worlds = [
                make_world(_application, folder / name, "learner", f"{name}@example.org")
                for name in ("ada", "ben")
            ]
            for world in worlds:
                for program in (world.program, world.browser):
                    program.get("/users/me")
        yield worlds


@pytest.fixture
def both(_made: list[World], app: Flask) -> tuple[World, World]:
    """Two learners who own the same sorts of things; what a first use writes has been written."""
    return _made[0], _made[1]


def takeovers(op: Operation, hers: dict[str, Any]) -> list[dict[str, Any]]:
    """All her ids in place of one's own; then each alone."""
    names = parts_of(op)
    assert set(names) <= hers.keys(), f"{op.id}: tests/api/world.py makes nothing for {names}"
    whole = {name: hers[name] for name in names}
    return [whole, *({name: value} for name, value in whole.items() if len(whole) > 1)]


def test_what_belongs_to_another_is_not_there(both: tuple[World, World]) -> None:
    hers, mine = both
    before = state()
    for op in ALL:
        if not parts_of(op):
            continue
        for taken in takeovers(op, hers.ids):
            for by in (mine.program, mine.browser):
                came = mine.send(op, by=by, ids=taken)
                assert came.status in {403, 404}, (
                    f"{op.id} with {taken}: {came.status} {came.response.text[:200]}"
                )
                assert hers.email not in came.response.text
        assert changed(before) == set(), op.id


def test_nothing_in_a_body_reaches_another(both: tuple[World, World]) -> None:
    """Her ids in the fields of a body, and whatever has no owner in its path: nothing of hers is seen or changed."""
    hers, mine = both
    before = kept(hers)
    for op in ALL:
        bodies = [None]
        if op.body is not None:
            own = mine.body(op)
            bodies = [own, *her_ids_in(own, mine, hers)]
        for body in bodies:
            came = mine.send(op, **({} if body is None else {"body": body}))
            assert came.status < 500
            assert hers.email not in came.response.text or op.id == "createToken", op.id
        if op.id == "eraseMe":
            mine = again(mine)
        assert kept(hers) == before, op.id


def her_ids_in(own: dict[str, Any], mine: World, hers: World) -> list[dict[str, Any]]:
    """The body with each value that is one of my ids replaced by hers."""
    swaps = {str(value): hers.ids[name] for name, value in mine.ids.items() if value != hers.ids.get(name)}
    return [own | {name: swaps[str(value)]} for name, value in own.items() if str(value) in swaps]


def again(world: World) -> World:
    """The same person, with a token anew after theirs has ended."""
    stranger = Program(world.app)
    wanted = {"email": world.email, "password": "a long pass phrase", "name": "anew"}
    scopes = sorted({op.scope for op in ALL if op.scope} - {"admin", "progress:report", "courses:write"})
    token = stranger.post("/auth/tokens", wanted | {"scopes": scopes}, status=201).data["token"]
    return World(world.app, world.email, world.user_id, token, world.ids)


def kept(world: World) -> str:
    """All that is kept about a person, but the word to them that somebody has tried to register with their address."""
    tables = dict(personal.export(world.user_id))
    tables["mails"] = [each for each in tables["mails"] if each["kind"] != "address_taken"]
    return repr(sorted(chain.from_iterable((name, repr(rows)) for name, rows in tables.items())))
