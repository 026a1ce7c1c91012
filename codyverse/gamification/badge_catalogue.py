"""The catalogue of badges: read from `badges.toml`, checked, and put in force for this process."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

CATEGORIES = ("study", "achievement", "streak", "social", "special")
RARITIES = ("common", "rare", "epic", "legendary")
_FILE = Path(__file__).with_name("badges.toml")
_MECHANIC_OF = {
    "level": "xp",
    "full_days": "goals",
    "best_streak": "streak",
    "quests": "leagues",
    "league_weeks": "leagues",
}
_WORDS = ("key", "name", "says", "category", "rarity", "sign", "fact")
_MAY_HAVE = {*_WORDS, "at_least", "where", "xp", "coins"}


class Count(NamedTuple):
    """Something that is counted: a fact by its name, under these conditions."""

    fact: str
    where: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge: earned when `count` reaches `at_least`, and paid once. `says` tells a learner what to do."""

    key: str
    name: str
    says: str
    category: str
    rarity: str
    sign: str
    count: Count
    at_least: int
    xp: int
    coins: int

    @property
    def mechanic(self) -> str | None:
        """The mechanic beside badges of which this one is a trace, None if it is about learning alone."""
        return _MECHANIC_OF.get(self.count.fact)


def read_catalogue(text: str) -> tuple[Badge, ...]:
    """The badges in a catalogue's text, in its order. Raises ValueError that names the badge and what is wrong with it."""
    told = tomllib.loads(text)
    badges = tuple(_badge(each, told["pays"]) for each in told["badge"])
    for what in ("key", "name", "sign"):
        found = [getattr(badge, what) for badge in badges]
        twice = sorted({each for each in found if found.count(each) > 1})
        if twice:
            raise ValueError(f"badges: the {what} {twice[0]} is used twice")
    return badges


def _badge(told: dict[str, Any], pays: dict[str, dict[str, int]]) -> Badge:
    key = told.get("key", "without a key")
    if not all(isinstance(told.get(word), str) and told[word] for word in _WORDS):
        raise ValueError(f"badge {key}: it needs {', '.join(_WORDS)}")
    if unknown := sorted(set(told) - _MAY_HAVE):
        raise ValueError(f"badge {key}: nobody reads {unknown[0]}")
    if told["category"] not in CATEGORIES or told["rarity"] not in RARITIES:
        raise ValueError(f"badge {key}: no such category or rarity")
    usual = pays[told["rarity"]]
    where = tuple(sorted(told.get("where", {}).items()))
    numbers = [told.get("at_least"), told.get("xp", usual["xp"]), told.get("coins", usual["coins"])]
    if not all(type(number) is int for number in [*numbers, *(value for _, value in where)]):
        raise ValueError(f"badge {key}: at_least, xp, coins and conditions are whole numbers")
    at_least, xp, coins = numbers
    if at_least < 1 or min(xp, coins) < 0 or xp + coins == 0:
        raise ValueError(f"badge {key}: at_least is 1 or more, and it pays something")
    words = {word: told[word] for word in _WORDS if word != "fact"}
    return Badge(**words, count=Count(told["fact"], where), at_least=at_least, xp=xp, coins=coins)


@lru_cache(maxsize=1)
def own_catalogue() -> tuple[Badge, ...]:
    """The badges of `badges.toml`."""
    return read_catalogue(_FILE.read_text(encoding="utf-8"))


_in_force: list[tuple[Badge, ...]] = []


def badges() -> tuple[Badge, ...]:
    """The badges in force, in their order."""
    return _in_force[0] if _in_force else own_catalogue()


def is_trace(key: str, hidden: frozenset[str]) -> bool:
    """Whether the badge of this key would be a trace of what somebody has left out."""
    return bool(hidden) and any(badge.key == key and badge.mechanic in hidden for badge in badges())


def play_for(chosen: tuple[Badge, ...] | None) -> None:
    """Put other badges in force in this process; None: those of `badges.toml` again. What was earned stays earned."""
    _in_force[:] = [] if chosen is None else [chosen]
