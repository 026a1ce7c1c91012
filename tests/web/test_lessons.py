"""A lesson over HTTP, without JavaScript and with htmx: begin, answer, take hints, leave and come back, finish."""

from pathlib import Path

import pytest
from flask import Flask
from lxml import html
from sqlalchemy import text

from codyverse.core.database import session, unit_of_work
from codyverse.courses.services import apply_course
from tests.domains.study import Plan, course_source, make_course
from tests.factories import PASSWORD, make_user
from tests.web.playing import Playing, make_tea
from tests.web.visits import HTMX, Page, Visitor

ADA, BEN = "ada@example.org", "ben@example.org"
MODES = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
STANDING = text(
    "select p.level, p.streak, coalesce(sum(amount) filter (where currency = 'xp'), 0) as xp, "
    "coalesce(sum(amount) filter (where currency = 'coins'), 0) as coins "
    "from players p join users u on u.id = p.user_id left join ledger_entries e on e.user_id = p.user_id "
    "where u.email = :email group by p.user_id"
)


@pytest.fixture
def tea(app: Flask, tmp_path: Path) -> int:
    """The sample lesson with every kind of step."""
    return make_tea(tmp_path)


@pytest.fixture
def play(learner: Visitor, tea: int) -> Playing:
    """Ada, in the middle of nothing yet."""
    return Playing(learner, ADA, tea).begin()


def count(table: str) -> int:
    return int(session.execute(text(f"select count(*) from {table}")).scalar_one())


def hud(page: Page) -> dict[str, int]:
    """The standing that a page or fragment shows in its head."""
    [head] = page.css("#hud")
    level, xp = (head.cssselect(name)[0].text_content() for name in (".hud-name", ".hud-count"))
    streak, coins = (
        head.cssselect(f'[data-mechanic="{name}"] .numbers')[0].text_content() for name in ("streak", "coins")
    )
    digits = [int("".join(sign for sign in each if sign.isdigit())) for each in (level, streak, xp, coins)]
    return dict(zip(("level", "streak", "xp", "coins"), digits, strict=True))


def ledger(email: str = ADA) -> dict[str, int]:
    """The same as the database has it: sums of the ledger's entries."""
    return {
        name: int(value)
        for name, value in session.execute(STANDING, {"email": email}).one()._asdict().items()
    }


def updates(page: Page) -> list[str]:
    """What a fragment changes outside its own place."""
    return [each.get("hx-target") for each in page.document.iter("hx-partial")]


@MODES
def test_a_whole_lesson(play: Playing, htmx: bool) -> None:
    """Each step wrong, then with a hint or without, then right; the standing agrees with the ledger all the way."""
    play.htmx = htmx
    page = play.see()
    assert page.css("#step-title")[0].text_content() == "Water"
    for step in play.steps:
        if step.kind == "teach":
            page = play.shown(play.send(step, "read", {}))
        else:
            page = play.shown(play.answer(step, right=False))
            assert page.css("#verdict")[0].text_content() == "Not yet"
            assert page.css(".verdict .prose")[0].text_content().strip()
            page = play.shown(play.answer(step, right=True, try_no=2))
            assert page.css("#verdict")[0].text_content() == "That is right"
            assert page.css(".verdict .prose")[0].text_content().strip()
            assert page.css("fieldset.exercise[disabled]")
        if htmx:
            assert updates(page) == ["#progress", "#hud", "#bell"]
        assert hud(page) == ledger()
    page = play.shown(play.complete())
    assert "A new star is lit" in page.text
    assert hud(page) == ledger()
    assert ledger()["xp"] > 0
    assert f"{ledger()['xp']} XP" in page.css(".summary-facts")[0].text_content()
    if htmx:
        assert updates(page) == ["#hud", "#bell", "#announce"]
        assert page.response.headers["HX-Push-Url"] == f"/lessons/{play.lesson_id}/attempts/{play.attempt_id}"
    again = play.visitor.get(f"/lessons/{play.lesson_id}/attempts/{play.attempt_id}")
    assert again.css(".summary-facts")[0].text_content() == page.css(".summary-facts")[0].text_content()


