"""The same code, link or half, sent by many at once: one of them gets it."""

import pyotp
from flask import Flask

from codyverse.accounts import recovery, second_factor, sessions, signing_in
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.core.sealing import Seal
from tests.domains.together import together
from tests.factories import PASSWORD, make_user

ADA = "ada@example.org"
SEAL = Seal("a key of these tests", "second-factors")
MANY = 20


def set_up() -> tuple[int, pyotp.TOTP, tuple[str, ...]]:
    who = make_user(email=ADA)
    with unit_of_work():
        second_factor.begin_app(who, PASSWORD, SEAL)
    app = pyotp.TOTP(second_factor.waiting_secret(who, SEAL) or "")
    with unit_of_work():
        codes = second_factor.confirm_app(who, app.at(now()), SEAL)
    return who, app, codes


def finish(code: str, half: str | None = None) -> bool:
    """Sign in with this code; whether a session began."""
    if half is None:
        with unit_of_work():
            half = signing_in.begin(ADA, PASSWORD).half
    assert half
    try:
        with unit_of_work():
            return signing_in.finish(half, code, SEAL) is not None
    except Invalid:
        return False


def test_a_code_signs_one_in(committed_app: Flask) -> None:
    who, app, codes = set_up()
    newer = app.generate_otp(app.timecode(now()) + 1)
    for code in (codes[0], newer):
        assert sum(together(committed_app, [lambda code=code: finish(code)] * MANY)) == 1
    assert len(sessions.sessions_of(who)) == 2
    assert second_factor.state(who).codes_left == 9


def test_a_half_is_finished_once(committed_app: Flask) -> None:
    who, _, codes = set_up()
    with unit_of_work():
        half = signing_in.begin(ADA, PASSWORD).half
    given = [lambda code=code: finish(code, half) for code in codes]
    assert sum(together(committed_app, given)) == 1
    assert len(sessions.sessions_of(who)) == 1
    assert second_factor.state(who).codes_left == 9, "the codes of those who came too late are not used up"


def test_a_link_sets_one_password(committed_app: Flask) -> None:
    make_user(email=ADA)
    with unit_of_work():
        key = recovery.make_link(ADA)
    assert key

    def reset(number: int) -> bool:
        with unit_of_work():
            return recovery.reset(key, f"river-comet-fable-{number}")

    done = together(committed_app, [lambda number=number: reset(number) for number in range(MANY)])
    assert sum(done) == 1
    winner = done.index(True)
    with unit_of_work():
        assert signing_in.check_password(ADA, f"river-comet-fable-{winner}").user_id
