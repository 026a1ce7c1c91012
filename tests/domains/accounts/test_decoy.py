"""An address that nobody has costs as much to try as one that somebody has, and no password opens it."""

from argon2 import extract_parameters
from flask import Flask

from codyverse.accounts import passwords


def test_what_is_compared_in_vain_is_as_costly_as_a_real_hash(app: Flask) -> None:
    real, decoy = passwords.hashed("correct horse"), passwords._in_use[0].decoy
    assert extract_parameters(decoy) == extract_parameters(real)
    assert len(decoy) == len(real)
    assert not passwords.matches(decoy, "correct horse")
    assert not passwords.matches(None, "correct horse")
    assert passwords.matches(real, "correct horse")


def test_each_process_has_another_one() -> None:
    made = {passwords._Hashing(passwords.HashingCost()).decoy for _ in range(3)}
    assert len(made) == 3
