"""What is kept for a while instead of being asked for again: four lifetimes, two levels, behind Flask-Caching.

Kept is only what cannot be wrong: rows that never change (`kept_many`), or values whose key carries a version (`kept`),
which the domain reads from the database each time. Memory comes first, then the Valkey that REDIS_URL names. A Valkey that is gone or slow is one that holds nothing: the answer is worked out,
and it is not asked again for a few seconds.
"""

import functools
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

from flask import Flask, current_app
from flask_caching import Cache
from flask_caching.backends.base import BaseCache
from flask_caching.backends.rediscache import RedisCache

from codyverse.core import metrics
from codyverse.core.database import on_primary
from codyverse.core.errors import Unavailable
from codyverse.core.flights import Flights

log = logging.getLogger(__name__)
Lifetime = Literal["user", "courses", "static", "responses"]
State = Literal["operational", "degraded", "offline"]
Value = TypeVar("Value")
Key = TypeVar("Key", bound=Hashable)
SECONDS: dict[Lifetime, int] = {"user": 600, "courses": 900, "static": 3600, "responses": 300}
"""How long each of the four is kept at most."""
MOST_ENTRIES = 10_000
"""In one process's memory; the one that was not asked for longest goes first."""
REST_SECONDS = 5.0
"""So long a Valkey that failed is left alone."""
CLAIM_SECONDS, LOOK_AGAIN_SECONDS = 1.0, 0.02
"""So long one process waits for another that works the same out, and how often it looks."""
VERSIONED = "@"
"""Stands before the version in a key."""
cache = Cache()


def redis_error() -> type[Exception]:
    """What a Valkey that does not answer raises, to stand behind `except`, which asks only when there is something to catch:
    most processes need no Valkey, and its library is long in loading."""
    from redis.exceptions import RedisError

    return RedisError


