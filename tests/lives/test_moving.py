"""From one site to an empty one and back into a file: nothing is lost, nothing is made up."""

import io
import json
import random
import re
import resource
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import profiles
from codyverse.accounts import services as accounts
from codyverse.archives import reading, writing
from codyverse.archives.numbers import carried
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.core.personal import TABLES
from codyverse.gamification import shop
from codyverse.gamification.leagues import services as leagues
from codyverse.gamification.leagues.rules import week_of
from codyverse.gamification.services import verify_ledger
from codyverse.notifications import services as notifications
from codyverse.progress import rehearsal
from codyverse.progress import services as progress
from tests.domains.study import Plan, make_course
from tests.factories import PASSWORD, make_user
from tests.web.playing import make_tea
from tests.web.visits import Visitor

ADA = "ada@example.org"
PLANS = [Plan(asks=2)] * 8
OF_THE_MOMENT = {"exportedAt", "site", "ofThisSite"}
STYLE = rehearsal.Style(0.7)


def load(folder: Path, *, first: bool = True) -> list[int]:
    """The same courses on every site, under other ids where others were loaded first."""
    lessons = make_course(*PLANS, key="moving")
    return [*lessons, make_tea(folder)] if first else [make_tea(folder), *lessons]


def a_life(lessons: list[int]) -> int:
    """Three weeks of study, with all that a learner can have; a course's last lesson is left half done."""
    begun = now() - timedelta(days=20)
    with standing_at(begun):
        who = make_user(email=ADA, name="Ada", time_zone="Europe/Berlin")
        with unit_of_work():
            accounts.choose_leagues(who, wanted=True)
            leagues.join(who, week_of(begun.date()), begun)
    dice = random.Random(3)
    for day, lesson_id in enumerate([*lessons[:7], lessons[0], lessons[1]]):
        with unit_of_work():
            rehearsal.play(
                who, lesson_id, begun + timedelta(days=2 * day), until=now(), style=STYLE, dice=dice
            )
    with unit_of_work():
        profiles.change_profile_page(who, handle="ada", public=True, shown=frozenset(profiles.SHOWABLE))
        accounts.change_profile(who, display_name="Ada “L”", time_zone="Asia/Tokyo", day_start_hour=5)
        notifications.choose(who, page_off=("goal",), mail_kinds=["badge"], mail_hour=9, quiet=(22, 7))
    with unit_of_work():
        shop.purchase(who, "streak-freeze", "a-nonce-of-mine")
    with unit_of_work():
        progress.start_attempt(who, lessons[-1])
    session.remove()
    return who


