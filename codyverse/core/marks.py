"""How far the database's log had come when somebody last wrote, kept in Valkey for all processes.

Nothing kept means that nothing was written lately, so a Valkey that was started anew or emptied must not be believed at
once: it settles first, for as long as a replica may lag behind. One that does not answer knows nothing.
"""

import logging
import threading
import time

import redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
REST_SECONDS = 1.0
"""So long a Valkey that failed is not asked again."""
KEPT_SECONDS = 3600
"""Longer than any lag that the settings allow."""
_BEGAN, _SETTLING, _OF = "cv:wrote:began", "cv:wrote:settling", "cv:wrote:of:%d"
_RAISE = """
if tonumber(redis.call('get', KEYS[1]) or '0') < tonumber(ARGV[1]) then
    redis.call('set', KEYS[1], ARGV[1], 'ex', ARGV[2])
end
"""


class Marks:
    """The marks of all people, in bytes of the log."""

    def __init__(self, redis_url: str, timeout_s: float, settle_seconds: int) -> None:
        self._valkey = redis.Redis.from_url(
            redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._raise = self._valkey.register_script(_RAISE)
        self._settle_seconds = settle_seconds
        self._resting_until = 0.0
        self._rest: dict[int, int] = {}
        self._lock = threading.Lock()

    def of(self, person: int) -> int | None:
        """How far a replica must have come for this person, 0 if anything will do; None if that is not known."""
        if time.monotonic() < self._resting_until or person in self._rest:
            return None
        try:
            began, settling, mark = self._valkey.mget(_BEGAN, _SETTLING, _OF % person)
            if began is None:
                self._begin()
                return None
        except (RedisError, OSError) as fault:
            self._let_rest(fault)
            return None
        return None if settling is not None else int(mark or 0)

    def keep(self, person: int, position: int) -> None:
        """Somebody wrote. While Valkey does not answer this process remembers it, and tells it later."""
        try:
            if time.monotonic() >= self._resting_until:
                self._send(person, position)
                return
        except (RedisError, OSError) as fault:
            self._let_rest(fault)
        with self._lock:
            self._rest[person] = max(position, self._rest.get(person, 0))

    def send_rest(self) -> None:
        """Tell Valkey what it could not be told before."""
        if not self._rest or time.monotonic() < self._resting_until:
            return
        with self._lock:
            waiting = dict(self._rest)
        try:
            for person, position in waiting.items():
                self._send(person, position)
                with self._lock:
                    if self._rest.get(person) == position:
                        del self._rest[person]
        except (RedisError, OSError) as fault:
            self._let_rest(fault)

    def _send(self, person: int, position: int) -> None:
        self._raise(keys=[_OF % person], args=[position, KEPT_SECONDS])

    def _begin(self) -> None:
        """It knows nothing of what was written before."""
        with self._valkey.pipeline(transaction=True) as both:
            both.set(_SETTLING, "1", ex=self._settle_seconds)
            both.set(_BEGAN, "1")
            both.execute()

    def _let_rest(self, fault: Exception) -> None:
        if time.monotonic() >= self._resting_until:
            log.warning("replicas: Valkey does not answer, everybody reads from the primary: %s", fault)
        self._resting_until = time.monotonic() + REST_SECONDS