def far_at(address: str, patience: float) -> RedisCache:
    """The level that the Valkey at this address (as REDIS_URL) holds; it may take so many seconds for each answer."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(
        address,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        retry=Retry(NoBackoff(), 0),  # the library's own would make a dead Valkey cost seconds
    )
    return RedisCache(host=client, key_prefix="cody:")


class Levels(BaseCache):
    """Memory before Valkey. Objects in memory are kept as they are: whoever puts them in never changes them again."""

    def __init__(self, far: RedisCache | None, default_timeout: int = 300) -> None:
        super().__init__(default_timeout)
        self.far = far
        self.resting_until = 0.0
        self._held: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._newest: dict[str, str] = {}
        self.version = ""
        self._lock = threading.Lock()

    @classmethod
    def factory(
        cls, _app: Flask, config: dict[str, Any], _args: list[Any], _kwargs: dict[str, Any]
    ) -> "Levels":
        """As Flask-Caching makes it."""
        address, patience = config.get("CACHE_REDIS_URL"), config["CACHE_REDIS_TIMEOUT_S"]
        far = far_at(address, patience) if address else None
        return cls(far)

    # --- memory ---

    def _near(self, key: str) -> Any:
        with self._lock:
            found = self._held.get(key)
            if found is None or found[0] < time.monotonic():
                return None
            self._held.move_to_end(key)
            return found[1]

    def _hold(self, key: str, value: Any, seconds: float) -> None:
        """Of what carries a version only the one that came last is held."""
        name, marked, _ = key.rpartition(VERSIONED)
        with self._lock:
            if marked:
                before = self._newest.get(name, key)
                if before != key:
                    self._held.pop(before, None)
                self._newest[name] = key
            self._held[key] = (time.monotonic() + seconds, value)
            self._held.move_to_end(key)
            while len(self._held) > MOST_ENTRIES:
                self._forget(self._held.popitem(last=False)[0])

    def _forget(self, key: str) -> None:
        self._held.pop(key, None)
        name = key.rpartition(VERSIONED)[0]
        if self._newest.get(name) == key:
            del self._newest[name]

    def last(self, name: str) -> Any:
        """What memory held last under a name with versions, even if its time is over, else what Valkey holds of the version
        that was asked for last; None if nobody does.
        """
        with self._lock:
            found = self._held.get(self._newest.get(name, ""))
        return found[1] if found else self.get(f"{name}{VERSIONED}{self.version}")

    def sizes(self) -> Counter[str]:
        """How many entries this process holds, by lifetime."""
        with self._lock:
            return Counter(key.partition(":")[0] for key in self._held)

    def shared_sizes(self) -> Counter[str]:
        """How many entries Valkey holds, by lifetime."""
        keys: list[bytes] = self._ask_far(
            lambda far: list(far._read_client.scan_iter("cody:*", count=1000)), otherwise=[]
        )
        names = (key.decode().split(":")[1] for key in keys)
        return Counter(name for name in names if name in SECONDS)

    # --- Valkey ---

    def _ask_far(self, act: Callable[[RedisCache], Value], otherwise: Value) -> Value:
        """What Valkey says; `otherwise` without one, while it rests, or when it fails now."""
        if self.far is None or time.monotonic() < self.resting_until:
            return otherwise
        try:
            return act(self.far)
        except (redis_error(), OSError) as fault:
            self.resting_until = time.monotonic() + REST_SECONDS
            log.warning("the cache does not answer, and is left alone for %s s: %s", REST_SECONDS, fault)
            return otherwise

    def claim(self, key: str) -> bool:
        """Say that this process works `key` out; False if another one is at it. Given back by itself after a second."""
        milliseconds = int(CLAIM_SECONDS * 1000)
        return self._ask_far(
            lambda far: bool(far._write_client.set(f"cody:claim:{key}", b"1", nx=True, px=milliseconds)),
            otherwise=True,
        )

    def let_go(self, key: str) -> None:
        """The work is done, or could not be done: whoever waits may look, or do it."""
        self._ask_far(lambda far: far._write_client.delete(f"cody:claim:{key}"), otherwise=0)

    def await_other(self, key: str) -> Any:
        """What the process finds that has claimed it; None if it gives up, or takes too long."""
        until = time.monotonic() + CLAIM_SECONDS
        while (found := self.get(key)) is None and time.monotonic() < until:
            if not self._ask_far(lambda far: far._read_client.exists(f"cody:claim:{key}"), otherwise=0):
                return self.get(key)
            time.sleep(LOOK_AGAIN_SECONDS)
        return found

    def state(self) -> State:
        """Offline is a Valkey that is set and does not answer."""
        if self.far is None:
            return "operational"
        if time.monotonic() < self.resting_until:
            return "offline"
        began = time.monotonic()
        answered = self._ask_far(lambda far: bool(far._read_client.ping()), otherwise=False)
        if not answered:
            return "offline"
        return "degraded" if time.monotonic() - began > REST_SECONDS / 10 else "operational"

    # --- as Flask-Caching calls it ---

    def get(self, key: str) -> Any:
        """The value, None if nobody holds it."""
        return self.get_many(key)[0]

    def get_many(self, *keys: str) -> list[Any]:
        """The values in the order of the keys; those that Valkey had are held in memory too."""
        found = [self._near(key) for key in keys]
        missing = [place for place, value in enumerate(found) if value is None]
        if missing and self.far is not None:
            wanted = [keys[place] for place in missing]
            nothing: list[Any] = [None] * len(wanted)
            for place, value in zip(
                missing, self._ask_far(lambda far: far.get_many(*wanted), nothing), strict=True
            ):
                if value is not None:
                    found[place] = value
                    self._hold(keys[place], value, self.default_timeout)
        return found

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Hold the value in both levels."""
        if isinstance(timeout, timedelta):
            timeout = int(timeout.total_seconds())
        seconds = self.default_timeout if timeout is None else timeout
        self._hold(key, value, seconds)
        return bool(self._ask_far(lambda far: bool(far.set(key, value, timeout=seconds)), otherwise=True))

    def delete(self, key: str) -> bool:
        """Hold it no longer."""
        with self._lock:
            self._forget(key)
        return bool(self._ask_far(lambda far: bool(far.delete(key)), otherwise=True))

    def has(self, key: str) -> bool:
        """Whether somebody holds it."""
        return self.get(key) is not None

    def clear(self) -> bool:
        """Hold nothing; False if a Valkey that is set did not answer, and holds what it held."""
        with self._lock:
            self._held.clear()
            self._newest.clear()
        return bool(self._ask_far(lambda far: bool(far.clear()) or True, otherwise=self.far is None))


@dataclass(frozen=True, slots=True)
class Stats:
    """Of one lifetime, since the processes began. `rate` is the share of hits, None before the first look."""

    lifetime: Lifetime
    seconds: int
    hits: int
    misses: int
    entries: int

    @property
    def rate(self) -> float | None:
        looks = self.hits + self.misses
        return round(self.hits / looks, 4) if looks else None


