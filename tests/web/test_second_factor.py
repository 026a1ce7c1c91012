"""The authenticator app and its recovery codes: set up, asked for, refused, turned off; by a browser without scripts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import mailing
from codyverse.accounts import signing_in
from codyverse.core.database import session
from codyverse.http import seals
from codyverse.notifications import queries as post
from tests.factories import PASSWORD, make_user
from tests.web.visits import Page, Visitor

ADA, BEN = "ada@example.org", "ben@example.org"
APP = "/settings/security/app"
START = datetime(2026, 6, 17, 12, 0, tzinfo=UTC)
OTHER = "river-comet-fable"
Move = Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def move(time_machine) -> Move:
    """The clock stands still; moves it on from where it stands."""
    at = [START]
    time_machine.move_to(START, tick=False)

    def on(by: timedelta) -> None:
        at[0] += by
        time_machine.move_to(at[0], tick=False)

    return on


class Phone:
    """The app of somebody; and their recovery codes."""

    def __init__(self, secret: str, codes: list[str]) -> None:
        self.totp, self.codes = pyotp.TOTP(secret), codes

    def code(self, steps: int = 0) -> str:
        return self.totp.generate_otp(self.totp.timecode(datetime.now(UTC)) + steps)


def set_up(app: Flask, email: str = ADA) -> Phone:
    """Somebody sets up an app, as a person would; the code that confirmed it is used up."""
    make_user(email=email)
    visitor = Visitor(app).sign_in(email)
    visitor.post(APP, {"current_password": PASSWORD})
    shown = visitor.get(APP)
    phone = Phone("".join(shown.css("#app-secret")[0].text_content().split()), [])
    done = visitor.post(f"{APP}/confirm", {"code": phone.code(-1)}, status=200)
    phone.codes = [each.text_content() for each in done.css("#new-codes code")]
    return phone


def half(app: Flask, email: str = ADA) -> Visitor:
    """A browser in which the password was right."""
    visitor = Visitor(app)
    answer = visitor.post("/login", {"email": email, "password": PASSWORD})
    assert answer.response.location == "/login/second"
    return visitor


def finish(visitor: Visitor, code: str, status: int = 303) -> Page:
    return visitor.post("/login/second", {"code": code}, status=status)


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/dashboard").response.request.path == "/dashboard"


def subjects(email: str = ADA) -> list[str]:
    return [mail.context.get("words", mail.kind) for mail in post.kept_mails() if mail.recipient == email]


def test_from_the_settings_to_the_next_sign_in(app: Flask) -> None:
    make_user(email=ADA)
    visitor = Visitor(app).sign_in(ADA)
    assert "Not set up" in visitor.get("/settings/security").text
    page = visitor.get(APP)
    page = visitor.post(APP, {"current_password": "not-mine-at-all"}, status=422)
    assert "not your current password" in page.text
    visitor.submit(visitor.get(APP), APP, {"current_password": PASSWORD})
    page = visitor.get(APP)
    assert page.response.headers["Cache-Control"] == "no-store"
    assert page.css("svg.qr path")
    secret = "".join(page.css("#app-secret")[0].text_content().split())
    [link] = [a.get("href") for a in page.css("a") if a.get("href").startswith("otpauth:")]
    assert pyotp.parse_uri(link).secret == secret
    assert "ada%40example.org" in link
    assert is_in(Visitor(app).sign_in(ADA)), "not asked for before it was confirmed"
    phone = Phone(secret, [])
    assert "does not fit" in visitor.post(f"{APP}/confirm", {"code": "000000"}, status=422).text
    done = visitor.post(f"{APP}/confirm", {"code": f" {phone.code()[:3]} {phone.code()[3:]} "}, status=200)
    assert done.response.headers["Cache-Control"] == "no-store"
    codes = [each.text_content() for each in done.css("#new-codes code")]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9a-z]{4}-){3}[0-9a-z]{4}", each) for each in codes)
    overview = visitor.get("/settings/security").text
    assert "10 are left" in overview
    assert secret not in visitor.get(APP).response.text
    assert "An authenticator app was set up" in subjects()[0]
    kept = session.execute(text("select sealed_secret from second_factors")).scalar_one()
    assert secret not in kept


def test_the_session_begins_only_after_both(app: Flask, move: Move) -> None:
    phone = set_up(app)
    visitor = half(app)
    before = session.execute(text("select count(*) from sessions")).scalar_one()
    assert not is_in(visitor)
    assert visitor.get("/settings").response.request.path == "/login"
    assert "does not fit" in finish(visitor, "123456", 422).text
    assert not is_in(visitor)
    finish(visitor, phone.code())
    assert is_in(visitor)
    assert session.execute(text("select count(*) from sessions")).scalar_one() == before + 1


def test_one_goes_on_to_where_one_wanted_to_be(app: Flask) -> None:
    phone = set_up(app)
    visitor = Visitor(app)
    answer = visitor.submit(visitor.get("/settings"), "/login", {"email": ADA, "password": PASSWORD})
    assert answer.response.location == "/login/second?next=/settings"
    page = visitor.get(answer.response.location)
    assert visitor.submit(page, "/login/second", {"code": phone.code()}).response.location == "/settings"


def test_codes_of_the_app_count_once_and_for_a_minute_and_a_half(app: Flask, move: Move) -> None:
    phone = set_up(app)
    move(timedelta(minutes=5))
    for steps, good in [(-3, False), (-2, False), (2, False), (3, False), (-1, True)]:
        finish(half(app), phone.code(steps), 303 if good else 422)
    used, newer = phone.code(), phone.code(1)
    assert is_in_with(app, used)
    finish(half(app), used, 422)
    finish(half(app), phone.code(-1), 422)
    assert is_in_with(app, newer), "the clock of a phone may be half a minute fast"
    finish(half(app), used, 422)
    move(timedelta(seconds=30))
    finish(half(app), newer, 422)


def is_in_with(app: Flask, code: str) -> bool:
    visitor = half(app)
    finish(visitor, code)
    return is_in(visitor)


def test_codes_of_others_are_refused(app: Flask, move: Move) -> None:
    mine, hers = set_up(app), set_up(app, BEN)
    move(timedelta(minutes=5))
    for code in (hers.code(), hers.codes[0]):
        finish(half(app), code, 422)
    assert is_in_with(app, mine.code())
    finish(half(app, BEN), hers.codes[0])


def test_a_recovery_code_works_once_however_it_is_typed(app: Flask) -> None:
    phone = set_up(app)
    first, second = phone.codes[:2]
    assert is_in_with(app, first)
    finish(half(app), first, 422)
    assert is_in_with(app, " " + second.upper().replace("-", " ").replace("0", "O").replace("1", "L"))
    finish(half(app), second, 422)
    assert subjects().count("A recovery code was used. It will not work again.") == 2


def test_a_half_is_over_after_ten_minutes_and_after_its_use(app: Flask, move: Move) -> None:
    phone = set_up(app)
    slow, quick = half(app), half(app)
    stolen = Visitor(app)
    stolen.client.set_cookie("codyverse", quick.client.get_cookie("codyverse").value)
    move(timedelta(minutes=9))
    finish(quick, phone.codes[0])
    assert is_in(quick)
    assert finish(stolen, phone.codes[1]).response.location == "/login"
    assert not is_in(stolen)
    move(timedelta(minutes=2))
    page = slow.get("/login/second")
    assert (page.response.request.path, "Please begin again" in page.text) == ("/login", True)
    assert finish(slow, phone.codes[1]).response.location == "/login"
    assert not is_in(slow)
    assert is_in_with(app, phone.codes[1]), "a code that came too late is not used up"


def test_a_half_ends_when_the_password_changes(app: Flask) -> None:
    phone = set_up(app)
    owner, thief = half(app), half(app)
    finish(owner, phone.codes[0])
    owner.post("/settings/password", {"current_password": PASSWORD, "new_password": OTHER})
    for code in (phone.code(), phone.codes[1]):
        assert finish(thief, code).response.location == "/login"
        assert not is_in(thief)


def test_without_a_half_there_is_no_second_step(app: Flask) -> None:
    phone = set_up(app)
    stranger = Visitor(app)
    assert stranger.get("/login/second").response.request.path == "/login"
    assert finish(stranger, phone.code()).response.location == "/login"
    assert not is_in(stranger)


def test_turning_it_off_needs_password_and_code(app: Flask) -> None:
    phone = set_up(app)
    visitor = half(app)
    finish(visitor, phone.codes[0])
    right = {"current_password": PASSWORD, "code": phone.codes[1]}
    for wrong, says in (
        ({"current_password": "not-mine-at-all"}, "not your current password"),
        ({"code": "000000"}, "does not fit"),
        ({"code": ""}, "does not fit"),
        ({"code": phone.codes[0]}, "was used before"),
    ):
        assert says in visitor.post(f"{APP}/off", right | wrong, status=422).text
    assert visitor.post(APP, {"current_password": PASSWORD}, status=409)
    visitor.submit(visitor.get(APP), f"{APP}/off", right)
    assert is_in(Visitor(app).sign_in(ADA))
    assert session.execute(text("select count(*) from recovery_codes")).scalar_one() == 0
    assert "turned off" in subjects()[0]


def test_new_recovery_codes_end_the_old_ones(app: Flask) -> None:
    phone = set_up(app)
    visitor = half(app)
    finish(visitor, phone.codes[0])
    page = visitor.get("/settings/security/codes")
    assert "You have 9 left" in page.text
    given = {"current_password": PASSWORD, "code": phone.codes[1]}
    assert "does not fit" in visitor.post(page.response.request.path, given | {"code": "x"}, status=422).text
    done = visitor.submit(page, "/settings/security/codes", given, status=200)
    assert done.response.headers["Cache-Control"] == "no-store"
    fresh = [each.text_content() for each in done.css("#new-codes code")]
    finish(half(app), phone.codes[2], 422)
    assert is_in_with(app, fresh[0])


def test_without_a_second_factor_there_are_no_codes(learner: Visitor) -> None:
    assert "come with a second factor" in learner.get("/settings/security/codes").text
    given = {"current_password": PASSWORD, "code": ""}
    assert learner.post("/settings/security/codes", given, status=409)


def test_setting_up_can_be_left(learner: Visitor) -> None:
    learner.post(APP, {"current_password": PASSWORD})
    learner.submit(learner.get(APP), f"{APP}/stop")
    assert "Not set up" in learner.get("/settings/security").text
    assert "does not fit" in learner.post(f"{APP}/confirm", {"code": "123456"}, status=422).text


def test_with_another_secret_key_recovery_codes_still_work(app: Flask) -> None:
    phone = set_up(app)
    kept = app.extensions["settings"]
    begun = signing_in.begin(ADA, PASSWORD)
    app.extensions["settings"] = kept.model_copy(update={"secret_key": "another key, for the old one leaked"})
    try:
        assert begun.half
        with pytest.raises(Exception, match="does not fit"):
            signing_in.finish(begun.half, phone.code(), seals.second_factors())
        session.rollback()
    finally:
        app.extensions["settings"] = kept
    assert is_in_with(app, phone.codes[0])


def test_the_mails_are_well_written(app: Flask) -> None:
    set_up(app)
    [mail] = post.kept_mails()
    written = mailing.write(mail.kind, mail.context)
    assert "set a new password now" in written.text
    assert "/forgot" in written.text
    assert "/forgot" in written.html
    assert "2026-06-17 12:00 UTC" in written.text
