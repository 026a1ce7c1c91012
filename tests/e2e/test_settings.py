"""Settings: each card is saved by itself, and what is being written in another one stays."""

from playwright.sync_api import expect

from tests.e2e.conftest import Opener, Site
from tests.e2e.walk import Walk


def test_saving_one_card_leaves_alone_what_is_being_written_in_another(site: Site, open_page: Opener) -> None:
    page = open_page("/", size="phone")
    walk = Walk(site, page)
    walk.register("Wanda")
    page.goto("/settings")
    page.locator('[name="display_name"]').fill("Wanda the Second")
    page.locator("#hidden-badges").check()
    page.locator('[name="new_password"]').fill("river-comet-fable")
    page.locator('[name="theme"]').select_option("dark")
    page.locator("#preferences_card [type=submit]").click()
    said = page.locator("#preferences_card [data-said]")
    expect(said).to_be_focused()
    expect(said).to_be_in_viewport()
    expect(page.locator('[name="display_name"]')).to_have_value("Wanda the Second")
    expect(page.locator('[name="new_password"]')).to_have_value("river-comet-fable")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator('.menu-list a[href="/badges"]')).to_have_count(0)
    page.locator("#profile_card [type=submit]").click()
    expect(page.locator("#profile_card [data-said]")).to_be_focused()
    expect(page.locator(".menu-name")).to_have_text("Wanda the Second")
    page.locator("#password_card [type=submit]").click()
    expect(page.locator("#password_card [data-faults]")).to_be_focused()


def test_a_form_that_came_back_begins_at_its_faults(site: Site, open_page: Opener) -> None:
    page = open_page("/register")
    page.locator('form[action="/register"] [type=submit]').click()
    expect(page.locator("[data-faults]")).to_be_focused()


def test_without_scripts_each_card_says_that_it_saves_only_itself(site: Site, open_page: Opener) -> None:
    page = open_page("/", scripts=False)
    walk = Walk(site, page)
    walk.register("Wilma")
    page.goto("/settings")
    for card in ("profile", "preferences", "password"):
        form = page.locator(f'form[action="/settings/{card}"]')
        expect(form.locator("noscript p")).to_be_visible()
        expect(form.locator("noscript p")).to_contain_text("This saves this part only.")