class Counted:
    """Hits and misses of one application."""

    def __init__(self) -> None:
        self.looks: Counter[tuple[str, bool]] = Counter()
        self.lock = threading.Lock()

    def count(self, lifetime: Lifetime, hits: int, misses: int) -> None:
        with self.lock:
            self.looks[lifetime, True] += hits
            self.looks[lifetime, False] += misses
        if hits:
            _reads(lifetime, "hit").inc(hits)
        if misses:
            _reads(lifetime, "miss").inc(misses)


@functools.cache
def _reads(lifetime: Lifetime, result: str) -> Any:
    return metrics.cache_reads.labels(lifetime, result)


def install(app: Flask, redis_url: str | None, timeout_s: float) -> None:
    """Give the application its cache."""
    config = {
        "CACHE_TYPE": f"{__name__}.Levels",
        "CACHE_REDIS_URL": redis_url,
        "CACHE_REDIS_TIMEOUT_S": timeout_s,
    }
    cache.init_app(app, config)
    app.extensions["cache_counted"] = Counted()
    app.extensions["cache_flights"] = Flights()


def levels(app: Flask | None = None) -> Levels:
    """The cache of this application."""
    found: Levels = (app or current_app).extensions["cache"][cache]
    return found


def _counted() -> Counted:
    found: Counted = current_app.extensions["cache_counted"]
    return found


def cache_looks() -> Counter[tuple[str, bool]]:
    """How often this process looked into the cache since it began, by lifetime and whether something was there."""
    return _counted().looks


def kept_many(
    lifetime: Lifetime, prefix: str, ids: Iterable[Key], work_out: Callable[[list[Key]], dict[Key, Value]]
) -> dict[Key, Value]:
    """The values of these ids; those that nobody holds are worked out together. Unknown ids are left out."""
    wanted, held = list(dict.fromkeys(ids)), levels()
    names = {each: f"{lifetime}:{prefix}:{each}" for each in wanted}
    found = dict(zip(wanted, held.get_many(*names.values()), strict=True)) if wanted else {}
    missing = [each for each in wanted if found[each] is None]
    _counted().count(lifetime, len(wanted) - len(missing), len(missing))
    with on_primary():
        fresh = work_out(missing) if missing else {}
    for each, value in fresh.items():
        found[each] = value
        held.set(names[each], value, SECONDS[lifetime])
    return {each: value for each, value in found.items() if value is not None}


def kept(
    lifetime: Lifetime,
    name: str,
    version: str,
    work_out: Callable[[], Value],
    unless: Callable[[Value], bool] = lambda _value: False,
) -> Value:
    """What `work_out` finds, kept under `name` while the version is this one.

    The version must have been read from the database before; then what is kept is never older than it says. Equal misses
    at once are worked out once, also between processes that share a Valkey. What raises is not kept, nor is None, nor
    what `unless` says will not last. Who may see a value is not asked here: what belongs to one person has their id in its name.
    """
    held, key = levels(), f"{lifetime}:{name}{VERSIONED}{version}"
    held.version = version
    found = held.get(key)
    _counted().count(lifetime, found is not None, found is None)
    if found is not None:
        return found  # type: ignore[no-any-return]
    flights: Flights = current_app.extensions["cache_flights"]
    return flights.once(key, lambda: _work_out(held, lifetime, key, work_out, unless))


def last_kept(lifetime: Lifetime, name: str) -> Any:
    """What `kept` held under this name last, also if its time is over: for when no version can be had. Raises Unavailable."""
    found = levels().last(f"{lifetime}:{name}")
    if found is None:
        raise Unavailable(
            "This is not held here, and a part of the site does not answer. Try again in a moment."
        )
    return found


def _work_out(
    held: Levels,
    lifetime: Lifetime,
    key: str,
    work_out: Callable[[], Value],
    unless: Callable[[Value], bool],
) -> Value:
    if not held.claim(key):
        other: Value | None = held.await_other(key)
        if other is not None:
            return other
    try:
        with on_primary():  # the version may be newer than what a replica holds
            value = work_out()
        if not unless(value):
            held.set(key, value, SECONDS[lifetime])
    finally:
        held.let_go(key)
    return value


def stats(
    entries: Mapping[str, int] | None = None, looks: Mapping[tuple[str, bool], int] | None = None
) -> tuple[Stats, ...]:
    """Each lifetime's figures: looks of all processes where they add up, else of this one; entries of this one's memory
    unless others are told.
    """
    looks = looks or metrics.cache_looks() or _counted().looks
    sizes = levels().sizes() if entries is None else entries
    return tuple(
        Stats(name, seconds, looks[name, True], looks[name, False], sizes.get(name, 0))
        for name, seconds in SECONDS.items()
    )
