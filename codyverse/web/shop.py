"""The shop: what there is, buying, putting on what was bought."""

import secrets

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.gamification import shop
from codyverse.http.access import access, principal
from codyverse.http.errors import STATUS
from codyverse.http.repeating import harmless_again
from codyverse.web import htmx
from codyverse.web.render import left_out, page

bp = Blueprint("shop", __name__, url_prefix="/shop")
AT_ITEM, PAID_AT_ITEM = "at-item-", "paid-at-item-"
"""Messages of these categories stand at their item, to which the page has been scrolled, not above the page."""


@bp.get("")
@access("learner")
def show() -> Response:
    """The shelf: prices, what is worn, what cannot be bought yet and why."""
    who = principal()
    if "coins" in who.preferences.hidden:
        return left_out("Coins and gems")
    return _shelf()


def _shelf(status: int = 200, refused: str = "") -> Response:
    stock = shop.shop(principal().id, now())
    return page(
        "pages/shop/shop.html",
        status,
        shop=stock,
        nonce=secrets.token_urlsafe(12),
        refused=refused,
        at_item=AT_ITEM,
        paid_at_item=PAID_AT_ITEM,
    )


@bp.post("/<item>/purchases")
@access("learner")
@harmless_again
def buy(item: str) -> Response:
    """Buy something; the same form sent twice buys once. What cannot be bought is told on the shelf as it is now."""
    who = principal()
    try:
        with unit_of_work():
            bought = shop.purchase(who.id, item, request.form.get("nonce", ""))
    except (Conflict, Invalid) as fault:
        if htmx.wants_fragment() or "coins" in who.preferences.hidden:
            raise
        return _shelf(STATUS[type(fault)], fault.message)
    flash(f"Bought: {bought.name}.", PAID_AT_ITEM + bought.key)
    return redirect(url_for(".show", _anchor=f"item-{bought.key}"), 303)


@bp.post("/wear")
@access("learner")
def wear() -> Response:
    """Put on what was bought, or take it off."""
    item = request.form.get("item") or None
    with unit_of_work():
        shop.wear(principal().id, request.form.get("kind", ""), item)
    if item is None:
        flash("Taken off." if request.form["kind"] == "outfit" else "The usual colours are back.")
    else:
        flash("Put on." if request.form["kind"] == "outfit" else "In use.", AT_ITEM + item)
    return redirect(url_for(".show", _anchor=f"item-{item}" if item else None), 303)
