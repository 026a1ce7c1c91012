"""Every page: accessible in light and dark on phone and desk, valid HTML, light to load, readable at 320 px."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import text

from codyverse.core.database import db
from tests.e2e.conftest import FLAGS, ROOT, SIZES, Opener, Site, chromium
from tests.e2e.places import Places, prepare
from tests.factories import PASSWORD, make_user

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
VNU = ROOT / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
LOOK = """rules => axe.run(document, {runOnly: rules, resultTypes: ["violations"]}).then(found => ({
    passes: found.passes.length,
    ink: getComputedStyle(document.body).color,
    faults: found.violations.map(one => one.id + ": " + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | ")),
}))"""
MOST_BYTES, MOST_REQUESTS = 100_000, 8
HTMX_ATTRIBUTE = re.compile(r"Attribute “hx-[a-z:-]+” not allowed on element")


@pytest.fixture(scope="session")
def places(site: Site) -> Places:
    return prepare(site)


def sign_in(page: Page, email: str) -> Page:
    page.goto("/login")
    page.locator('[name="email"]').fill(email)
    page.locator('[name="password"]').fill(PASSWORD)
    page.locator("form[action='/login'] [type=submit]").click()
    page.wait_for_url("**/dashboard")
    return page


def everywhere(open_page: Opener, places: Places, **more: Any) -> list[tuple[str, str, Page]]:
    """(name, path, page) for each page there is; strangers', the learner's, the operator's, and a beginner's empty ones."""
    stranger = open_page("/", **more)
    learner = sign_in(open_page("/", **more), places.email)
    beginner = sign_in(open_page("/", **more), places.beginner)
    found = [(name, path, stranger) for name, path in places.open.items()]
    found += [(name, path, learner) for name, path in places.own.items()]
    operator = sign_in(open_page("/", **more), places.operator)
    found += [(name, path, operator) for name, path in places.watch.items()]
    empty = (
        "/dashboard",
        "/badges",
        "/goals",
        "/ledger",
        "/leaderboard",
        "/notifications",
        "/progress",
        "/shop",
    )
    return [*found, *((f"{path}, empty", path, beginner) for path in empty)]


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(open_page: Opener, places: Places, size: str) -> None:
    """Everything in the light, and what depends on colours in the dark as well."""
    source = AXE.read_text()
    found = []
    for name, path, page in everywhere(open_page, places, size=size, scheme="light"):
        page.emulate_media(color_scheme="light")
        page.goto(path)
        page.evaluate(source)
        light = page.evaluate(LOOK, WCAG)
        page.emulate_media(color_scheme="dark")
        dark = page.evaluate(LOOK, OF_COLOURS)
        assert light["passes"] > 5, f"{name}: axe did not look"
        assert dark["passes"], f"{name}: axe did not look at its colours in the dark"
        assert light["ink"] != dark["ink"], f"{name}: it does not get dark"
        for scheme, faults in (("light", light["faults"]), ("dark", dark["faults"])):
            found += [f"{name}, {scheme}: {fault}" for fault in faults]
    assert found == []


def test_the_html_is_valid(open_page: Opener, places: Places, tmp_path: Path) -> None:
    names = {}
    for number, (name, path, page) in enumerate(everywhere(open_page, places, scripts=False)):
        answer = page.context.request.get(path)
        file = tmp_path / f"{number:02}.html"
        file.write_text(answer.text())
        names[file.name] = name
    command = ["java", "-Xss8m", "-jar", str(VNU), "--format", "json", "--stdout", "--exit-zero-always"]
    done = subprocess.run(
        [*command, *map(str, sorted(tmp_path.iterdir()))], capture_output=True, text=True, check=True
    )
    found = [
        f"{names[Path(each['url']).name]}: {each['message']} … {each.get('extract', '')[:120]}"
        for each in json.loads(done.stdout)["messages"]
        if each["type"] != "info" and not HTMX_ATTRIBUTE.match(each["message"])
    ]
    assert found == []


@pytest.mark.parametrize("what", ["landing", "lesson"])
def test_a_first_view_is_light(open_page: Opener, places: Places, what: str) -> None:
    page = open_page("/login")
    path = "/"
    cookies = []
    if what == "lesson":
        path = places.own["parsons, wrong"]
        cookies = sign_in(page, places.email).context.cookies()
    cold = open_page("about:blank")
    cold.context.add_cookies(cookies)
    seen: list[tuple[str, int]] = []

    def count(request: Any) -> None:
        sizes = request.sizes()
        seen.append((request.url, sizes["responseBodySize"] + sizes["responseHeadersSize"]))

    cold.on("requestfinished", count)
    cold.goto(path, wait_until="networkidle")
    assert len(seen) <= MOST_REQUESTS, seen
    assert sum(size for _, size in seen) <= MOST_BYTES, seen


def test_nothing_is_cut_off_at_320_pixels(open_page: Opener, places: Places) -> None:
    found = []
    for name, path, page in everywhere(open_page, places):
        page.set_viewport_size({"width": 320, "height": 640})
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > 320:
            found.append(f"{name}: {wide} px wide")
    assert found == []


def test_nothing_is_cut_off_with_letters_twice_as_large(site: Site, browser: Browser, places: Places) -> None:
    """On a phone whose owner has set the text to double its size, which no page may undo."""
    launched = browser.browser_type.launch(
        executable_path=chromium(), args=[*FLAGS, "--blink-settings=defaultFontSize=32"]
    )
    page = launched.new_page(base_url=site.url, viewport=SIZES["phone"], reduced_motion="reduce")
    sign_in(page, places.email)
    found = []
    for name, path in places.own.items():
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > SIZES["phone"]["width"]:
            found.append(f"{name}: {wide} px wide")
    launched.close()
    assert found == []


def test_the_standing_of_somebody_with_much_fits_on_a_small_phone(open_page: Opener, places: Places) -> None:
    page = sign_in(open_page("/"), places.email)
    middles = page.evaluate("""() => [...document.querySelector("#hud").children].map(each => {
        const place = each.getBoundingClientRect();
        return Math.round((place.top + place.bottom) / 2);
    })""")
    assert max(middles) - min(middles) <= 2, "in one row where there is room"
    page.set_viewport_size({"width": 320, "height": 640})
    page.evaluate("""() => {
        document.querySelector(".hud-count").textContent = "123,456 XP";
        document.querySelector('[data-mechanic="streak"] .numbers').textContent = "1,204";
        document.querySelector('[data-mechanic="coins"] .numbers').textContent = "98,765";
    }""")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_meter_is_filled_also_where_the_reader_chose_all_colours(open_page: Opener, places: Places) -> None:
    page = sign_in(open_page("/", forced_colors="active"), places.email)
    page.goto(places.own["progress"])
    meter = page.locator(".course-work .meter:not([value='0.000'])").first
    meter.scroll_into_view_if_needed()
    place = meter.bounding_box()
    assert place is not None
    inside = {"x": place["x"] + 20, "y": place["y"] + 4, "width": 20, "height": 2}
    seen = []
    for value in (0, 1):
        meter.evaluate("(each, value) => { each.value = value; }", value)
        seen.append(page.screenshot(clip=inside, animations="disabled"))
    assert seen[0] != seen[1]


def test_words_of_code_in_a_table_stay_whole_on_a_phone(site: Site, open_page: Opener) -> None:
    with site.app.app_context():
        found = text("select id from lessons where title = 'Values and what they are made of'")
        lesson = db.session.execute(found).scalar_one()
        make_user(email="tables@example.org", name="Tom")
        db.session.remove()
    page = sign_in(open_page("/", size="phone"), "tables@example.org")
    page.goto(f"/lessons/{lesson}")
    page.locator(f"form[action='/lessons/{lesson}/start'] [type=submit]").click()
    page.goto(f"/lessons/{lesson}?step=3")
    lines = page.locator("td code").evaluate_all(
        "all => all.map(each => [each.textContent, each.getClientRects().length])"
    )
    assert ["float", 1] in lines
    assert [each for each in lines if each[1] > 1 and " " not in each[0]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"]["width"]
    page.goto(f"/lessons/{lesson}?step=5")
    figures = page.locator(".output")
    assert figures.count() > 0
    under = figures.evaluate_all("""all => all.map(each => {
        const label = each.querySelector("figcaption").getBoundingClientRect();
        return each.querySelector("code").getBoundingClientRect().top - label.bottom;
    })""")
    assert min(under) >= -2, "what a program prints begins below its label"


def test_a_button_shows_that_its_form_is_on_the_way(open_page: Opener, places: Places) -> None:
    """On a slow line; on a fast one it does not flicker."""
    page = sign_in(open_page("/", size="phone"), places.email)
    page.goto(places.own["teach, fresh"])
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/read", hold)
    button = page.locator("form[action$='/read'] [type=submit]")
    button.click()
    page.wait_for_function("each => getComputedStyle(each).opacity < 0.7", arg=button.element_handle())
    held[0].continue_()
    expect(page.locator("form[action$='/read'].htmx-request")).to_have_count(0)


def test_focus_is_always_visible(open_page: Opener, places: Places) -> None:
    page = sign_in(open_page("/", reduced_motion="reduce"), places.email)
    found = []
    for name in (
        "dashboard",
        "settings",
        "choice, fresh",
        "order, fresh",
        "parsons, fresh",
        "match, fresh",
        "summary",
    ):
        page.goto(places.own[name])
        for _ in range(40):
            page.keyboard.press("Tab")
            state = page.evaluate(
                """() => { const e = document.activeElement; if (!e || e === document.body) return null;
                const seen = [e, e.nextElementSibling, e.parentElement, e.closest('.option')].filter(Boolean).map(x => getComputedStyle(x));
                const ring = seen.some(s => (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none');
                const box = e.getBoundingClientRect();
                return {ring, html: e.outerHTML.slice(0, 120), shown: box.width > 0 && box.height > 0}; }"""
            )
            if state is None:
                break
            if not (state["ring"] and state["shown"]):
                found.append(f"{name}: {state['html']}")
    assert found == []
