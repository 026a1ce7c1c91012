"""The shop and the leagues over the API."""

from codyverse.accounts.queries import Principal
from codyverse.api.operation import Reply, operation
from codyverse.api.running import nonce_of_key
from codyverse.api.schemas.game import (
    ItemOut,
    LeaderboardOut,
    LeaderboardQuery,
    LeagueIn,
    OfferOut,
    PlaceOut,
    PurchaseOut,
    QuestOut,
    ShopOut,
    WearIn,
    WornOut,
)
from codyverse.core.clock import now
from codyverse.gamification import shop
from codyverse.gamification.leagues import queries, services
from codyverse.gamification.shop import Offer, Shop
from codyverse.http.access import principal

TAG = "Game"


@operation(
    "GET",
    "/gamification/shop",
    "getShop",
    tag=TAG,
    summary="The shop",
    scope="game:read",
    returns=ShopOut,
)
def get_shop() -> Reply:
    """What there is, what you own and wear, and why something cannot be bought yet."""
    found = shop.shop(principal().id, now())
    offers = [_offer(each) for each in found.offers]
    return Reply(
        ShopOut(
            offers=offers,
            coins=found.coins,
            gems=found.gems,
            freezes=found.freezes,
            most_freezes=found.most_freezes,
        )
    )


def _offer(offer: Offer) -> OfferOut:
    told = {"item": offer.item, "refusal": offer.refusal or None}
    return OfferOut.model_validate(
        told | {name: getattr(offer, name) for name in ("owned", "worn", "missing")}
    )


@operation(
    "POST",
    "/gamification/shop/<item_id>/purchases",
    "buyItem",
    tag=TAG,
    summary="Buy something",
    scope="game:write",
    returns=PurchaseOut,
    status=201,
    errors=("NOT_FOUND", "CONFLICT"),
    needs_key=True,
)
def buy_item(item_id: str) -> Reply:
    """It needs an Idempotency-Key: under the same key it is bought and paid once, also after 24 hours.

    409 says why it cannot be bought: too dear, of a higher level, owned already, more freezes than can be held.
    """
    who = principal()
    item = shop.purchase(who.id, item_id, nonce_of_key())
    left = shop.shop(who.id, now())
    return Reply(
        PurchaseOut(
            item=ItemOut.model_validate(item), coins=left.coins, gems=left.gems, freezes=left.freezes
        ),
        f"Bought: {item.name}.",
        location="/api/gamification/shop",
    )


@operation(
    "PUT",
    "/gamification/worn",
    "wearItem",
    tag=TAG,
    summary="Put on what was bought",
    scope="game:write",
    body=WearIn,
    returns=WornOut,
    errors=("NOT_FOUND",),
    example={"kind": "outfit", "item": "scarf"},
)
def wear_item(body: WearIn) -> Reply:
    """With `item` null it is taken off. Again is harmless."""
    who = principal()
    shop.wear(who.id, body.kind, body.item)
    return Reply(_worn(shop.shop(who.id, now())))


def _worn(found: Shop) -> WornOut:
    worn = {offer.item.kind: offer.item.key for offer in found.offers if offer.worn}
    return WornOut(outfit=worn.get("outfit"), world=worn.get("world"))


@operation(
    "GET",
    "/gamification/leaderboard",
    "getLeaderboard",
    tag=TAG,
    summary="Your league of the week",
    scope="game:read",
    query=LeaderboardQuery,
    returns=LeaderboardOut,
)
def get_leaderboard(query: LeaderboardQuery) -> Reply:
    """At most thirty members under invented names. `last` is the latest week before this one in which you were in a league."""
    return Reply(_board(principal(), query))


def _board(who: Principal, query: LeaderboardQuery) -> LeaderboardOut:
    taking_part = who.preferences.leagues and "leagues" not in who.preferences.hidden
    found = queries.board(who.id, now(), query.period) if taking_part else None
    return LeaderboardOut(
        taking_part=taking_part,
        period=query.period,
        week=found.week if found else None,
        closed=found.closed if found else False,
        places=[PlaceOut.model_validate(place) for place in found.places] if found else [],
        quest=QuestOut.model_validate(found.quest) if found else None,
    )


@operation(
    "PUT",
    "/gamification/leagues",
    "chooseLeagues",
    tag=TAG,
    summary="Take part in the leagues, or not",
    scope="game:write",
    body=LeagueIn,
    returns=LeagueIn,
    example={"takingPart": True},
)
def choose_leagues(body: LeagueIn) -> Reply:
    """In: your next new lesson puts you into a league; a place you left this week is yours again. Out: you are gone from this week's board."""
    services.choose(principal().id, wanted=body.taking_part)
    return Reply(body)
