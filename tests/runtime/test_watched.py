"""A hundred known requests to two real processes: the same hundred in the metrics, in the log, and on the dashboard."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import create_engine, text

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import make_database, settings_for, statement
from tests.e2e.conftest import ROOT, environment
from tests.factories import make_user
from tests.ports import free_port
from tests.web.visits import Visitor

WORKERS = 2


@dataclass
class Site:
    """Two web processes behind one port, as the Procfile starts them."""

    url: str
    database: str
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str, **headers: str) -> str:
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith('{"')]

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=60)


@pytest.fixture
def site(cluster: str, tmp_path: Path) -> Iterator[Site]:
    name = "cv_watched"
    url, port, folder = make_database(cluster, name), free_port(), tmp_path / "metrics"
    folder.mkdir()
    env = environment(
        url,
        PORT=str(port),
        METRICS_EVERY_S="600",
        LOG_LEVEL="INFO",
        LOG_FORMAT="json",
        PROMETHEUS_MULTIPROC_DIR=str(folder),
    )
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(WORKERS), "--blocking-threads", "2", "app:app"]
    log = tmp_path / "log"
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stderr=opened, stdout=opened, start_new_session=True
        )
    made = Site(f"http://127.0.0.1:{port}", url, log, process)
    for _ in range(1200):
        try:
            made.get("/health/live")
            break
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    yield made
    made.stop()
    statement(cluster, f"drop database {name} with (force)")


def in_metrics(site: Site, endpoint: str) -> int:
    told = json.loads(site.get("/metrics", Accept="application/json"))
    [found] = [each for each in told if each["name"] == "cody_requests"]
    return int(
        sum(
            each["value"]
            for each in found["samples"]
            if each["name"] == "cody_requests_total" and each["labels"]["endpoint"] == endpoint
        )
    )


def on_the_dashboard(database: str) -> dict[str, str]:
    app = create_app(settings_for(database))
    with app.app_context():
        make_user(email="opal@example.org", role="operator")
        page = Visitor(app).sign_in("opal@example.org").get("/admin/api")
        db.engine.dispose()
    rows = html.fromstring(page.response.text).cssselect("#endpoints-title ~ .scroll tbody tr")
    return {row.cssselect("th")[0].text_content(): row.cssselect("td")[0].text_content() for row in rows}


def test_a_hundred_requests_to_two_processes_are_a_hundred_everywhere(site: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        for answer in [pool.submit(site.get, "/api-spec.json") for _ in range(100)]:
            answer.result()
    assert in_metrics(site, "docs.spec") == 100
    site.stop()  # asked to stop, each process writes down what it had not written yet
    lines = [
        line for line in site.lines() if line.get("event") == "request" and line["endpoint"] == "docs.spec"
    ]
    assert len(lines) == 100
    assert len({line["request_id"] for line in lines}) == 100
    assert {line["status"] for line in lines} == {200}
    assert on_the_dashboard(site.database)["docs.spec"] == "100"
    engine = create_engine(site.database)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from instances")).scalar_one() == 0
        totals = connection.execute(
            text(
                "select step, sum(number) from series_points where label = 'docs.spec' group by step order by step"
            )
        )
        assert [tuple(row) for row in totals] == [(1, 100), (60, 100), (1440, 100)]
    engine.dispose()
