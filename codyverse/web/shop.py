"""The shop: what there is, buying, putting on what was bought."""

import secrets

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.gamification import shop
from codyverse.http.access import access, principal
from codyverse.web.render import left_out, page

bp = Blueprint("shop", __name__, url_prefix="/shop")


@bp.get("")
@access("learner")
def show() -> Response:
    """The shelf: prices, what is worn, what cannot be bought yet and why."""
    who = principal()
    if "coins" in who.preferences.hidden:
        return left_out("Coins and gems")
    stock = shop.shop(who.id, now())
    return page("pages/shop/shop.html", shop=stock, nonce=secrets.token_urlsafe(12))


@bp.post("/<item>/purchases")
@access("learner")
def buy(item: str) -> Response:
    """Buy something; the same form sent twice buys once."""
    with unit_of_work():
        bought = shop.purchase(principal().id, item, request.form.get("nonce", ""))
    flash(f"Bought: {bought.name}.")
    return redirect(url_for(".show", _anchor=f"item-{bought.key}"), 303)


@bp.post("/wear")
@access("learner")
def wear() -> Response:
    """Put on what was bought, or take it off."""
    item = request.form.get("item") or None
    with unit_of_work():
        shop.wear(principal().id, request.form.get("kind", ""), item)
    return redirect(url_for(".show", _anchor=f"item-{item}" if item else None), 303)
