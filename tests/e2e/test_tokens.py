"""The page of access tokens in a browser: a new token is copied with one button, and the page that shows it is accessible."""

import pytest

from codyverse.accounts.tokens import is_well_formed
from codyverse.core.database import db
from tests.e2e.conftest import SCHEMES, SIZES, Opener, Site
from tests.e2e.test_pages import AXE, WCAG, sign_in
from tests.factories import make_user

EMAIL = "tokens@example.org"


@pytest.fixture(scope="module", autouse=True)
def person(site: Site) -> None:
    with site.app.app_context():
        make_user(email=EMAIL, name="Tove")
        db.session.remove()


def test_a_new_token_is_copied_and_gone_with_the_page(open_page: Opener) -> None:
    page = sign_in(open_page("/", permissions=["clipboard-read", "clipboard-write"]), EMAIL)
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("My phone")
    page.get_by_role("button", name="Make the token").click()
    page.get_by_role("button", name="Copy the token").click()
    page.get_by_text("Copied.").wait_for()
    secret = page.locator("#new-token").inner_text()
    assert is_well_formed(secret)
    assert page.evaluate("navigator.clipboard.readText()") == secret
    found = []
    page.evaluate(AXE.read_text())
    for size in SIZES:
        page.set_viewport_size(SIZES[size])
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = page.evaluate("tags => axe.run(document, {runOnly: tags})", WCAG)
            found += [f"{size}, {scheme}: {fault['id']}" for fault in result["violations"]]
    assert found == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.goto("/settings/tokens")
    assert secret not in page.content()


def test_revoking_without_scripts(open_page: Opener) -> None:
    page = sign_in(open_page("/", scripts=False), EMAIL)
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("A script")
    page.get_by_role("button", name="Make the token").click()
    assert page.get_by_role("button", name="Copy the token").count() == 0
    line = page.locator("li", has_text="A script")
    line.locator("summary").click()
    line.get_by_role("button", name="Yes, revoke it").click()
    page.get_by_text("The token is revoked.").wait_for()
    assert page.locator("li", has_text="A script").count() == 0
