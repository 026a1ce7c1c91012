"""The lesson player: one step at a time, answer, verdict, next, summary."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid, NotFound, Unavailable
from codyverse.courses import queries as courses
from codyverse.gamification import badge_queries
from codyverse.gamification import queries as game
from codyverse.gamification.badge_queries import BadgeView
from codyverse.gamification.queries import Rewards
from codyverse.http.access import access, principal
from codyverse.http.away import opens_while_away
from codyverse.http.repeating import harmless_again
from codyverse.notifications.dashboard import player_with_head
from codyverse.progress import queries, seen, services
from codyverse.web import answers, htmx
from codyverse.web.render import fragment, page

bp = Blueprint("lessons", __name__, url_prefix="/lessons")
PLAYER = "pages/lessons/player.html"


def _open_attempt(lesson_id: int) -> int:
    """The learner's open attempt at this lesson. Raises Conflict when there is none (finished in another tab, or never begun),
    and NotFound when there is no such lesson."""
    found = queries.open_attempt_id(principal().id, lesson_id)
    if found is None:
        courses.lesson(lesson_id)
        raise Conflict(
            "This lesson is not open: it was finished in another tab, or not begun. Reload the page."
        )
    return found


def _wanted_step() -> int | None:
    text = request.args.get("step", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


def read_only(lesson_id: int) -> Response:
    """The lesson to be read, if it is held, while answers cannot be taken."""
    if htmx.wants_fragment():
        raise Unavailable("A part of the site does not answer right now. Try again in a moment.")
    return page("pages/lessons/reading.html", reading=courses.reading(lesson_id))


@bp.get("/<id:lesson_id>")
@access("learner")
@opens_while_away(read_only)
def show(lesson_id: int) -> Response:
    """The step at which the learner is; before the start, what the lesson is about.

    htmx asks from within a player: if the attempt is over, a whole page must not be put into the step's place.
    """
    if htmx.wants_fragment():
        return _player_page(_open_attempt(lesson_id), queries.at_place(_wanted_step()))
    attempt_id = queries.open_attempt_id(principal().id, lesson_id)
    courses.reading(lesson_id)  # so that it is held when the database is away
    if attempt_id is None:
        lesson = courses.lesson(lesson_id)
        if lesson.retired:
            raise NotFound("This lesson is no longer offered.")
        states = queries.lesson_states(principal().id, lesson.course_id)
        return page("pages/lessons/intro.html", lesson=lesson, state=states.get(lesson_id))
    return _player_page(attempt_id, queries.at_place(_wanted_step()))


def _player_page(
    attempt_id: int, where: queries.Where, status: int = 200, fault: str = "", given: Any = None
) -> Response:
    """The attempt at this step; `given` is what was just given and could not be graded."""
    player, hud, bell = player_with_head(principal(), now(), attempt_id, where)
    if given is not None:
        player = replace(player, current=replace(player.current, given=given))
    context: dict[str, Any] = {"player": player, "hud": hud, "bell": bell, "fault": fault}
    if htmx.wants_fragment():
        return fragment(PLAYER, "step", "updates", status=status, **context)
    return page(PLAYER, status, **context)


@bp.post("/<id:lesson_id>/start")
@access("learner")
@harmless_again
def start(lesson_id: int) -> Response:
    """Begin the lesson, or go on with it if it is open."""
    with unit_of_work():
        attempt_id = services.start_attempt(principal().id, lesson_id)
    place = queries.player(principal().id, attempt_id).current.position
    return redirect(url_for(".show", lesson_id=lesson_id, step=place), 303)


@bp.post("/<id:lesson_id>/steps/<id:step_id>/answer")
@access("learner", brings=(seen.STEP,))
@harmless_again
def answer(lesson_id: int, step_id: int) -> Response:
    """Grade an answer and show the verdict; what cannot be graded comes back with the reason."""
    given: Any = None
    try:
        given = answers.read(request.form.get("kind", ""), request.form)
        with unit_of_work():
            attempt_id = services.answer_open_step(principal().id, lesson_id, step_id, _try_no(), given)
    except Invalid as fault:
        return _player_page(
            _open_attempt(lesson_id), queries.at_step(step_id), 422, fault.message, given=given
        )
    except NotFound:
        _open_attempt(lesson_id)  # says that it is finished, where it is
        raise
    return _shown(lesson_id, attempt_id, queries.at_step(step_id), anchor="verdict")


def _shown(lesson_id: int, attempt_id: int, where: queries.Where, anchor: str | None = None) -> Response:
    """The step for htmx; otherwise the way to it."""
    if htmx.wants_fragment():
        return _player_page(attempt_id, where)
    place = queries.player(principal().id, attempt_id, where).current.position
    return redirect(url_for(".show", lesson_id=lesson_id, step=place, _anchor=anchor), 303)


def _try_no() -> int:
    text = request.form.get("try_no", "")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Invalid({"try_no": ["The number of the try is missing. Reload the page and answer again."]})
    return int(text)


@bp.post("/<id:lesson_id>/steps/<id:step_id>/read")
@access("learner")
@harmless_again
def read(lesson_id: int, step_id: int) -> Response:
    """A teaching step was read: on to the next one."""
    attempt_id = _open_attempt(lesson_id)
    with unit_of_work():
        services.finish_teaching(principal().id, attempt_id, step_id)
    return _shown(lesson_id, attempt_id, queries.after_step(step_id))


@bp.post("/<id:lesson_id>/steps/<id:step_id>/hint")
@access("learner")
@harmless_again
def hint(lesson_id: int, step_id: int) -> Response:
    """One more hint; they cost nothing. What is half written comes along and is kept."""
    attempt_id = _open_attempt(lesson_id)
    with unit_of_work():
        services.take_hint(principal().id, attempt_id, step_id, _hint_no())
        _keep_draft(attempt_id, step_id)
    return _shown(lesson_id, attempt_id, queries.at_step(step_id), anchor="hints")


def _hint_no() -> int:
    text = request.form.get("hint_no", "")
    if text not in {"1", "2", "3"}:
        raise Invalid({"hint_no": ["There are hints 1 to 3."]})
    return int(text)


def _keep_draft(attempt_id: int, step_id: int) -> None:
    """Keep what is half written; what cannot be understood is no draft and is left aside, and so is what belongs to a try that
    was answered meanwhile, perhaps in another tab: it would stand under that answer's verdict."""
    try:
        given = answers.read(request.form.get("kind", ""), request.form)
        try_no = _try_no() if "try_no" in request.form else None
        services.save_draft(principal().id, attempt_id, step_id, given, try_no)
    except Invalid:
        return