def stored() -> list[tuple[object, ...]]:
    """Everything that a lesson writes, to see that something sent twice writes nothing."""
    tables = (
        "attempts",
        "attempt_steps",
        "answers",
        "lesson_progress",
        "activity_days",
        "daily_goals",
        "players",
        "ledger_entries",
    )
    rows = [
        session.execute(text(f"select '{name}', t.* from {name} t order by 2, 3, 4")).all() for name in tables
    ]
    return [tuple(row) for table in rows for row in table]


@MODES
def test_everything_sent_twice_counts_once(play: Playing, htmx: bool) -> None:
    play.htmx = htmx
    intro, *asking = play.steps
    for _ in range(2):
        play.visitor.post(f"/lessons/{play.lesson_id}/start")
    assert count("attempts") == 1
    acts = [(intro, "read", {}), (asking[0], "hint", {"hint_no": "1"})]
    acts += [(step, "answer", play.fields(step)) for step in asking]
    for step, act, fields in acts:
        first = play.shown(play.send(step, act, fields))
        before = stored()
        again = play.shown(play.send(step, act, fields))
        assert stored() == before, f"{act} of {step.kind}"
        assert again.text == first.text
        assert hud(again) == ledger()
    first = play.shown(play.complete())
    attempt, before = play.attempt_id, stored()
    for _ in range(3):
        again = play.shown(play.complete(attempt_id=attempt))
        assert again.css("#summary")[0].text_content() == first.css("#summary")[0].text_content()
    assert stored() == before
    assert [row[0] for row in session.execute(text("select completions from lesson_progress"))] == [1]


@MODES
def test_another_answer_under_the_same_number_is_refused_with_advice(play: Playing, htmx: bool) -> None:
    step = play.steps[1]
    play.answer(step, right=False)
    before = stored()
    play.htmx = htmx
    for try_no in (1, 3):
        page = play.answer(step, right=True, try_no=try_no, status=409)
        assert "The next try" in page.text
        assert "number 2" in page.text
    assert stored() == before
    assert "That is right" in play.shown(play.answer(step, try_no=2)).text


@MODES
def test_a_second_tab_after_finishing_says_what_to_do(play: Playing, htmx: bool) -> None:
    play.answer_all()
    play.complete()
    before = stored()
    play.htmx = htmx
    _, step, *_ = play.steps
    for act, fields in [
        ("answer", play.fields(step)),
        ("hint", {"hint_no": "1"}),
        ("draft", {}),
        ("read", {}),
    ]:
        page = play.send(step, act, fields, status=409)
        assert "finished in another tab" in page.text
        assert "Reload the page" in page.text
        assert page.css("[data-reload]" if htmx else 'a[href="/"]')
    onward = f"/lessons/{play.lesson_id}?step={step.position}"  # the link that a page goes on by
    page = play.visitor.get(onward, status=409 if htmx else 200, htmx=htmx)
    if htmx:
        assert "finished in another tab" in page.text
        assert page.css("[data-reload]")
    else:
        assert page.css(f'form[action="/lessons/{play.lesson_id}/start"]')
    assert stored() == before


def test_hints_come_one_at_a_time_and_keep_what_is_half_written(play: Playing) -> None:
    step = play.steps[1]
    half = play.fields(step, right=False)
    page = play.shown(play.send(step, "hint", {"hint_no": "1", **half}))
    assert [each.text_content().strip() for each in page.css("#hints li")] == ["What does a kettle do?"]
    assert half.items() <= values(page).items()
    play.send(step, "hint", {"hint_no": "3"}, status=404)
    page = play.shown(play.send(step, "hint", values(page) | {"hint_no": "2"}))
    assert len(page.css("#hints li")) == 2
    assert not page.css("[name=hint_no]")
    assert half.items() <= values(page).items()
    assert page.field("try_no").get("value") == "1"
    for bad in ("0", "4", "-1", "x", "", "1e0", "\u0661"):
        play.send(step, "hint", {"hint_no": bad}, status=422)


def values(page: Page) -> dict[str, object]:
    """What the answer form of a page would send."""
    form = html.document_fromstring(page.response.text).get_element_by_id("answer")
    pairs = form.form_values()
    picked = [value for name, value in pairs if name == "answer"]
    several = {"answer": picked} if dict(pairs)["kind"] == "choices" else {}
    return dict(pairs) | several


