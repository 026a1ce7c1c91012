"""Walks every route for the rules of the house."""

import inspect

import pytest
from flask import Flask

from tests.web.visits import HTMX

POLICIES = {"anyone", "stranger", "learner", "author", "operator"}
OPEN_TO_STRANGERS = {
    "pages.landing",
    "pages.gallery",
    "pages.live",
    "api.createToken",
    "api.getCourse",
    "api.getLesson",
    "api.listCourses",
    "api.listLessons",
    "api.register",
    "docs.show",
    "site.cache_stats",
    "site.health",
    "site.show_metrics",
    "docs.spec",
    "accounts.register_form",
    "accounts.register",
    "accounts.sign_in_form",
    "accounts.sign_in",
    "data.goodbye",
    "courses.catalogue",
    "courses.show",
    "mails.unsubscribe_page",
    "mails.unsubscribe",
    "mails.kept",
    "mails.kept_html",
    "passkeys.second",
    "passkeys.sign_in",
    "profiles.show",
    "providers.away",
    "providers.back",
    "recovery.change",
    "recovery.change_page",
    "recovery.confirm",
    "recovery.confirm_page",
    "recovery.forgot",
    "recovery.forgot_form",
    "recovery.reset",
    "recovery.reset_form",
    "second_factor.ask",
    "second_factor.check",
}


def test_every_route_names_its_policy(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        assert getattr(view, "access", None) in POLICIES, rule.endpoint


def test_what_strangers_may_see_is_written_down_here(app: Flask) -> None:
    open_ones = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if app.view_functions[rule.endpoint].access in {"anyone", "stranger"}
    }
    assert open_ones == OPEN_TO_STRANGERS


def test_views_are_short(app: Flask) -> None:
    for name, view in app.view_functions.items():
        lines = len(inspect.getsource(inspect.unwrap(view)).splitlines())
        assert lines <= 40, f"{name} has {lines} lines"


def test_no_route_reads_and_writes_by_the_same_method(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert not ({"GET", "POST"} <= (rule.methods or set())), f"{rule.rule} mixes GET and POST"
        if rule.endpoint.startswith("api."):
            continue
        assert not ({"PUT", "PATCH", "DELETE"} & (rule.methods or set())), (
            f"{rule.rule}: HTML writes are POST"
        )


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_stranger_gets_nothing_of_a_learners(app: Flask, headers: dict[str, str]) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_STRANGERS or "GET" not in (rule.methods or set()):
            continue
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<id:{argument}>", "1").replace(f"<{argument}>", "x")
        response = client.get(path, headers=headers)
        is_page = not headers and not rule.endpoint.startswith("api.")
        assert response.status_code == (303 if is_page else 401), path
