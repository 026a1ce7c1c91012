"""Study time in words: one rule on all pages, the one by which goals count minutes."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from codyverse.archives import writing
from tests.domains.study import Plan, answer_all, complete, make_course, start
from tests.factories import make_user
from tests.web.visits import Page, Visitor

ADA = "ada@example.org"


def told(page: Page) -> list[str]:
    """The study times among a page's facts."""
    return [each.text_content() for each in page.css("dd") if each.getprevious().text == "Study time"]


@pytest.mark.parametrize(
    ("seconds", "words", "in_calendar"),
    [(24, "less than a minute", "<1"), (60, "1 minute", "1"), (119, "1 minute", "1")],
)
def test_a_short_lesson_took_equally_long_everywhere(
    app: Flask, time_machine, seconds: int, words: str, in_calendar: str
) -> None:
    time_machine.move_to(datetime(2026, 6, 1, 12, tzinfo=UTC), tick=False)
    [lesson] = make_course(Plan(asks=1))
    ada = make_user(email=ADA, name="Ada")
    attempt = start(ada, lesson)
    time_machine.shift(timedelta(seconds=seconds))
    answer_all(ada, attempt)
    complete(ada, attempt)
    visitor = Visitor(app).sign_in(ADA)
    assert told(visitor.get(f"/lessons/{lesson}/attempts/{attempt}")) == [words]
    page = visitor.get("/progress")
    assert told(page) == [words]
    assert f"In June 2026: 1 lesson, {words}, 100 % right" in page.text
    [cell] = page.css(".calendar-minutes")
    assert [each.text_content() for each in cell] == [in_calendar, f"{words}, 1 lesson"]
    with app.test_request_context(), zipfile.ZipFile(io.BytesIO(writing.make(ada).data)) as archive:
        assert f"<td>{words}</td>" in archive.read("index.html").decode()