@bp.post("/<id:lesson_id>/steps/<id:step_id>/draft")
@access("learner")
@harmless_again
def draft(lesson_id: int, step_id: int) -> Response:
    """Keep a half-written answer."""
    attempt_id = _open_attempt(lesson_id)
    with unit_of_work():
        _keep_draft(attempt_id, step_id)
    return Response(status=204)


@bp.post("/<id:lesson_id>/complete")
@access("learner")
@harmless_again
def complete(lesson_id: int) -> Response:
    """Finish the lesson. Sent again, it shows the same summary."""
    attempt_id = _attempt_to_complete(lesson_id)
    with unit_of_work():
        services.complete_attempt(principal().id, attempt_id, lesson_id)
    target = url_for(".summary", lesson_id=lesson_id, attempt_id=attempt_id)
    if htmx.wants_fragment():
        return summary(lesson_id, attempt_id)
    return redirect(target, 303)


def _attempt_to_complete(lesson_id: int) -> int:
    """The attempt that the form names; services check whose it is. Where it names none, the open attempt."""
    text = request.form.get("attempt_id")
    if text is None:
        return _open_attempt(lesson_id)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound("There is no such attempt.")
    return int(text)


@bp.get("/<id:lesson_id>/attempts/<id:attempt_id>")
@access("learner")
def summary(lesson_id: int, attempt_id: int) -> Response:
    """What was right, how long it took, what it earned and why, what comes next."""
    who = principal()
    completion = queries.completion(who.id, attempt_id)
    if completion.lesson_id != lesson_id:
        raise NotFound("There is no such attempt.")
    rewards = game.rewards_of(who.id, attempt_id)
    hidden = who.preferences.hidden
    badges = () if "badges" in hidden else badge_queries.badges_in(rewards.entries, hidden)
    context: dict[str, Any] = {
        "completion": completion,
        "hud": game.player(who.id, now()),
        "rewards": rewards,
        "badges": badges,
        "announcement": _celebrated(rewards, badges, hidden, weekly=who.preferences.streak_mode == "weekly"),
    }
    if htmx.wants_fragment():
        response = fragment("pages/lessons/summary.html", "summary", "updates", **context)
        response.headers["HX-Push-Url"] = url_for(".summary", lesson_id=lesson_id, attempt_id=attempt_id)
        return response
    return page("pages/lessons/summary.html", **context)


def _celebrated(
    rewards: Rewards, badges: tuple[BadgeView, ...], hidden: frozenset[str], *, weekly: bool
) -> str:
    """What the lesson brought, in words for those who hear the page; what is hidden is not spoken of."""
    days = 0 if weekly else rewards.streak.days
    said = {
        "xp": _many(rewards.xp, "XP", "XP"),
        "coins": _many(rewards.coins, "coin", "coins"),
        "badges": " ".join(f"Badge earned: {badge.name}." for badge in badges),
        "goals": f"Goals reached: {len(rewards.goals)}." if rewards.goals else "",
        "streak": f"{_many(days, 'day', 'days')[:-1]} in a row." if rewards.streak.extended and days else "",
    }
    words = [text for mechanic, text in said.items() if text and mechanic not in hidden]
    if rewards.level_up and "xp" not in hidden:
        words.append(f"New level {rewards.level_up.number}: {rewards.level_up.name}.")
    return " ".join(words)


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}." if count else ""
