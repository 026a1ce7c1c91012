"""A form that is far too large, sent to a real server: the browser gets a page that says so, not a broken connection."""

import http.client

from tests.crash.hall import Hall

MIB = 2**20


def test_too_much_is_read_to_its_end_and_refused(hall: Hall) -> None:
    hall.open()
    browser = http.client.HTTPConnection("127.0.0.1", int(hall.env["PORT"]), timeout=30)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for size in (2, 10, 30):
        browser.request("POST", "/register", b"display_name=" + b"x" * size * MIB, form)
        answer = browser.getresponse()
        assert (answer.status, "Shorten it" in answer.read().decode()) == (413, True)
    browser.request("GET", "/login")
    assert browser.getresponse().status == 200
    browser.close()
