"""The dashboards: for operators only, right, quiet when there is nothing, and cheap."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from codyverse import jobs
from codyverse.core import heartbeat
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.recorder import Recorder
from codyverse.core.series import write
from codyverse.web.render import spoken_date
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user
from tests.watching import an_hour_of_figures, processes_and_runs
from tests.web.test_queries import counted
from tests.web.visits import Visitor

PAGES = ("/admin/system", "/admin/api", "/admin/learning")


@pytest.fixture
def operator(app: Flask) -> Visitor:
    make_user(email="opal@example.org", name="Opal", role="operator")
    return Visitor(app).sign_in("opal@example.org")


@pytest.mark.parametrize("path", ["/admin", *PAGES])
def test_only_operators_see_them(app: Flask, learner: Visitor, path: str) -> None:
    make_user(email="ann@example.org", role="author")
    author = Visitor(app).sign_in("ann@example.org")
    for visitor in (learner, author):
        visitor.get(path, status=403)
        assert not visitor.get("/dashboard").css('a[href^="/admin"]')


def test_an_operator_finds_them(operator: Visitor) -> None:
    [link] = operator.get("/dashboard").css('a[href^="/admin"]')
    page = operator.get(link.get("href"))
    assert [each.get("href") for each in page.css('nav[aria-label="Dashboards"] a')] == list(PAGES)
    assert operator.get("/admin").response.request.path == "/admin/system"


@pytest.mark.parametrize("path", PAGES)
def test_with_nothing_to_show_they_say_so(operator: Visitor, path: str) -> None:
    page = operator.get(path)
    assert "Nothing" in page.text or "Never ran" in page.text


@pytest.mark.parametrize("range_", ["hour", "day", "month", "nonsense"])
def test_the_api_dashboard_tells_each_endpoint(operator: Visitor, range_: str) -> None:
    recorder = Recorder()
    for _ in range(200):
        recorder.timed("requests", "api.getMe", "200", 0.010)
    for _ in range(7):
        recorder.timed("requests", "api.getMe", "422", 0.010)
    recorder.timed("requests", "api.getMe", "503", 1.5)
    with unit_of_work():
        write(recorder.take())
    page = operator.get(f"/admin/api?range={range_}")
    cells = [each.text_content() for each in page.css("#endpoints-title ~ .scroll tbody tr td")]
    assert (cells[0], cells[6], cells[7]) == ("208", "7", "1")
    assert re.fullmatch(r"\d+(\.\d)? ms", cells[2])
    assert cells[5] == "1.5 s"
    one = operator.get(f"/admin/api?range={range_}&of=api.getMe")
    assert "api.getMe" in one.css("h1")[0].text_content()
    assert operator.get("/admin/api?of=%3Cscript%3E").css("h1")[0].text_content() == "API"


def test_each_chart_has_its_numbers_behind_it(operator: Visitor) -> None:
    an_hour_of_figures()
    processes_and_runs()
    for path, charts in zip(PAGES, (9, 2, 4), strict=True):
        page = operator.get(path)
        figures = page.css("figure.chart")
        assert len(figures) == charts
        for each in figures:
            if not each.cssselect(".chart-empty"):
                names = each.cssselect(".chart-names li")
                heads = each.cssselect("details table thead th")
                assert len(heads) == len(names) + 1
                assert each.cssselect("details table tbody tr")
        assert not page.css("figure.chart svg [style]")


def test_the_system_dashboard_tells_processes_jobs_and_changes(operator: Visitor) -> None:
    an_hour_of_figures()
    processes_and_runs()
    page = operator.get("/admin/system")
    for said in (
        "learn-1:4200",
        "silent",
        "3 mails sent.",
        "The mail server does not answer.",
        "degraded",
        "41",
    ):
        assert said in page.text, said
    part = operator.get("/admin/system", htmx=True)
    assert part.css("#state")
    assert not part.css("h1, header")


def test_the_learning_dashboard_names_lessons(operator: Visitor) -> None:
    [lesson] = make_course(Plan(asks=1))
    do_lesson(make_user(), lesson)
    processes_and_runs()
    page = operator.get("/admin/learning?range=year")
    assert "Lesson 1" in page.text
    assert "100 %" in page.text
    assert operator.get("/admin/learning?range=x").status == 200


def test_old_figures_do_not_pass_for_those_of_today(operator: Visitor, time_machine) -> None:
    [lesson] = make_course(Plan(asks=1))
    do_lesson(make_user(), lesson)
    jobs.run("insights")
    page = operator.get("/admin/learning")
    assert "Learned today" in page.text
    assert "Is a worker running?" not in page.text
    last = now()
    time_machine.move_to(last + timedelta(days=3))
    page = operator.get("/admin/learning")
    assert "Learned today" not in page.text
    assert f"Learned on {spoken_date(last.date())}" in page.text
    assert "Is a worker running?" in page.text


def test_they_cost_the_same_however_much_there_is(operator: Visitor, app: Flask) -> None:
    most = {"/admin/system": 9, "/admin/api": 4, "/admin/learning": 7}
    few = {path: cost(operator, path) for path in PAGES}
    an_hour_of_figures()
    processes_and_runs()
    for path in PAGES:
        assert cost(operator, path) == few[path] <= most[path]


def cost(visitor: Visitor, path: str) -> int:
    with counted() as seen:
        visitor.client.get(path)
    return len(seen)


def asked(operator: Visitor, endpoint: str) -> int:
    """The number in the row of this endpoint, 0 without one."""
    for row in operator.get("/admin/api").css("#endpoints-title ~ .scroll tbody tr"):
        if row.cssselect("th")[0].text_content() == endpoint:
            return int(row.cssselect("td")[0].text_content().replace(",", ""))
    return 0


def test_a_hundred_requests_are_a_hundred_more_on_the_dashboard(app: Flask, operator: Visitor) -> None:
    heart = heartbeat.of(app)
    heart.beat()
    before = asked(operator, "docs.spec")
    client = app.test_client()
    for _ in range(100):
        client.get("/api-spec.json")
    heart.beat()
    assert asked(operator, "docs.spec") == before + 100
