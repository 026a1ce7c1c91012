"""The real server with an open stream: it carries news from another process, and stops at once when it is asked to."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from codyverse.accounts import queries as people
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.notifications import services
from config import ROOT
from tests.factories import make_user
from tests.ports import free_port
from tests.web.visits import Visitor

PATIENCE = 20
APPLICATIONS = ["app:site", "app:stream"]


@pytest.fixture(params=APPLICATIONS)
def server(
    committed_app: Flask, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    env = keep | {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": committed_app.extensions["settings"].database_url,
        "SECRET_KEY": committed_app.config["SECRET_KEY"],
        "LOG_LEVEL": "WARNING",
    }
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--factory",
        "--loop",
        "asyncio",
        "--no-ws",
    ]
    command += ["--port", str(port), "--workers-kill-timeout", "60", request.param]
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    yield process, port
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def opened(port: int, cookie: str) -> http.client.HTTPResponse:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/notifications/stream?after=0.0", headers={"Cookie": cookie})
            return connection.getresponse()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_news_from_another_process_and_a_quick_end(
    committed_app: Flask, server: tuple[subprocess.Popen[bytes], int]
) -> None:
    process, port = server
    make_user(email="ada@example.org")
    cookie = Visitor(committed_app).sign_in("ada@example.org").client.get_cookie("codyverse")
    assert cookie
    stream = opened(port, f"codyverse={cookie.value}")
    assert stream.status == 200
    while stream.readline().strip():
        pass  # hello
    with unit_of_work():
        who = people.account_by_email("ada@example.org").id
        services.tell("level", "level:2", {"level": 2, "name": "Beginner", "gems": 2}, [who], now())
    assert stream.readline() == b"id: 1.1\n"
    assert stream.readline() == b"event: news\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert time.monotonic() - began < PATIENCE
    assert stream.read().startswith(b"data: 1.1"), "the stream ended in order"
