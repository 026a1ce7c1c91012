"""Pages and their pieces: one template serves both."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, make_response, render_template
from jinja2_fragments.flask import render_block, render_blocks

from codyverse.core.clock import now
from codyverse.core.resilience import is_unconfirmed
from codyverse.gamification import queries as game
from codyverse.gamification.queries import PlayerCard
from codyverse.http.access import principal_or_none
from codyverse.notifications import queries as news
from codyverse.notifications.queries import Bell
from codyverse.web import htmx

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def shared(given: dict[str, Any]) -> dict[str, Any]:
    """What every page is given: who is signed in, their standing and their bell for the head of the page.

    What the view has read already, under the same name, is not read again: a page that shows more of the standing,
    such as the last days, brings its own `hud`.
    """
    everything = {"principal": principal_or_none()} | given
    who = everything["principal"]
    if "hud" not in everything:
        card: PlayerCard | None = game.player(who.id, now(), week=False) if who else None
        everything["hud"] = card
    if "bell" not in everything:
        bell: Bell | None = news.bell(who.id, who.preferences.hidden) if who else None
        everything["bell"] = bell
    everything["unconfirmed"] = is_unconfirmed()
    return everything


def local_time(moment: datetime, time_zone: str) -> str:
    """A moment as the clock on the wall there shows it: “9 October 2026, 14:05”. A filter of the templates."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def spoken_date(day: date) -> str:
    """A date in words: “9 October 2026”. A filter of the templates."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def install(app: Flask) -> None:
    """Give the templates their filters."""
    app.add_template_filter(local_time)
    app.add_template_filter(spoken_date)


def page(template: str, status: int = 200, **context: Any) -> Response:
    """A whole page."""
    response = make_response(render_template(template, **shared(context)), status)
    if is_unconfirmed():
        response.headers["Cache-Control"] = "no-store"
    return htmx.vary(response)


def left_out(what: str) -> Response:
    """The page of a mechanic that the learner has left out: only where to have it back."""
    return page("pages/left_out/left_out.html", what=what)


def fragment(template: str, *blocks: str, status: int = 200, **context: Any) -> Response:
    """Some blocks of a page, for htmx to swap in."""
    everything = shared(context)
    html = (
        render_block(template, blocks[0], **everything)
        if len(blocks) == 1
        else render_blocks(template, list(blocks), **everything)
    )
    return htmx.vary(make_response(html, status))
