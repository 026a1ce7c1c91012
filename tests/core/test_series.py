"""Figures in the database: several processes add up, in minutes, hours and days alike; old ones go."""

import threading
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import text

from codyverse.core import heartbeat, series
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.recorder import Key, Recorder, added
from codyverse.core.series import MINUTES, Step

AT = datetime(2026, 6, 17, 12, 34, 56, tzinfo=UTC)


def write(recorder: Recorder) -> None:
    with unit_of_work():
        series.write(recorder.take())


def whole(step: Step, since: datetime, name: str = "requests"):
    return added(point.figure for point in series.read(step, since, [name]))


def test_every_step_has_the_whole(app: Flask, time_machine) -> None:
    time_machine.move_to(AT, tick=False)
    for seconds in (0.01, 0.02, 0.04):
        recorder = Recorder()
        recorder.timed("requests", "page", "200", seconds)
        write(recorder)
        time_machine.shift(timedelta(minutes=20))
    for step, number in (("minute", 3), ("hour", 2), ("day", 1)):
        points = series.read(step, AT, ["requests"])
        assert len(points) == number
        figure = added(point.figure for point in points)
        assert (figure.number, round(figure.total, 9), figure.peak) == (3, 0.07, 0.04)
        assert sum(figure.cells or ()) == 3
    assert [point.at for point in series.read("hour", AT, ["requests"])] == [
        datetime(2026, 6, 17, 12, tzinfo=UTC),
        datetime(2026, 6, 17, 13, tzinfo=UTC),
    ]


def test_many_processes_at_once_add_up(committed_app: Flask) -> None:
    """Each writes the same rows in its own order; none waits for another in a circle, none is lost."""
    faults: list[BaseException] = []

    def process(number: int) -> None:
        try:
            with committed_app.app_context():
                for _ in range(10):
                    recorder = Recorder()
                    for label in [f"page-{n}" for n in range(12)][:: 1 if number % 2 else -1]:
                        recorder.timed("requests", label, "200", 0.001 * (number + 1))
                        recorder.counted("faults", label)
                    with unit_of_work():
                        series.write(recorder.take())
                db.session.remove()
        except BaseException as fault:  # noqa: BLE001 - told below
            faults.append(fault)

    threads = [threading.Thread(target=process, args=(n,)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert faults == []
    for step in MINUTES:
        assert whole(step, now() - timedelta(days=1)).number == 6 * 10 * 12
        assert sum(whole(step, now() - timedelta(days=1)).cells or ()) == 6 * 10 * 12
        assert whole(step, now() - timedelta(days=1), "faults").number == 6 * 10 * 12


def test_figures_with_and_without_times_meet(app: Flask) -> None:
    first, second = Recorder(), Recorder()
    first.counted("requests", "page", "200", 2)
    second.timed("requests", "page", "200", 0.5)
    write(first)
    write(second)
    write(first)
    figure = whole("minute", now() - timedelta(minutes=1))
    assert (figure.number, sum(figure.cells or ())) == (3, 1)


def test_old_figures_go_and_young_ones_stay(app: Flask) -> None:
    at = now()
    with unit_of_work():
        for days in (1, 5, 100, 900):
            key = Key(int((at - timedelta(days=days)).timestamp()) // 60, "requests", "page", "200")
            series.write({key: added([])})
    for _ in range(2):
        with unit_of_work():
            series.forget_old()
    left = session.execute(text("select step, count(*) from series_points group by step order by step")).all()
    assert [tuple(row) for row in left] == [(1, 1), (60, 2), (1440, 3)]


def test_a_beat_writes_what_was_seen_and_how_the_process_is(app: Flask) -> None:
    heart = heartbeat.Heartbeat(app, 10, 4, 20, 2**30)
    heart._mark()
    heart.recorder.timed("requests", "page", "200", 0.5)
    heart.busy(0.5)
    assert heart.beat()
    assert whole("minute", now() - timedelta(minutes=1)).number == 1
    [here] = heartbeat.instances()
    assert (here.name, here.kind, here.threads, here.silent) == (heart.name, "web", 4, False)
    assert here.memory > 10 * 2**20
    assert here.busy > 0
    assert heart.beat(last=True)
    assert heartbeat.instances() == ()


def test_what_cannot_be_written_waits_for_the_next_beat(app: Flask) -> None:
    heart = heartbeat.Heartbeat(app, 10, 4, 20, 2**30)
    heart.recorder.timed("requests", "page", "200", 0.5)
    session.execute(text("alter table series_points rename to series_away"))
    session.commit()
    assert not heart.beat()
    session.execute(text("alter table series_away rename to series_points"))
    session.commit()
    assert heart.beat()
    assert whole("minute", now() - timedelta(minutes=1)).number == 1


def test_a_process_that_is_not_heard_of_is_silent_and_then_forgotten(app: Flask, time_machine) -> None:
    time_machine.move_to(AT, tick=False)
    heartbeat.Heartbeat(app, 10, 4, 20, 2**30).beat()
    time_machine.shift(timedelta(seconds=31))
    assert not heartbeat.instances()[0].silent
    time_machine.shift(timedelta(seconds=10))
    assert heartbeat.instances()[0].silent
    time_machine.shift(timedelta(hours=2))
    assert heartbeat.instances() == ()
    with unit_of_work():
        assert heartbeat.forget_gone() == 1


def test_nobody_pays_for_it_with_a_request(app: Flask) -> None:
    from sqlalchemy import event

    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    app.test_client().get("/login")
    assert seen == []
    assert heartbeat.of(app).recorder.take()
