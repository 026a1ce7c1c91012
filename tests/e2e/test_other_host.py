"""ASSET_URL: the built files come from another host, and the pages' policy lets just that host in."""

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import ROOT, Site, environment, serve, stop
from tests.ports import free_port


class _Files(http.server.SimpleHTTPRequestHandler):
    """What a CDN does: files, for every site."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Host(http.server.ThreadingHTTPServer):
    request_queue_size = 100


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of the other host."""
    handler = functools.partial(_Files, directory=str(ROOT / "static" / "dist"))
    server = _Host(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


def test_the_files_come_from_there(site: Site, elsewhere: str, browser: Browser) -> None:
    port = free_port()
    process = serve(environment(site.env["DATABASE_URL"], PORT=str(port), ASSET_URL=elsewhere))
    context = browser.new_context()
    said: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        loaded: list[tuple[str, int]] = []
        page.on("response", lambda answer: loaded.append((answer.url, answer.status)))
        page.goto(f"http://127.0.0.1:{port}/courses", wait_until="networkidle")
        theirs = [url for url, status in loaded if url.startswith(elsewhere) and status == 200]
        assert {url.rpartition(".")[2] for url in theirs} >= {"css", "js", "woff2"}
        assert not [url for url, _ in loaded if "/static/" in url]
        fonts = page.evaluate("document.fonts.ready.then(found => [...found].map(each => each.status))")
        assert "loaded" in fonts
        assert "error" not in fonts
        assert said == []
    finally:
        context.close()
        stop(process)
