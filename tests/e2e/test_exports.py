"""The archive in a browser: asked for, waited for on the page, fetched; with the keyboard, and without scripts."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from codyverse.core.database import db
from tests.e2e.conftest import ROOT, SCHEMES, SIZES, Opener, Site
from tests.e2e.test_pages import AXE, WCAG, sign_in
from tests.factories import make_user

EMAIL, OTHER = "takes-along@example.org", "plain@example.org"
PATH = "/settings/data"


@pytest.fixture(scope="module", autouse=True)
def person(site: Site) -> None:
    with site.app.app_context():
        make_user(email=EMAIL, name="Tara", time_zone="Europe/Berlin")
        make_user(email=OTHER, name="Paul")
        db.session.remove()


def worker(site: Site) -> None:
    """What it does when it sees that somebody waits, under the same SECRET_KEY as the server."""
    command = [sys.executable, "-m", "flask", "jobs", "run", "exports"]
    done = subprocess.run(command, cwd=ROOT, env=site.env, capture_output=True, text=True, check=False)
    assert done.stdout == "1 export prepared.\n", done.stderr


def faults(page: Page) -> list[str]:
    """What axe finds on the page as it is now, on both sizes and in both schemes, and whether it fits at 320 px."""
    found = []
    page.evaluate(AXE.read_text())
    for size in SIZES:
        page.set_viewport_size(SIZES[size])
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = page.evaluate("tags => axe.run(document, {runOnly: tags})", WCAG)
            found += [f"{size}, {scheme}: {fault['id']}" for fault in result["violations"]]
    page.set_viewport_size({"width": 320, "height": 640})
    if page.evaluate("document.documentElement.scrollWidth") > 320:
        found.append("too wide")
    page.set_viewport_size(SIZES["desk"])
    return found


def looks(page: Page) -> int:
    """How often the page has asked how the archive stands."""
    asked = [each for each in page.watch.requests if each.url.endswith(PATH)]
    return len([each for each in asked if each.headers.get("hx-request")])


def test_from_asking_to_the_file(site: Site, open_page: Opener, tmp_path: Path) -> None:
    page = sign_in(open_page("/login"), EMAIL)
    page.goto(PATH)
    button = page.get_by_role("button", name="Prepare my archive")
    button.focus()
    page.keyboard.press("Enter")
    status = page.locator("#take_along [role=status]")
    expect(status).to_contain_text("waits for its turn")
    assert faults(page) == []
    with page.expect_response(lambda answer: answer.url.endswith(PATH)):
        pass  # it looks again by itself
    page.get_by_role("link", name="Look again").focus()
    worker(site)
    expect(status).to_contain_text("Your archive is ready")
    way = page.get_by_role("link", name="Download (")
    expect(way).to_be_focused()
    assert faults(page) == []
    seen = looks(page)
    page.wait_for_timeout(5_000)
    assert looks(page) == seen, "it looks no more once it is there"
    with page.expect_download() as loading:
        page.keyboard.press("Enter")
    file = tmp_path / loading.value.suggested_filename
    loading.value.save_as(file)
    assert sorted(zipfile.ZipFile(file).namelist()) == ["data.json", "index.html"]
    page.get_by_role("button", name="Prepare a new one").click()
    expect(status).to_contain_text("waits for its turn")
    worker(site)
    expect(status).to_contain_text("Your archive is ready")


def test_without_scripts(site: Site, open_page: Opener) -> None:
    page = sign_in(open_page("/login", scripts=False, size="phone"), OTHER)
    page.goto(PATH)
    page.get_by_role("button", name="Prepare my archive").click()
    expect(page.locator("#take_along")).to_contain_text("waits for its turn")
    worker(site)
    page.get_by_role("link", name="Look again").click()
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download (").click()
    assert loading.value.suggested_filename.startswith("cody-verse-")
