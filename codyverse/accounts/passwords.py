"""Passwords: what may be one, and how it is kept.

Rules after NIST SP 800-63B: length counts, no rules of composition, a list of common ones is refused, no forced change. Eight
characters for learners; fifteen, which revision 4 asks where a password is the only factor, for those who have power over other
people's data. Argon2id costs are settings (see docs/decisions/passwords.md for the measurement).
"""

import threading
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from secrets import token_bytes

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from codyverse.core.errors import Unavailable

MIN_LENGTH = {"learner": 8, "author": 15, "operator": 15}
MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class HashingCost:
    """Argon2id: passes, memory in KiB, lanes; and how many hashes may be computed at once in this process."""

    time_cost: int = 2
    memory_kib: int = 19_456
    parallelism: int = 1
    at_once: int = 2


class _Hashing:
    """Argon2id behind a gate, so that a burst of sign-ins cannot take all memory and both cores."""

    patience = 10.0

    def __init__(self, cost: HashingCost) -> None:
        self._argon2 = PasswordHasher(cost.time_cost, cost.memory_kib, cost.parallelism)
        self._gate = threading.BoundedSemaphore(cost.at_once)

    @cached_property
    def decoy(self) -> str:
        """What is compared where nobody has the address: at the same cost, with what no password gives but by a miracle.

        Nothing was hashed for it, so that no process has to while it starts.
        """
        cost = self._argon2
        salt, digest = (
            b64encode(token_bytes(size)).rstrip(b"=").decode() for size in (cost.salt_len, cost.hash_len)
        )
        return f"$argon2id$v={ARGON2_VERSION}$m={cost.memory_cost},t={cost.time_cost},p={cost.parallelism}${salt}${digest}"

    def _enter(self) -> None:
        if not self._gate.acquire(timeout=self.patience):
            raise Unavailable("Many people are signing in right now. Please try again in a moment.")

    def hash(self, password: str) -> str:
        self._enter()
        try:
            return self._argon2.hash(password)
        finally:
            self._gate.release()

    def verify(self, stored: str, password: str) -> bool:
        self._enter()
        try:
            return self._argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._gate.release()

    def stale(self, stored: str) -> bool:
        return self._argon2.check_needs_rehash(stored)


_in_use = [_Hashing(HashingCost())]


def configure(cost: HashingCost) -> None:
    """Use this cost from now on. Hashes made with another cost stay valid and are renewed at the next sign-in."""
    _in_use[0] = _Hashing(cost)


def normalised(password: str) -> str:
    """The form that is hashed: NFKC, as NIST asks, so that the same keys give the same password everywhere."""
    return unicodedata.normalize("NFKC", password)


def hashed(password: str) -> str:
    """The Argon2id hash to keep; takes some 25 ms of CPU. Raises Unavailable when too many wait."""
    return _in_use[0].hash(normalised(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password. `stored` None (nobody has that address) takes just as long and is False."""
    right = _in_use[0].verify(stored or _in_use[0].decoy, normalised(password))
    return right and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the stored hash was made with another cost than today's."""
    return _in_use[0].stale(stored)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 6)


def faults(password: str, *, role: str = "learner", about: tuple[str, ...] = ()) -> list[str]:
    """Why this cannot be a password, in words for the form; empty if it can.

    `about` names what is known of the person (address, name): a password that is hardly more than one of them is refused.
    """
    password = normalised(password)
    least = MIN_LENGTH[role]
    if "\x00" in password:
        return ["A password cannot contain the NUL character."]
    if len(password) < least:
        return [f"Use at least {least} characters. Three or four unrelated words are easy to remember."]
    if len(password) > MAX_LENGTH:
        return [f"Use at most {MAX_LENGTH} characters."]
    plain = password.casefold().strip()
    if plain in _common() or _is_simple_run(plain):
        return [
            "This is one of the passwords that are tried first. Choose one that others would not think of."
        ]
    for word in _words(about):
        if word in plain and len(plain) - len(word) < 4:
            return ["This is too close to your name or address. Choose something that cannot be looked up."]
    return []


def _is_simple_run(plain: str) -> bool:
    """One sign repeated, a short piece repeated, or neighbours in the alphabet or on the number row."""
    if any(plain == (plain[:n] * len(plain))[: len(plain)] for n in (1, 2, 3)):
        return True
    steps = {ord(b) - ord(a) for a, b in pairwise(plain)}
    return steps in ({1}, {-1})


def _words(about: tuple[str, ...]) -> set[str]:
    words = {"codyverse", "cody verse"}
    for text in about:
        folded = text.casefold().strip()
        words |= {folded, folded.partition("@")[0], *folded.split()}
    return {word for word in words if len(word) >= 4}
