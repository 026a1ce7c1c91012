"""Pages and their pieces: one template serves both."""

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from flask import (
    Flask,
    Response,
    current_app,
    has_request_context,
    request,
    url_for,
)
from jinja2_fragments import render_blocks
from markupsafe import Markup

from codyverse.core.clock import now
from codyverse.core.resilience import is_unconfirmed
from codyverse.core.zones import zone_named
from codyverse.courses.queries import CourseCard
from codyverse.gamification import queries as game
from codyverse.http.access import principal_or_none
from codyverse.notifications import queries as news
from codyverse.notifications.dashboard import head
from codyverse.web import htmx
from codyverse.web.form_tokens import form_token

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def shared(given: dict[str, Any]) -> dict[str, Any]:
    """What every page is given: who is signed in, their standing and their bell for the head of the page.

    What the view has read already, under the same name, is not read again: a page that shows more of the standing,
    such as the last days, brings its own `hud`.
    """
    everything = {
        "principal": principal_or_none(),
        "csrf_token": form_token,
        "url_for": _urls(),
        "request": request._get_current_object(),  # type: ignore[attr-defined]
    } | given
    who = everything["principal"]
    everything["unconfirmed"] = is_unconfirmed()
    if who is None:
        return {"hud": None, "bell": None} | everything
    if "hud" not in everything and "bell" not in everything:
        everything["hud"], everything["bell"] = head(who, now())
    elif "hud" not in everything:
        everything["hud"] = game.player(who.id, now(), week=False)
    elif "bell" not in everything:
        everything["bell"] = news.bell(who.id, who.preferences.hidden)
    return everything


def local_time(moment: datetime, time_zone: str) -> str:
    """A moment as the clock on the wall there shows it: “9 October 2026, 14:05”. A filter of the templates."""
    local = moment.astimezone(zone_named(time_zone))
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def spoken_date(day: date) -> str:
    """A date in words: “9 October 2026”. A filter of the templates."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def study_time(seconds: int, *, short: bool = False) -> str:
    """How long somebody studied, in whole minutes as goals count them: “1 minute”, “less than a minute”; `short`: “1”, “<1”.

    A filter of the templates: the only place where pages put study time into words.
    """
    minutes = seconds // 60
    if seconds > 0 and not minutes:
        return "<1" if short else "less than a minute"
    return str(minutes) if short else f"{minutes} {'minute' if minutes == 1 else 'minutes'}"


@lru_cache(maxsize=4096)
def kept_card(course: CourseCard, done: int | None, level: int = 2) -> Markup:
    """A course in a list, drawn once for each number of finished lessons: it depends on nothing else."""
    module = current_app.jinja_env.get_template("components/course_card.html").module
    return Markup(module.course_card(course, done, level))  # type: ignore[attr-defined]  # noqa: S704 - a template's own


def kept_url(endpoint: str, **values: Any) -> str:
    """`url_for` of all templates, also of those that are rendered for nobody who asks, such as mails."""
    return _urls()(endpoint, **values) if has_request_context() else url_for(endpoint, **values)


def _urls() -> Callable[..., str]:
    """`url_for` of a page: the path of an endpoint with the same values is the same each time."""
    return _urls_below(request.environ.get("SCRIPT_NAME", ""))


class _DependsOnMore(Exception):
    """An address that depends on more of the request than where the site stands: on its blueprint or its host."""


@lru_cache(maxsize=8)
def _urls_below(_root: str) -> Callable[..., str]:
    @lru_cache(maxsize=4096, typed=True)
    def path(endpoint: str, **values: Any) -> str:
        if endpoint.startswith(".") or any(name[0] == "_" and name != "_anchor" for name in values):
            raise _DependsOnMore  # which is not kept
        return url_for(endpoint, **values)

    def url(endpoint: str, **values: Any) -> str:
        try:
            return path(endpoint, **values)
        except _DependsOnMore:
            return url_for(endpoint, **values)

    return url


def install(app: Flask) -> None:
    """Give the templates their filters, and what is drawn once."""
    app.add_template_global(kept_url, "url_for")
    app.add_template_global(kept_card)
    app.add_template_filter(local_time)
    app.add_template_filter(spoken_date)
    app.add_template_filter(study_time)


def page(template: str, status: int = 200, **context: Any) -> Response:
    """A whole page. One without a form, as strangers get, is the same each time: then whoever has it is told so (304)."""
    html = current_app.jinja_env.get_template(template).render(shared(context))
    response = current_app.response_class(html, status)
    htmx.vary(response)
    if is_unconfirmed():
        response.headers["Cache-Control"] = "no-store"
    elif status == HTTPStatus.OK and "csrf_token" not in html:
        response.add_etag(weak=True)
        response.make_conditional(request)
    return response


def left_out(what: str) -> Response:
    """The page of a mechanic that the learner has left out: only where to have it back."""
    return page("pages/left_out/left_out.html", what=what)


def fragment(template: str, *blocks: str, status: int = 200, **context: Any) -> Response:
    """Some blocks of a page, for htmx to swap in."""
    everything = shared(context)
    html = render_blocks(current_app.jinja_env, template, blocks, everything)
    return htmx.vary(current_app.response_class(html, status))
