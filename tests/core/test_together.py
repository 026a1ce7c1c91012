"""One fact and what follows from it: known once, written by one statement, or not at all."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.core.together import Call, known, put_down, together

NAMES = text("select display_name from users order by id")


def names_as(name: str) -> Callable[[list[Any]], dict[str, str] | None]:
    def make(values: list[Any]) -> dict[str, str] | None:
        worth = [value for value in values if value]
        return {name: json.dumps(worth)} if worth else None

    return make


ONE = Call("jsonb_array_length(cast(:one as jsonb))", names_as("one"))
OTHER = Call("set_config('cody.told', :other, true)", names_as("other"))


@pytest.fixture
def statements(app: Flask) -> list[str]:
    """What is sent; savepoints belong to the test."""
    seen: list[str] = []
    count_statements(
        db.engine, lambda sql: seen.append(sql) if not sql.startswith(("SAVEPOINT", "RELEASE")) else None
    )
    return seen


def told() -> str | None:
    return session.execute(text("select nullif(current_setting('cody.told', true), '')")).scalar()


def test_all_that_was_put_down_is_one_statement_at_the_end(app: Flask, statements: list[str]) -> None:
    with unit_of_work(), together():
        put_down(ONE, "a")
        with together():
            put_down(OTHER, "b")
        put_down(OTHER, "c % : %(x)s '")
        assert statements == []
    assert len(statements) == 1
    assert statements[0].startswith("select jsonb_array_length(cast(")
    assert told() == '["b", "c % : %(x)s \'"]'


def test_nothing_worth_writing_is_no_statement(app: Flask, statements: list[str]) -> None:
    with unit_of_work(), together():
        put_down(ONE, "")
    assert statements == []


def test_outside_of_a_fact_it_is_written_at_once(app: Flask, statements: list[str]) -> None:
    with unit_of_work():
        put_down(OTHER, "a")
        assert len(statements) == 1
        assert told() == '["a"]'


def test_what_fails_writes_nothing_and_leaves_nothing(app: Flask, statements: list[str]) -> None:
    def fails() -> None:
        with together():
            put_down(ONE, "a")
            raise ValueError("no")

    with unit_of_work(), pytest.raises(ValueError, match="no"):
        fails()
    with unit_of_work(), together():
        put_down(OTHER, "b")
    assert len(statements) == 1
    assert "jsonb_array_length" not in statements[0]


def test_what_is_known_ends_with_its_fact_and_is_about_one_person(app: Flask) -> None:
    with together() as fact:
        fact.known["colour", 1] = None
        assert known("colour", 1, lambda: "asked") is None
        assert known("colour", 2, lambda: "asked") == "asked"
    assert known("colour", 1, lambda: "asked") == "asked"
