"""Reads of the ledger: its pages, one entry, the rules there are to filter by."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text

from codyverse.core.asking import ask, ask_one
from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.gamification.explain import MECHANIC_OF, RULES, Rule, reason, reason_without, rule_of, traces

_PAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry of the ledger with its reason in a plain sentence."""

    id: int
    currency: str
    amount: int
    rule: str
    source: str
    reason: str
    local_date: date
    created_at: datetime
    attempt_id: int | None
    lesson_id: int | None = None

    def said(self, hidden: frozenset[str]) -> str:
        """The reason for somebody who has left out these mechanics: theirs are not named."""
        return reason_without(self.rule, self.source, self.reason, hidden)

    def names_nothing_of(self, hidden: frozenset[str]) -> bool:
        """Whether its rule and source may be shown to somebody who has left out these mechanics."""
        return not traces(self.rule, self.source, hidden)


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some entries, newest first. `next_before_id` asks for the page after it; None at the end."""

    entries: tuple[EntryLine, ...]
    next_before_id: int | None


ENTRY = "id, currency, amount, rule, source, details, local_date, created_at, attempt_id"
_PAGE = text(f"""
    select {ENTRY} from ledger_entries
    where user_id = :user_id and id < :before_id and currency = any(cast(:currencies as text[]))
        and (cast(:rule as text) is null or rule = cast(:rule as text))
        and not (rule = 'badge' and :without_badges)
    order by id desc limit :limit
""")  # noqa: S608 - only the column list above
CURRENCIES = ("xp", "coins", "gems")


def ledger_page(
    user_id: int,
    before_id: int | None = None,
    currency: str | None = None,
    limit: int = 50,
    *,
    rule: str | None = None,
    currencies: Iterable[str] = CURRENCIES,
    hidden: Container[str] = frozenset(),
) -> LedgerPage:
    """The learner's entries below `before_id` (None: from the newest), newest first, by currency and rule if asked.

    `currencies` are those that may be shown at all; whoever has `hidden` badges sees no entries of theirs.
    """
    size = max(1, min(limit, _PAGE_MAX))
    values: dict[str, Any] = {
        "user_id": user_id,
        "before_id": 2**63 - 1 if before_id is None else before_id,
        "currencies": [each for each in currencies if currency in (None, each)],
        "rule": rule,
        "without_badges": "badges" in hidden,
        "limit": size + 1,
    }
    lines = [line(row) for row in ask(_PAGE, values)]
    return LedgerPage(tuple(lines[:size]), lines[size - 1].id if len(lines) > size else None)


_WANTED = """
    from ledger_entries
    where user_id = :user_id and (cast(:currency as text) is null or currency = cast(:currency as text))
        and (cast(:rule as text) is null or rule = cast(:rule as text))
        and local_date between :since and :until
"""
_SLICE = text(f"""
    with chosen as materialized (select id {_WANTED} order by id desc offset :offset limit :limit)
    select {ENTRY} {_WANTED} and id between (select min(id) from chosen) and (select max(id) from chosen)
    order by id desc
""")  # noqa: S608 - only the texts above
"""Entries that stand before the page are passed over in an index, without being read."""
_COUNT = text(f"select count(*) {_WANTED}")


@dataclass(frozen=True, slots=True)
class LedgerSlice:
    """Some entries, newest first, of `total` that were asked for."""

    entries: tuple[EntryLine, ...]
    total: int


def ledger_slice(
    user_id: int,
    *,
    offset: int,
    limit: int,
    currency: str | None = None,
    rule: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> LedgerSlice:
    """The learner's entries after the first `offset` of those that were asked for: by currency, rule, local dates. Two statements."""
    values: dict[str, Any] = {
        "user_id": user_id,
        "currency": currency,
        "rule": rule,
        "since": since or date.min,
        "until": until or date.max,
    }
    connection = session.connection()
    total = connection.execute(_COUNT, values).scalar_one()
    rows = connection.execute(_SLICE, values | {"offset": offset, "limit": min(limit, _PAGE_MAX)})
    return LedgerSlice(tuple(line(row) for row in rows), total)


_ONE = text(f"select {ENTRY} from ledger_entries where user_id = :user_id and id = :entry_id")  # noqa: S608 - as above
_RULES = text("""
    select wanted.rule
    from unnest(cast(:rules as text[]), cast(:currencies as text[])) with ordinality as wanted (rule, currencies, place)
    where exists (
        select from ledger_entries as entry
        where entry.user_id = :user_id and entry.currency = any(string_to_array(wanted.currencies, ','))
            and entry.rule = wanted.rule
    ) order by wanted.place
""")
"""Each rule is looked for in the currencies in which it pays, and in no other: each is a way down an index."""


def ledger_entry(user_id: int, entry_id: int) -> EntryLine:
    """One entry of the learner's own. Raises NotFound."""
    row = ask_one(_ONE, {"user_id": user_id, "entry_id": entry_id})
    if row is None:
        raise NotFound("There is no such entry.")
    return line(row)


def ledger_rules(
    user_id: int, currencies: Iterable[str] = CURRENCIES, hidden: Container[str] = frozenset()
) -> tuple[Rule, ...]:
    """The rules by which the learner has entries of these currencies, to filter by; not those of hidden mechanics."""
    shown = frozenset(currencies)
    wanted = {
        rule.key: ",".join(each for each in rule.currencies if each in shown)
        for rule in RULES
        if MECHANIC_OF.get(rule.key) not in hidden
    }
    values = {"user_id": user_id, "rules": list(wanted), "currencies": list(wanted.values())}
    return tuple(rule_of(key) for key in session.connection().execute(_RULES, values).scalars())


def line(row: Row[*tuple[Any, ...]]) -> EntryLine:
    return EntryLine(
        row.id,
        row.currency,
        row.amount,
        row.rule,
        row.source,
        reason(row.rule, row.source, row.details),
        row.local_date,
        row.created_at,
        row.attempt_id,
        row.details.get("lesson_id"),
    )
