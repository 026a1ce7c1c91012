"""Passkeys in a real browser with an authenticator that Chromium plays: made, signed in with, used as the second step."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from codyverse.core.database import db
from tests.e2e.conftest import SCHEMES, SIZES, Opener, Site, environment, serve, stop
from tests.e2e.test_pages import AXE, WCAG, sign_in
from tests.factories import PASSWORD, make_user
from tests.ports import free_port

EMAIL = "passkeys@example.org"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """The same site under a name, for browsers make no passkeys for a bare IP address."""
    with site.app.app_context():
        make_user(email=EMAIL, name="Petra")
        db.session.remove()
    port = free_port()
    url = f"http://localhost:{port}"
    process = serve(environment(site.env["DATABASE_URL"], PORT=str(port), BASE_URL=url))
    yield url
    stop(process)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A browser on a device that knows its owner."""
    context = browser.new_context(base_url=address, viewport=SIZES["phone"], reduced_motion="reduce")
    opened = context.new_page()
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    session = context.new_cdp_session(opened)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield opened
    context.close()
    assert said == []


def faults(page: Page) -> list[str]:
    """What axe finds on this page, in both schemes and sizes; and whether it fits on a small phone."""
    found: list[str] = []
    page.evaluate(AXE.read_text())
    for size in SIZES.values():
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result: Any = page.evaluate("tags => axe.run(document, {runOnly: tags})", WCAG)
            found += [
                f"{scheme}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in result["violations"]
            ]
    page.set_viewport_size({"width": 320, "height": 640})
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(SIZES["phone"])
    return found + ([f"{wide} px wide"] if wide > 320 else [])


def test_made_and_signed_in_with(page: Page) -> None:
    sign_in(page, EMAIL)
    page.goto("/settings/security")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("My phone")
    assert faults(page) == []
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_role("heading", name="Your passkey is added").wait_for()
    assert page.locator("#new-codes code").count() == 10
    assert faults(page) == []
    code = page.locator("#new-codes code").first.inner_text()
    page.goto("/settings/security/passkeys")
    page.get_by_role("heading", name="My phone").wait_for()
    _out(page)
    page.goto("/login?next=/courses")
    assert faults(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/courses")
    _out(page)
    _password(page)
    assert faults(page) == []
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url("**/dashboard")
    _out(page)
    _password(page)
    page.get_by_label("Code").fill(code)
    page.locator("form[action='/login/second'] [type=submit]").click()
    page.wait_for_url("**/dashboard")
    page.goto("/settings/security/codes")
    page.get_by_text("Or leave the code empty").wait_for()
    assert faults(page) == []
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Make new codes").click()
    page.get_by_role("heading", name="Your new recovery codes").wait_for()
    fresh = page.locator("#new-codes code").first.inner_text()
    page.goto("/settings/security/codes")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code").fill(fresh)
    page.get_by_role("button", name="Make new codes").click()
    page.get_by_role("heading", name="Your new recovery codes").wait_for()


def _out(page: Page) -> None:
    page.context.clear_cookies()


def _password(page: Page) -> None:
    page.goto("/login")
    page.locator('[name="email"]').fill(EMAIL)
    page.locator('[name="password"]').fill(PASSWORD)
    page.locator("form[action='/login'] [type=submit]").click()
    page.wait_for_url("**/login/second")


def test_without_scripts_or_passkeys_there_is_no_button(open_page: Opener) -> None:
    for scripts in (True, False):
        page = open_page("/login", scripts=scripts)
        assert page.get_by_role("button", name="Sign in with a passkey").count() == 0
        assert page.locator("form[action='/login'] [type=submit]").is_visible()