@MODES
def test_half_written_answers_survive(play: Playing, htmx: bool) -> None:
    drafts = {}
    for step in play.steps[1:]:
        fields = play.fields(step, right=False)
        if step.kind == "blank":
            fields = {"blank-0": "2 mi", "blank-1": "", "blank-2": "<b>'\"&"}
        elif step.kind in {"match", "parsons"}:
            kept = next(iter(fields)).partition("-")[2]
            fields = {name: value for name, value in fields.items() if name.endswith(kept)}
        drafts[step.position] = fields
        assert play.visitor.post(
            play.url(step, "draft"), {"kind": step.kind, **fields}, status=204, htmx=True
        )
    play.htmx = htmx
    for step in play.steps[1:]:
        page = play.see(step.position)
        shown = values(page)
        sent = drafts[step.position]
        assert {name: shown.get(name) for name in sent} == sent, step.kind
        given = play.fields(step, right=False)
        shown = values(play.shown(play.answer(step, right=False)))
        assert {name: shown.get(name) for name in given} == given, step.kind


@pytest.mark.parametrize("try_no", [1, 2])
def test_a_draft_that_comes_after_its_answer_does_not_stand_under_the_verdict(
    play: Playing, try_no: int
) -> None:
    step = play.steps[1]
    page = play.shown(play.answer(step))
    answered = values(page)
    late = {"kind": step.kind, "try_no": str(try_no), **play.fields(step, right=False)}
    play.visitor.post(play.url(step, "draft"), late, status=204, htmx=True)
    shown = values(play.see(step.position))
    if try_no == 1:  # another tab's, which was on its way
        assert shown == answered
    else:  # the next try is being written
        assert shown != answered


def test_one_goes_on_where_one_left(play: Playing) -> None:
    intro, first, second, *_ = play.steps
    play.send(intro, "read", {})
    play.answer(first)
    page = play.see()
    assert (
        page.css("#progress [aria-current=step]")[0].text_content().strip()
        == f"Step {second.position}, you are here"
    )
    assert play.see(first.position).css("#verdict")
    assert (
        play.see(99).css("#progress [aria-current=step]")[0].text_content().strip() == "Step 3, you are here"
    )
    dashboard = play.visitor.get("/dashboard")
    assert dashboard.css(f'a[href="/lessons/{play.lesson_id}"][data-next]')
    assert "step 3 of 7" in dashboard.text


@MODES
def test_finishing_too_early_is_refused(play: Playing, htmx: bool) -> None:
    play.answer(play.steps[1])
    before = stored()
    play.htmx = htmx
    page = play.complete(status=409)
    assert "5 steps still wait for an answer" in page.text
    assert stored() == before


@MODES
def test_what_belongs_to_another_learner_does_not_exist(
    app: Flask, play: Playing, other: Visitor, htmx: bool
) -> None:
    ben = Playing(other, BEN, play.lesson_id)
    play.answer_all()
    open_attempt = play.attempt_id
    ben.begin()
    ben.htmx = htmx
    before = stored()
    ben.complete(attempt_id=open_attempt, status=404)
    assert stored() == before
    play.complete()
    for path in (f"/lessons/{play.lesson_id}/attempts/{open_attempt}",):
        assert "Ada" not in other.get(path, status=404, htmx=htmx).text
    ben.complete(attempt_id=open_attempt, status=404)
    assert ledger(BEN) == {"level": 1, "streak": 0, "xp": 0, "coins": 0}
    for step in ben.steps[1:3]:
        [given] = ben.fields(step).values()
        [hers] = Playing(play.visitor, ADA, play.lesson_id).fields(step).values()
        assert given != hers
        page = ben.send(step, "answer", {"answer": hers}, status=422)
        assert "does not belong to the question" in page.text


@MODES
def test_an_attempt_is_finished_under_its_own_lesson_only(learner: Visitor, htmx: bool) -> None:
    one, two = (Playing(learner, ADA, lesson, htmx) for lesson in make_course(Plan(asks=1), Plan(asks=1)))
    for each in (one, two):
        each.begin()
        each.answer_all()
    before = stored()
    one.complete(attempt_id=two.attempt_id, status=404)
    assert stored() == before
    two.complete()
    learner.get(f"/lessons/{one.lesson_id}/attempts/{two.attempt_id}", status=404)
    one.send(two.steps[1], "answer", {"answer": "x"}, status=404)


