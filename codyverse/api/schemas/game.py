"""The game as JSON."""

from typing import Annotated, Any, Literal

from pydantic import Field

from codyverse.api.schemas.common import Day, Flag, GivenDay, Id, In, Moment, Out, PageQuery
from codyverse.api.schemas.notifications import NotificationOut

Currency = Literal["xp", "coins", "gems"]
Intensity = Literal["casual", "regular", "serious"]
GoalKind = Literal["lessons", "xp", "minutes", "first_try", "right", "mended"]
Rule = Literal["lesson", "lesson_again", "goal", "all_goals", "level", "badge", "quest", "purchase"]
Share = Annotated[float, Field(ge=0, le=1)]


class LevelOut(Out):
    """A level and the XP at which it begins."""

    number: int
    name: str
    icon: str
    threshold: int


class LevelUpOut(Out):
    """A level that was reached, the gems that it brought, and what it opened in the shop."""

    number: int
    name: str
    icon: str
    gems: int
    opens: list[str]


class BadgeOut(Out):
    """A badge. `earnedOn` is the learner's date, null before; `soFar` of `atLeast` is how far they are."""

    key: str
    name: str
    says: str
    category: Literal["study", "achievement", "streak", "social", "special"]
    rarity: Literal["common", "rare", "epic", "legendary"]
    sign: str
    xp: int
    coins: int
    earned_on: Day | None
    so_far: int
    at_least: int
    progress: str


class BadgesQuery(PageQuery):
    """Which badges."""

    category: Literal["study", "achievement", "streak", "social", "special"] | None = None
    earned: Annotated[Flag | None, Field(description="Only those that are earned, or are not yet.")] = None


class GoalOut(Out):
    """A goal of a day. `progress` may go beyond `target`; `coins` are what it pays or paid."""

    slot: int
    kind: GoalKind
    target: int
    progress: int
    coins: int
    reached: bool


class PastGoalOut(Out):
    """A goal of a day that is over."""

    slot: int
    kind: GoalKind
    target: int
    coins: int
    reached: bool


class PastDayOut(Out):
    """A day that is over, with its goals as they ended."""

    date: Day
    goals: list[PastGoalOut]


class GoalsQuery(In):
    """How much of the past to tell."""

    days: Annotated[int, Field(ge=0, le=60, description="How many past days at most.")] = 7
    before: Annotated[GivenDay | None, Field(description="Past days before this one.")] = None


class GoalsOut(Out):
    """Today's three goals, how much was chosen to be asked from tomorrow on, and past days, newest first."""

    date: Day
    intensity: Intensity
    goals: list[GoalOut]
    targets: Annotated[
        dict[Intensity, dict[GoalKind, int]], Field(description="What each intensity asks, by kind.")
    ]
    past: list[PastDayOut]


class IntensityIn(In):
    """How much the goals ask, from tomorrow on; today's stay as they are."""

    intensity: Intensity


class LedgerQuery(PageQuery):
    """Which entries."""

    currency: Currency | None = None
    rule: Rule | None = None
    since: Annotated[GivenDay | None, Field(description="From this local date on.")] = None
    until: Annotated[GivenDay | None, Field(description="Up to this local date.")] = None


class LedgerEntryOut(Out):
    """A movement of one currency, and why. Spending is negative. `rule` and `source` together are unique."""

    id: Id
    currency: Currency
    amount: int
    rule: str
    source: str
    reason: str
    local_date: Day
    created_at: Moment
    attempt_id: Id | None
    lesson_id: Id | None


class LeaderboardQuery(In):
    """Which week."""

    period: Literal["this", "last"] = "this"


class PlaceOut(Out):
    """A member under the name of this week. `xp` is lesson XP, each day up to 200."""

    rank: int
    pseudonym: str
    xp: int
    lessons: int
    me: bool


class QuestOut(Out):
    """What all who joined do together, also those who left: `lessons` of `target`, each counted once for each of them."""

    lessons: int
    target: int
    coins: int
    reached: bool


class LeaderboardOut(Out):
    """A learner's league of one week. `week` is its Monday; null, and no places, for whoever is in none."""

    taking_part: bool
    period: Literal["this", "last"]
    week: Day | None
    closed: bool
    places: list[PlaceOut]
    quest: QuestOut | None


class LeagueIn(In):
    """Whether to take part in the weekly leagues."""

    taking_part: bool


class ItemOut(Out):
    """Something in the shop: its price in coins or gems, and the level from which it can be bought."""

    key: str
    kind: Literal["freeze", "outfit", "world"]
    name: str
    says: str
    currency: Literal["coins", "gems"]
    price: int
    level: int
    sold: bool


class OfferOut(Out):
    """An item as it stands for the learner. `refusal` says why it cannot be bought now, null if it can."""

    item: ItemOut
    owned: bool
    worn: bool
    missing: Annotated[int, Field(ge=0, description="How much of its currency is missing.")]
    refusal: Literal["held", "weekly", "level", "price"] | None


class ShopOut(Out):
    """The shelf, and what there is to spend. `freezes` are held, of `mostFreezes`."""

    offers: list[OfferOut]
    coins: int
    gems: int
    freezes: int
    most_freezes: int


class PurchaseOut(Out):
    """What was bought, and what is left."""

    item: ItemOut
    coins: int
    gems: int
    freezes: int


class WearIn(In):
    """Put on something that was bought, or with null take it off."""

    kind: Literal["outfit", "world"]
    item: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", examples=["scarf"])] | None


class WornOut(Out):
    """What Cody and the pages wear."""

    outfit: str | None
    world: str | None


# --- the dashboard ---


class PlayerOut(Out):
    """Who it is and how far they are. All about XP is null for whoever left XP out; at the top `xpToNext` is null."""

    id: Id
    name: str
    total_xp: Annotated[int | None, Field(alias="totalXP")]
    level: int | None
    level_name: str | None
    level_icon: str | None
    xp_to_next: int | None
    xp_progress: Share | None


class WalletOut(Out):
    """Coins and gems."""

    coins: int
    gems: int
    total_coins_earned: int
    total_coins_spent: int


class StreakOut(Out):
    """Days in a row, or weeks. `mend` is the missed day that a second lesson today would repair."""

    current: int
    best: int
    unit: Literal["days", "weeks"]
    studied_today: bool
    days_learned: int
    freezes: int
    mend: Day | None


class NewsOut(Out):
    """How many notifications are unread, and the newest of them."""

    unread: int
    latest: list[NotificationOut]


class DashboardOut(Out):
    """A learner's standing. Mechanics that they left out are null, here as on their pages."""

    user: PlayerOut
    wallet: WalletOut | None
    badges: list[BadgeOut] | None
    goals: list[GoalOut] | None
    streak: StreakOut | None
    notifications: NewsOut


def taken(schema: type[Out], source: Any, **more: Any) -> dict[str, Any]:
    """The fields of a schema by name, from something that has them as attributes; `more` stands for those that it has not."""
    names = schema.model_fields.keys() - more.keys()
    return {name: getattr(source, name) for name in names} | more
