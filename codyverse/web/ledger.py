"""Why did I get this: every entry of the learner's ledger with its reason."""

from flask import Blueprint, request
from werkzeug.wrappers import Response

from codyverse.gamification import queries as game
from codyverse.web.access import access, principal
from codyverse.web.render import page
from codyverse.web.security import BIGINT_MAX

bp = Blueprint("ledger", __name__)
PER_PAGE = 50


@bp.get("/ledger")
@access("learner")
def show() -> Response:
    """The newest entries, or those before a given one; of one currency if asked."""
    before = request.args.get("before", "")
    before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else BIGINT_MAX
    currency = request.args.get("currency")
    chosen = currency if currency in {"xp", "coins", "gems"} else None
    return page(
        "pages/ledger/ledger.html",
        ledger=game.ledger_page(principal().id, before_id, chosen, PER_PAGE),
        currency=chosen,
    )
