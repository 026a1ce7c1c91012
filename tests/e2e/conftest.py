"""The real thing for browsers: granian on a database of its own with the real courses, and Chromium."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import make_database, settings_for
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 800}}
SCHEMES = ("light", "dark")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def chromium() -> str:
    """The distribution's browser; `make test` installs it where it may."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None and MAC.exists():
        found = str(MAC)
    assert found, "No Chromium was found: install it (apt install chromium), then run the tests again."
    return found


@dataclass
class Site:
    """A running server and the application on the same database, to look behind the page."""

    url: str
    app: Flask
    env: dict[str, str]
    process: subprocess.Popen[bytes] = field(repr=False)


def serve(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start granian as `make run` does, pages and streams in one process, and wait until it answers."""
    port = env["PORT"]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--factory",
        "app:site",
        "--loop",
        "asyncio",
    ]
    command += ["--host", "127.0.0.1", "--port", port, "--workers", "1", "--no-ws"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2) as answer:
                if answer.status == 200:
                    return process
        except OSError:
            assert process.poll() is None, "the server stopped while starting"
            time.sleep(0.05)
    raise AssertionError("the server did not answer within 30 s")


def stop(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """End the server and its workers, however they stand."""
    if process.poll() is None:
        os.killpg(process.pid, how)
    process.wait(timeout=30)


def environment(url: str, **more: str) -> dict[str, str]:
    """What a server of the tests is told; of the process's own environment only what programs need."""
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    values = {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": url,
        "SECRET_KEY": "a-key-for-browser-tests-and-nothing-else",
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "1024",
        "RATELIMIT_DEFAULT": "100000 per minute",
        "RATELIMIT_SIGN_IN": "100000 per minute",
        "RATELIMIT_SIGN_IN_ADDRESS": "100000 per minute",
        "RATELIMIT_REGISTER": "100000 per minute",
        "RATELIMIT_EXPORT": "100000 per minute",
        "WEB_QUEUE_MS": "60000",  # nobody is sent away because the machine is slow
        "LOG_LEVEL": "WARNING",
        "SLOW_QUERY_MS": "600000",
        "METRICS_EVERY_S": "0",
    }
    return keep | values | more


@pytest.fixture(scope="session")
def site(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site with the real courses; one per test worker."""
    url = make_database(cluster, "cv_site")
    port = free_port()
    env = environment(url, PORT=str(port))
    app = create_app(settings_for(url))
    result = app.test_cli_runner().invoke(args=["content", "apply"])
    assert result.exit_code == 0, result.output
    process = serve(env)
    yield Site(f"http://127.0.0.1:{port}", app, env, process)
    stop(process)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Watch:
    """What a browser complained about, and what it asked for."""

    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.console.append(f"page error: {error}"))
        page.on(
            "response",
            lambda answer: answer.status >= 500 and self.failed.append(f"{answer.status} {answer.url}"),
        )
        page.on("requestfinished", self._asked)

    def _asked(self, request: Request) -> None:
        self.requests.append(request)

    def _said(self, kind: str, text: str) -> None:
        """Chromium logs every answer from 400 on as an error; answers are judged by themselves."""
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.console.append(f"{kind}: {text}")


Opener = Callable[..., Page]


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Iterator[Opener]:
    """Open a page in a fresh browser profile; afterwards the console must have been silent."""
    contexts: list[BrowserContext] = []
    watch = Watch()

    def opener(
        path: str = "/", *, size: str = "desk", scheme: str = "light", scripts: bool = True, **more: Any
    ) -> Page:
        context = browser.new_context(
            base_url=site.url,
            viewport=SIZES[size],
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion=more.pop("reduced_motion", "reduce"),
            timezone_id=more.pop("timezone_id", "Europe/Berlin"),
            locale="en-GB",
            **more,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch.attach(page)
        page.watch = watch  # type: ignore[attr-defined]
        page.goto(path)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert watch.console == []
    assert watch.failed == []
    assert {
        f"{json.dumps(r.url)}" for r in watch.requests if not r.url.startswith((site.url, "data:", "about:"))
    } == set()
