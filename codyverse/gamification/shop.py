"""The shop: what is on the shelf for a learner, buying, and putting on what was bought."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from codyverse.accounts.game_days import game_date_for, today_of
from codyverse.accounts.queries import Preferences
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.core.events import publish
from codyverse.gamification.events import ItemBought
from codyverse.gamification.numbers import numbers
from codyverse.gamification.settlement import STREAK_COLUMNS, streak_columns
from codyverse.gamification.shop_catalogue import Item, shelf
from codyverse.gamification.streak_care import facts_of

_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Offer:
    """An item as it stands for one learner. `refusal` is why it cannot be bought now: held, weekly, level, price or ""."""

    item: Item
    owned: bool
    worn: bool
    missing: int
    refusal: str


@dataclass(frozen=True, slots=True)
class Shop:
    """The shelf for one learner, and what they have to spend. `freezes` held of at most `most_freezes`."""

    offers: tuple[Offer, ...]
    coins: int
    gems: int
    freezes: int
    most_freezes: int


@dataclass(frozen=True, slots=True)
class _Buyer:
    coins: int
    gems: int
    level: int
    outfit: str | None
    world: str | None
    weekly: bool
    sees_levels: bool
    owned: frozenset[str]
    freezes: int


_BUYER = text("""
    select player.coins, player.gems, player.level, player.outfit, player.world, users.preferences,
           (select array_agg(distinct item) from purchases where user_id = users.id and kind <> 'freeze') as owned
    from users join players as player on player.user_id = users.id
    where users.id = :user_id
""")
_EARLIER = text("select item from purchases where user_id = :user_id and nonce = :nonce")
_BUY = text("""
    with bought as (
        insert into purchases (user_id, kind, item, currency, price, nonce, local_date, bought_at)
        values (:user_id, :kind, :item, :currency, :price, :nonce, :local_date, :at)
        on conflict do nothing
        returning id
    ), entry as (
        insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at, details)
        select :user_id, :currency, -:price, 'purchase', 'purchase:' || id, :local_date, :at, :details from bought
        returning currency, amount
    )
    update players set
        coins = coins + case when entry.currency = 'coins' then entry.amount else 0 end,
        gems = gems + case when entry.currency = 'gems' then entry.amount else 0 end
    from entry where players.user_id = :user_id
    returning players.coins
""").bindparams(bindparam("details", type_=JSONB))
"""The purchase, its entry and the new balance, in one statement: all of it or, when it was bought before, nothing."""

_KEEP_STREAK = text(f"""
    update players set {", ".join(f"{name} = :{name}" for name in STREAK_COLUMNS)}
    where user_id = :user_id
""")  # noqa: S608 - only the column names
_WEAR = {
    kind: text(f"""
        update players set {kind} = cast(:item as text)
        where user_id = :user_id and (cast(:item as text) is null or exists (
            select from purchases where user_id = :user_id and kind = :kind and item = :item
        ))
        returning user_id
    """)  # noqa: S608 - only the column's name
    for kind in ("outfit", "world")
}


def shop(user_id: int, at: datetime) -> Shop:
    """The shelf as it stands for this learner at the moment `at`. Writes nothing."""
    buyer = _buyer(user_id, today_of(user_id, at))
    offers = tuple(_offer(item, buyer) for item in shelf() if item.sold or item.key in buyer.owned)
    return Shop(offers, buyer.coins, buyer.gems, buyer.freezes, numbers().most_freezes)


def purchase(user_id: int, key: str, nonce: str) -> Item:
    """Buy something, in one transaction. The same `nonce` again buys nothing more and says the same.

    Raises NotFound, Invalid for a nonce that is none, and Conflict for what cannot be bought: too dear, of a higher
    level, owned, more freezes than may be held, or another item under a used nonce.
    """
    item = next((each for each in shelf() if each.key == key), None)
    if item is None:
        raise NotFound("The shop has nothing of that name.")
    if not _NONCE.fullmatch(nonce):
        raise Invalid(
            {
                "nonce": [
                    "The purchase carries no proper number of its own: open the shop again and buy from there."
                ]
            }
        )
    at = now()
    today = game_date_for(user_id, at)
    which = {"user_id": user_id, "nonce": nonce}
    earlier = session.connection().execute(_EARLIER, which).scalar()
    if earlier is not None:
        if earlier != key:
            raise Conflict("This purchase was made already, for another item: nothing was bought now.")
        return item
    _must_be_possible(item, _buyer(user_id, today))
    _buy(user_id, item, nonce, at, today)
    return item


def _buy(user_id: int, item: Item, nonce: str, at: datetime, today: date) -> None:
    values = {
        "user_id": user_id,
        "kind": item.kind,
        "item": item.key,
        "currency": item.currency,
        "price": item.price,
        "nonce": nonce,
        "local_date": today,
        "at": at,
        "details": {"item": item.key, "name": item.name},
    }
    if session.connection().execute(_BUY, values).one_or_none() is None:
        raise Conflict("This was bought at the same moment: it is yours already.")
    if item.kind == "freeze":
        columns = streak_columns(facts_of(user_id).course().streak)
        session.connection().execute(_KEEP_STREAK, {"user_id": user_id, **columns})
    publish(ItemBought(user_id, item.key, item.kind, at, today))


def wear(user_id: int, kind: str, key: str | None) -> None:
    """Put on an outfit or a world that was bought, or take it off (None). Raises NotFound. Again is harmless."""
    if kind not in _WEAR:
        raise NotFound("There is nothing of that kind to wear.")
    values: dict[str, Any] = {"user_id": user_id, "kind": kind, "item": key}
    if session.connection().execute(_WEAR[kind], values).one_or_none() is None:
        raise NotFound("You do not have that.")


def _buyer(user_id: int, today: date) -> _Buyer:
    row = session.connection().execute(_BUYER, {"user_id": user_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    preferences = Preferences.read(row.preferences)
    freezes = facts_of(user_id).course(today).streak.freezes
    return _Buyer(
        coins=row.coins,
        gems=row.gems,
        level=row.level,
        outfit=row.outfit,
        world=row.world,
        weekly=preferences.streak_mode == "weekly",
        sees_levels="xp" not in preferences.hidden,
        owned=frozenset(row.owned or ()),
        freezes=freezes,
    )


def _offer(item: Item, buyer: _Buyer) -> Offer:
    owned = item.once and item.key in buyer.owned
    purse = buyer.coins if item.currency == "coins" else buyer.gems
    missing = max(0, item.price - purse)
    worn = item.key in (buyer.outfit, buyer.world)
    return Offer(item, owned, worn, missing, "" if owned else _refusal(item, buyer, missing))


def _refusal(item: Item, buyer: _Buyer, missing: int) -> str:
    if item.kind == "freeze" and buyer.weekly:
        return "weekly"
    if item.kind == "freeze" and buyer.freezes >= numbers().most_freezes:
        return "held"
    if item.level > buyer.level:
        return "level"
    return "price" if missing else ""


def _must_be_possible(item: Item, buyer: _Buyer) -> None:
    offer = _offer(item, buyer)
    if offer.owned:
        raise Conflict("You have that already.")
    says = {
        "weekly": "Your streak counts weeks, and these need no freezes.",
        "held": f"You hold {buyer.freezes} freezes already, and more than that cannot be held.",
        "level": f"{item.name} can be bought {f'from level {item.level} on' if buyer.sees_levels else 'later'}.",
        "price": f"{item.name} costs {item.price} {item.currency}; {offer.missing} are missing yet.",
    }
    if offer.refusal:
        raise Conflict(says[offer.refusal])
    if not item.sold:
        raise Conflict("This is no longer sold.")
