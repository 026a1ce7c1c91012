"""Pages and their pieces: one template serves both."""

from typing import Any

from flask import Response, make_response, render_template
from jinja2_fragments.flask import render_block, render_blocks

from codyverse.core.clock import now
from codyverse.gamification import queries as game
from codyverse.gamification.queries import PlayerCard
from codyverse.web import htmx
from codyverse.web.access import principal_or_none


def shared(context: dict[str, Any]) -> dict[str, Any]:
    """What every page is given besides its own: who is signed in, and their standing for the head of the page.

    A page that shows more of the standing, such as the last days, brings its own `hud`.
    """
    who = principal_or_none()
    if "hud" in context:
        return {"principal": who} | context
    card: PlayerCard | None = game.player(who.id, now(), week=False) if who else None
    return {"principal": who, "hud": card} | context


def page(template: str, status: int = 200, **context: Any) -> Response:
    """A whole page."""
    response = make_response(render_template(template, **shared(context)), status)
    return htmx.vary(response)


def fragment(template: str, *blocks: str, status: int = 200, **context: Any) -> Response:
    """Some blocks of a page, for htmx to swap in."""
    everything = shared(context)
    html = (
        render_block(template, blocks[0], **everything)
        if len(blocks) == 1
        else render_blocks(template, list(blocks), **everything)
    )
    return htmx.vary(make_response(html, status))