def contents(packed: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        return dict(json.loads(file.read("data.json")))


def without_moments(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in OF_THE_MOMENT}


def exported(app: Flask, who: int) -> bytes:
    with app.test_request_context():
        made = writing.make(who)
    session.remove()
    return made.data


def test_there_and_back_again(here: Flask, there: Flask, tmp_path: Path) -> None:
    with here.app_context():
        who = a_life(load(tmp_path / "here"))
        first = exported(here, who)
    with there.app_context():
        for _ in range(3):
            make_user()
        make_course(*PLANS, key="something-else")
        load(tmp_path / "there", first=False)
        with unit_of_work():
            taken = reading.take_in(first)
        again = exported(there, taken.user_id)
        assert taken.user_id != who
        assert taken.reworded == 0
        assert verify_ledger() == ()
        same = without_moments(contents(first))
        assert without_moments(contents(again)) == same
        full = {name for name, rows in same["tables"].items() if rows}
        assert full >= {"attempts", "attempt_steps", "answers", "ledger_entries", "players", "daily_goals"}
        assert full >= {"earned_badges", "purchases", "notifications", "notification_choices", "zone_facts"}
        assert full >= {"public_profiles", "lesson_progress", "activity_days"}
        told = {name for name, each in TABLES.items() if each.told}
        assert told - same["tables"].keys() == contents(first)["ofThisSite"].keys()
        assert Visitor(there).get("/u/ada").css("h1")
        session.remove()


def test_what_was_earned_is_not_earned_again(here: Flask, there: Flask, tmp_path: Path) -> None:
    with here.app_context():
        packed = exported(here, a_life(load(tmp_path / "here")))
    with there.app_context():
        lessons = load(tmp_path / "there", first=False)[1:]
        with unit_of_work():
            taken = reading.take_in(packed)
        paid = text("select count(*) from ledger_entries where rule = 'lesson'")
        before = session.execute(paid).scalar_one()
        with unit_of_work():
            rehearsal.play(
                taken.user_id,
                lessons[0],
                now() - timedelta(hours=1),
                until=now(),
                style=STYLE,
                dice=random.Random(1),
            )
        assert session.execute(paid).scalar_one() == before
        assert verify_ledger() == ()
        session.remove()


def test_one_can_read_it(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        who = a_life(load(tmp_path / "here"))
        make_user(email="ben@example.org", name="Benedict")
        packed = exported(here, who)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.testzip() is None
        page = file.read("index.html").decode()
        everything = page + file.read("data.json").decode()
    for part in (ADA, "Ada “L”", "Asia/Tokyo", "Lesson 1", "xp", "What you have learned"):
        assert part in page
    for part in ("password_hash", "$argon2", "token_hash", "Benedict", "<script"):
        assert part not in everything


def test_it_is_taken_in_once_and_only_where_the_courses_are(
    here: Flask, there: Flask, tmp_path: Path
) -> None:
    with here.app_context():
        packed = exported(here, a_life(load(tmp_path / "here")))
    with there.app_context():
        with (
            pytest.raises(Conflict, match="lacks what the archive is about: moving / lesson-1"),
            unit_of_work(),
        ):
            reading.take_in(packed)
        load(tmp_path / "there")
        with unit_of_work():
            reading.take_in(packed)
        with pytest.raises(Conflict, match="has the address of this archive"), unit_of_work():
            reading.take_in(packed)
        assert session.execute(text("select count(*) from users")).scalar_one() == 1
        session.remove()


def test_answers_to_another_wording_come_along(here: Flask, there: Flask, tmp_path: Path) -> None:
    with here.app_context():
        packed = exported(here, a_life(load(tmp_path / "here")))
    with there.app_context():
        make_course(*PLANS, key="moving", text="Which one, please?")
        make_tea(tmp_path / "there")
        with unit_of_work():
            taken = reading.take_in(packed)
        assert taken.reworded > 0
        assert verify_ledger() == ()
        session.remove()


def changed(packed: bytes, change: Any) -> bytes:
    data = contents(packed)
    change(data)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("data.json", json.dumps(data))
    return made.getvalue()


def user(**wrong: Any) -> Any:
    """A change of the archive's account."""
    return lambda data: data["tables"]["users"][0].update(wrong)


def first(table: str, **wrong: Any) -> Any:
    return lambda data: data["tables"][table][0].update(wrong)


def preferring(**wrong: Any) -> Any:
    return lambda data: data["tables"]["users"][0]["preferences"].update(wrong)


BAD_VALUES: dict[str, tuple[Any, str]] = {
    "zone": (user(time_zone="Mars/X"), "users.time_zone is 'Mars/X'"),
    "theme": (preferring(theme=5), "users.preferences.theme is '5'"),
    "hidden": (preferring(hidden=7), "users.preferences.hidden is '7'"),
    "a hidden one": (preferring(hidden=[{}]), "users.preferences.hidden"),
    "motion": (preferring(reduced_motion=1), "users.preferences.reduced_motion"),
    "a choice": (preferring(magic=True), "There is no such choice here"),
    "preferences": (user(preferences=[]), "users.preferences is '[]'"),
    "address": (user(email="not an address"), "users.email is 'not an address'"),
    "erased": (user(email="erased-14@invalid"), "users.email is 'erased-14@invalid'"),
    "number": (user(email=5), "users.email is '5'"),
    "no name": (user(display_name=" "), "users.display_name"),
    "locale": (user(locale="xx"), "It is one of en."),
    "hour": (user(day_start_hour=24), "It is one of 0 to 23."),
    "no hour": (user(day_start_hour=None), "users.day_start_hour is 'None'"),
    "far day": (user(last_game_date="9999-12-31"), "users.last_game_date is 9999-12-31"),
    "no clock": (user(created_at="2026-01-01T00:00:00"), "users.created_at is '2026-01-01T00:00:00'"),
    "a fact's zone": (first("zone_facts", time_zone="Mars/X"), "zone_facts.time_zone is 'Mars/X'"),
    "a fact's hour": (first("zone_facts", day_start_hour=99), "zone_facts.day_start_hour is '99'"),
    "shown": (first("public_profiles", shown="x"), "public_profiles.shown is 'x'"),
    "a shown one": (first("public_profiles", shown=["x"]), "badges, level, streak, lessons"),
    "handle": (first("public_profiles", handle="admin"), "kept for the site"),
    "mails": (first("notification_choices", mail_kinds=["x"]), "notification_choices.mail_kinds"),
    "news": (first("notifications", details={}), "notifications.details"),
    "score": (first("attempts", score="abc"), "attempts.score is 'abc'"),
    "no score": (first("attempts", score=float("nan")), "or it is damaged"),
    "huge score": (first("lesson_progress", best_score=1e300), "a row of lesson_progress"),
    "seconds": (first("attempts", seconds=-5), "attempts.seconds is -5, less than nought"),
    "truth": (first("attempts", seconds=True), "attempts.seconds is 'True'"),
    "large": (first("attempts", seconds=2**40), "a row of attempts"),
    "nothing": (first("answers", correct=None), "a row of answers whose correct is missing"),
    "xp": (first("players", xp=99999999), "do not agree: xp: 99999999, but "),
    "a badge": (first("earned_badges", badge="made-up"), "do not agree: "),
    "a text": (first("ledger_entries", rule="\ud800"), "cannot be: "),
}


def test_one_bad_value_and_the_whole_archive_is_refused_in_a_sentence(
    here: Flask, there: Flask, tmp_path: Path
) -> None:
    with here.app_context():
        packed = exported(here, a_life(load(tmp_path / "here")))
    with there.app_context():
        load(tmp_path / "there")
        session.remove()
    run = there.test_cli_runner().invoke
    file = tmp_path / "bad.zip"
    for what, (change, told) in BAD_VALUES.items():
        file.write_bytes(changed(packed, change))
        for words in ([], ["--dry-run"]):
            refused = run(args=["users", "import", str(file), *words])
            assert refused.exit_code == 1, what
            assert refused.output.startswith("Error: "), (what, refused.output, refused.exception)
            assert told in refused.output, (what, refused.output)
            assert not re.search(r"(ck|uq|fk|pk)_", refused.output), refused.output
    with there.app_context():
        for table in carried():
            assert session.execute(text(f"select count(*) from {table}")).scalar_one() == 0
        session.remove()
    file.write_bytes(packed)
    assert run(args=["users", "import", str(file)]).exit_code == 0, "the file itself is good"


def packed_with(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        file.writestr("data.json", data)
    return bytearray(made.getvalue())


def test_damaged_archives_are_refused_in_a_sentence(there: Flask, tmp_path: Path) -> None:
    plain = json.dumps({"format": 1, "filler": list(range(2000))}).encode()
    flipped, encrypted, unknown = packed_with(plain), packed_with(plain), packed_with(plain)
    flipped[200:210] = bytes(10)
    directory = encrypted.index(b"PK\x01\x02")
    encrypted[6] |= 1
    encrypted[directory + 8] |= 1
    unknown[8] = unknown[directory + 10] = 77
    squeezed = packed_with(plain, zipfile.ZIP_LZMA)
    squeezed[60:80] = bytes(20)
    deep = packed_with(b"[" * 100_000)
    run = there.test_cli_runner().invoke
    file = tmp_path / "rubbish.zip"
    for rubbish in (flipped, encrypted, unknown, squeezed, deep, packed_with(b"[]"), packed_with(b"\xff")):
        file.write_bytes(rubbish)
        refused = run(args=["users", "import", str(file)])
        told = "Error: This is no archive of Cody Verse, or it is damaged. Take the file"
        assert (refused.exit_code, refused.output.startswith(told)) == (1, True), refused.output


def test_what_cannot_be_is_refused_and_nothing_is_left_of_it(
    here: Flask, there: Flask, tmp_path: Path
) -> None:
    with here.app_context():
        packed = exported(here, a_life(load(tmp_path / "here")))
    wrong = {
        "cut": packed[: len(packed) // 2],
        "empty": b"",
        "text": b"not a zip",
        "newer": changed(packed, lambda data: data.update(format=2)),
        "no tables": changed(packed, lambda data: data.update(tables={})),
        "two people": changed(
            packed, lambda data: data["tables"]["users"].append(data["tables"]["users"][0])
        ),
        "a column": changed(packed, lambda data: data["tables"]["users"][0].update(is_admin=True)),
        "minus coins": changed(packed, lambda data: data["tables"]["players"][0].update(coins=-1)),
        "no date": changed(packed, lambda data: data["tables"]["attempts"][0].update(started_at="yesterday")),
        "a place": changed(packed, lambda data: data["tables"]["answers"][0].update(attempt_id=999)),
        "a minus": changed(packed, lambda data: data["tables"]["answers"][0].update(step_id=-1)),
        "no rows": changed(packed, lambda data: data["tables"].update(answers="x")),
        "NUL": changed(packed, lambda data: data["tables"]["users"][0].update(display_name="a\x00b")),
    }
    with there.app_context():
        load(tmp_path / "there")
        for what, archive in wrong.items():
            with pytest.raises(Invalid) as refused, unit_of_work():
                reading.take_in(archive)
            assert refused.value.message, what
        for table in carried():
            assert session.execute(text(f"select count(*) from {table}")).scalar_one() == 0
        session.remove()


def test_the_commands(here: Flask, there: Flask, tmp_path: Path) -> None:
    file = tmp_path / "ada.zip"
    with here.app_context():
        a_life(load(tmp_path / "here"))
    run = here.test_cli_runner().invoke
    done = run(args=["users", "export", ADA, "--to", str(file)])
    assert (done.exit_code, "everything about ada@example.org" in done.output) == (0, True)
    assert file.stat().st_mode & 0o077 == 0, "nobody else may read it"
    again = run(args=["users", "export", ADA, "--to", str(file)])
    assert (again.exit_code, "is there already" in again.output) == (1, True)
    nobody = run(args=["users", "export", "nobody@example.org"])
    assert (nobody.exit_code, "Nobody has the address" in nobody.output) == (1, True)
    with there.app_context():
        load(tmp_path / "there")
        session.remove()
    run = there.test_cli_runner().invoke
    dry = run(args=["users", "import", str(file), "--dry-run"])
    assert (dry.exit_code, dry.output.startswith("It would work: ada@example.org")) == (0, True)
    done = run(args=["users", "import", str(file)])
    assert done.exit_code == 0, done.output
    assert "Took in ada@example.org, learner" in done.output
    link = done.output.split()[-1].partition("8000")[2]
    twice = run(args=["users", "import", str(file)])
    assert (twice.exit_code, "has the address" in twice.output) == (1, True)
    with there.app_context():
        visitor = Visitor(there)
        visitor.post(link, {"new_password": PASSWORD})
        visitor.sign_in(ADA)
        assert visitor.get("/dashboard").response.request.path == "/dashboard"
        db.session.remove()
    file.write_bytes(b"rubbish")
    bad = run(args=["users", "import", str(file)])
    assert (bad.exit_code, "no archive of Cody Verse" in bad.output) == (1, True)


def test_an_export_that_cannot_be_finished_leaves_no_file(here: Flask, tmp_path: Path) -> None:
    """The limit of this process for files stands for a disk that is full."""
    with here.app_context():
        make_user(email=ADA)
        session.remove()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        failed = here.test_cli_runner().invoke(args=["users", "export", ADA, "--to", str(tmp_path / "a.zip")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (failed.exit_code, "a.zip cannot be written: File too large." in failed.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
    done = here.test_cli_runner().invoke(args=["users", "export", ADA, "--to", str(tmp_path / "a.zip")])
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.zip"]
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None
    nowhere = here.test_cli_runner().invoke(args=["users", "export", ADA, "--to", str(tmp_path / "x" / "a")])
    assert (nowhere.exit_code, "cannot be written: No such file" in nowhere.output) == (1, True)