def test_a_retired_lesson_can_be_finished_but_not_begun(learner: Visitor, other: Visitor) -> None:
    plans = (Plan(asks=1, key="old"), Plan(asks=1, key="new"))
    old, _ = make_course(*plans, key="changing")
    play = Playing(learner, ADA, old).begin()
    with unit_of_work():
        apply_course(course_source("changing", plans[1]), 1)
    for path in (f"/lessons/{old}", f"/lessons/{old}/start"):
        response = (
            other.client.get(path) if not path.endswith("start") else other.post(path, status=404).response
        )
        assert response.status_code == 404
    assert "no longer offered" in other.get(f"/lessons/{old}", status=404).text
    assert play.see().css("#step")
    play.answer_all()
    page = play.shown(play.complete())
    assert "A new star is lit" in page.text
    assert hud(page) == ledger()
    assert ledger()["xp"] > 0
    learner.get(f"/lessons/{old}", status=404)
    learner.post(f"/lessons/{old}/start", status=404)


class Interrupted:
    """Ada's session is ended from another device while she writes."""

    def __init__(self, app: Flask, play: Playing) -> None:
        self.app, self.play = app, play
        self.step = next(step for step in play.steps if step.kind == "blank")
        self.fields = {"blank-0": "2", "blank-1": "thanks <3", "blank-2": "Tea"}

    def answers(self) -> Page:
        self.token = self.play.visitor.token()
        Visitor(self.app).sign_in(ADA).post("/logout/everywhere")
        data = {"kind": "blank", "try_no": "1", "csrf_token": self.token, **self.fields}
        referrer = f"http://localhost/lessons/{self.play.lesson_id}?step={self.step.position}"
        response = self.play.visitor.client.post(
            self.play.url(self.step, "answer"), data=data, headers={"Referer": referrer}
        )
        assert response.status_code == 303
        page = self.play.visitor.get(response.location)
        assert page.response.request.path == "/login"
        return page


def test_an_answer_sent_after_the_session_ended_waits_as_a_draft(app: Flask, play: Playing) -> None:
    case = Interrupted(app, play)
    page = case.answers()
    assert (count("answers"), page.field("next").get("value")) == (0, f"/lessons/{play.lesson_id}")
    signed_in = play.visitor.submit(page, "/login", {"email": ADA, "password": "wrong-it-is-not"}, status=422)
    assert case.fields["blank-1"] not in signed_in.response.text
    signed_in = play.visitor.submit(signed_in, "/login", {"email": ADA, "password": PASSWORD})
    assert signed_in.response.location == f"/lessons/{play.lesson_id}"
    shown = values(play.see(case.step.position))
    assert case.fields.items() <= shown.items()
    assert count("answers") == 0


def test_a_held_answer_is_not_for_somebody_else(app: Flask, play: Playing) -> None:
    case = Interrupted(app, play)
    make_user(email=BEN, name="Ben")
    other = Playing(Visitor(app).sign_in(BEN), BEN, play.lesson_id).begin()
    page = case.answers()
    play.visitor.submit(page, "/login", {"email": BEN, "password": PASSWORD})
    here = Playing(play.visitor, BEN, play.lesson_id)
    for ben in (here, other):
        assert not {"2", "thanks <3", "Tea"} & set(values(ben.see(case.step.position)).values())
    play.visitor.post("/logout")
    play.visitor.sign_in(ADA)
    assert values(play.see(case.step.position))["blank-1"] == ""
    assert (
        session.execute(text("select count(*) from attempt_steps where draft is not null")).scalar_one() == 0
    )


def test_with_htmx_a_lost_session_is_an_alert_and_the_form_stays(app: Flask, play: Playing) -> None:
    step, token = play.steps[1], play.visitor.token()
    Visitor(app).sign_in(ADA).post("/logout/everywhere")
    data = {"kind": step.kind, "try_no": "1", "csrf_token": token, **play.fields(step)}
    response = play.visitor.client.post(play.url(step, "answer"), data=data, headers=HTMX)
    assert (response.status_code, "<html" in response.text) == (401, False)
    assert "what you wrote is kept for you" in response.text
