"""The wallet: every entry of the learner's ledger with its reason, to filter, to look into and to take along."""

import csv
import io
from collections.abc import Callable, Iterator
from functools import partial

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.wrappers import Response as AnyResponse

from codyverse.core.errors import NotFound
from codyverse.gamification import queries as game
from codyverse.gamification.explain import MECHANIC_OF, RULES, rule_of
from codyverse.gamification.queries import EntryLine, LedgerPage
from codyverse.http.access import access, principal
from codyverse.http.security import BIGINT_MAX
from codyverse.web.render import left_out, page

bp = Blueprint("ledger", __name__)
PER_PAGE = 50
BATCH = 200
COLUMNS = ("date", "time", "currency", "amount", "rule", "reason", "source", "lesson", "attempt")


def _shown() -> tuple[str, ...]:
    """The currencies that this learner has not left out."""
    hidden = principal().preferences.hidden
    return tuple(each for each in game.CURRENCIES if ("xp" if each == "xp" else "coins") not in hidden)


def _filters() -> tuple[str | None, str | None]:
    """Currency and rule as they were asked for; None for all."""
    currency, rule = request.args.get("currency"), request.args.get("rule")
    hidden = principal().preferences.hidden
    known = {each.key for each in RULES if MECHANIC_OF.get(each.key) not in hidden}
    return (currency if currency in _shown() else None, rule if rule in known else None)


@bp.get("/ledger")
@access("learner")
def show() -> AnyResponse:
    """The newest entries, or those before a given one; of one currency or rule if asked."""
    currencies = _shown()
    if not currencies:
        return left_out("XP, coins and gems")
    before = request.args.get("before", "")
    before_id = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else BIGINT_MAX
    currency, rule = _filters()
    who = principal()
    hidden = who.preferences.hidden
    found = game.ledger_page(
        who.id, before_id, currency, PER_PAGE, rule=rule, currencies=currencies, hidden=hidden
    )
    return page(
        "pages/ledger/ledger.html",
        ledger=found,
        first=before_id == BIGINT_MAX,
        currency=currency,
        rule=rule,
        rules=game.ledger_rules(who.id, currencies, hidden),
        currencies=currencies,
    )


@bp.get("/ledger/<id:entry_id>")
@access("learner")
def entry(entry_id: int) -> AnyResponse:
    """Why did I get this: one entry, its rule and its numbers."""
    found = game.ledger_entry(principal().id, entry_id)
    if found.currency not in _shown():
        raise NotFound("There is no such entry.")
    traceless = found.names_nothing_of(principal().preferences.hidden)
    return page("pages/ledger/entry.html", entry=found, rule=rule_of(found.rule) if traceless else None)


@bp.get("/ledger.csv")
@access("learner")
def export() -> AnyResponse:
    """All entries that the filters leave, as CSV, in the words of the page, written while they are read."""
    currency, rule = _filters()
    who = principal()
    hidden = who.preferences.hidden
    wanted = partial(game.ledger_page, who.id, currency=currency, rule=rule)
    read = partial(wanted, limit=BATCH, currencies=_shown(), hidden=hidden)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return Response(
        _rows(app, read, hidden),
        mimetype="text/csv",
        headers={
            "Content-Disposition": 'attachment; filename="cody-verse-ledger.csv"',
            "Cache-Control": "no-store",
        },
    )


def _rows(app: Flask, read: Callable[..., LedgerPage], hidden: frozenset[str]) -> Iterator[str]:
    """Line after line. Each batch has a database connection only while it is read, however slowly the browser takes it."""
    yield _row(COLUMNS)
    before: int | None = BIGINT_MAX
    while before is not None:
        with app.app_context():
            found = read(before_id=before)
        yield "".join(_row(_cells(each, hidden)) for each in found.entries)
        before = found.next_before_id


def _cells(each: EntryLine, hidden: frozenset[str]) -> tuple[object, ...]:
    """An entry as the page shows it: rule and source are left empty where they are of what is hidden."""
    named = each.names_nothing_of(hidden)
    return (
        each.local_date.isoformat(),
        each.created_at.isoformat(),
        each.currency,
        each.amount,
        each.rule if named else "",
        _harmless(each.said(hidden)),
        each.source if named else "",
        each.lesson_id or "",
        each.attempt_id or "",
    )


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _row(cells: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
