"""What the shop sells: read from `shop.toml` and checked."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

KINDS = ("freeze", "outfit", "world")
_FILE = Path(__file__).with_name("shop.toml")
_WORDS = ("key", "kind", "name", "says", "currency")
_NUMBERS = ("price", "level")


@dataclass(frozen=True, slots=True)
class Item:
    """Something in the shop: its price in coins or gems, the level from which it can be bought, whether it still is."""

    key: str
    kind: str
    name: str
    says: str
    currency: str
    price: int
    level: int
    sold: bool = True

    @property
    def once(self) -> bool:
        """Whether somebody can buy it only once."""
        return self.kind != "freeze"


def read_shelf(text: str) -> tuple[Item, ...]:
    """The items in a catalogue's text, in its order. Raises ValueError that names the item and what is wrong with it."""
    items = tuple(_item(told) for told in tomllib.loads(text)["item"])
    keys = [item.key for item in items]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"shop: the key {twice[0]} is used twice")
    return items


def _item(told: dict[str, Any]) -> Item:
    key = told.get("key", "without a key")
    if not all(isinstance(told.get(word), str) and told[word] for word in _WORDS):
        raise ValueError(f"shop item {key}: it needs {', '.join(_WORDS)}")
    if unknown := sorted(set(told) - {*_WORDS, *_NUMBERS, "sold"}):
        raise ValueError(f"shop item {key}: nobody reads {unknown[0]}")
    if told["kind"] not in KINDS or told["currency"] not in ("coins", "gems"):
        raise ValueError(f"shop item {key}: no such kind or currency")
    if not all(type(told.get(name)) is int and told[name] > 0 for name in _NUMBERS):
        raise ValueError(f"shop item {key}: price and level are whole numbers from 1")
    return Item(**told)


@lru_cache(maxsize=1)
def shelf() -> tuple[Item, ...]:
    """All items there are or were, in their order."""
    return read_shelf(_FILE.read_text(encoding="utf-8"))


def unlocked_at(level: int) -> tuple[Item, ...]:
    """What can be bought from exactly this level on."""
    return tuple(item for item in shelf() if item.sold and item.level == level)
