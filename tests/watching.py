"""A site that has been watched for a while: figures, processes, runs and changes of health, as the heart writes them."""

import math
import random
from datetime import timedelta

from codyverse import alerting, jobs
from codyverse.core import heartbeat, job_runs, series
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.health import Health
from codyverse.core.recorder import Recorder, minute_of

ENDPOINTS = {
    "dashboard.show": (30, 0.012),
    "lessons.answer": (22, 0.018),
    "api.getDashboard": (40, 0.004),
    "courses.show": (9, 0.02),
    "accounts.sign_in": (2, 0.05),
}


def an_hour_of_figures() -> None:
    """What three processes would have written in the last two hours."""
    dice, here = random.Random(5), minute_of(now())
    whole = {}
    for back in range(120):
        recorder = Recorder()
        wave = 1 + 0.5 * math.sin(back / 9)
        for endpoint, (often, seconds) in ENDPOINTS.items():
            for _ in range(int(often * wave)):
                status = "500" if dice.random() < 0.004 else "422" if dice.random() < 0.03 else "200"
                recorder.timed("requests", endpoint, status, seconds * dice.lognormvariate(0, 0.6))
        recorder.counted("capacity", "web", total=480)
        recorder.counted("cpu", "web", total=9 * wave)
        recorder.counted("statements", number=int(400 * wave), total=0.5)
        for lifetime in ("user", "courses", "static"):
            recorder.counted("cache", lifetime, "hit", int(80 * wave))
            recorder.counted("cache", lifetime, "miss", int(6 * wave))
        recorder.sampled("memory", "web", 96 * 2**20 + back * 9000)
        recorder.sampled("pool", "web", 1 + 3 * wave * dice.random())
        for key, figure in recorder.take().items():
            whole[key._replace(minute=here - back)] = figure
    recorder = Recorder()
    recorder.counted("faults", "validation", number=41)
    recorder.counted("faults", "system", number=3)
    with unit_of_work():
        series.write(whole | recorder.take())


def processes_and_runs() -> None:
    """Two web processes, one of them silent, a worker; jobs that ran, one that failed; a change of health."""
    at = now()
    for number, (kind, ago) in enumerate((("web", 3), ("web", 95), ("worker", 4))):
        values = {
            "name": f"learn-1:{4200 + number}",
            "kind": kind,
            "started_at": at - timedelta(days=2),
            "seen_at": at - timedelta(seconds=ago),
            "every": 10.0,
            "memory": 101 * 2**20,
            "memory_limit": 2**31,
            "cpu": 0.21,
            "threads": 4 if kind == "web" else 0,
            "busy": 0.34,
            "pool_in_use": 2,
            "pool_most": 20,
            "streams": 12,
        }
        with unit_of_work():
            session.connection().execute(heartbeat._HERE, values)
    with unit_of_work():
        job_runs.note("mails", at, 0.42, "3 mails sent.", "")
        job_runs.note("webhooks", at, 5.0, "", "The mail server does not answer.")
    found = Health("connected", "warning", "operational", at, 0, 1, 1.0, {})
    change = alerting.change_of(None, found, "learn-1:4200")
    assert change
    alerting.claim(change)
    jobs.run("insights")
