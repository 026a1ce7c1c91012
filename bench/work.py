"""The work that has a budget: how each request is made, and what it may cost."""

import random
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from bench.people import Learner, Waiting

Make = Callable[[int], list[str]]
"""So many requests, as text; those that can be made only once are taken from a store."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of the table: what it may cost in µs of CPU of the web processes and of PostgreSQL, and in statements."""

    name: str
    make: Make
    status: int = 200
    web: float | None = None
    database: float | None = None
    statements: float | None = None
    each: int = 600


def request(method: str, path: str, headers: dict[str, str], body: str = "") -> str:
    """A request of somebody at an address of their own, so that the rate limit is as it is in earnest."""
    address = ".".join(str(random.randrange(1, 255)) for _ in range(3))
    lines = {
        "Host": "127.0.0.1",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "X-Forwarded-For": f"10.{address}",
    } | headers
    if method == "POST":
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"


def get(path: str, **headers: str) -> Make:
    """The same path again and again, each time by another stranger."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda count: [request("GET", path, given) for _ in range(count)]


def dashboards(people: list[Learner]) -> Make:
    """The API's dashboard of these people, in turn."""
    path = "/api/gamification/dashboard/"
    return lambda count: [
        request("GET", f"{path}{who.id}", {"Authorization": f"Bearer {who.token}"})
        for who in (people[number % len(people)] for number in range(count))
    ]


def pages(people: list[Learner]) -> Make:
    """The dashboard's page of these people, in turn."""
    return lambda count: [
        request("GET", "/dashboard", {"Cookie": who.cookie})
        for who in (people[number % len(people)] for number in range(count))
    ]


def once(store: list[str]) -> Make:
    """What can be asked only once."""

    def take(count: int) -> list[str]:
        taken = store[:count]
        del store[:count]
        return taken

    return take


def answer(waiting: Waiting) -> str:
    """The answer form of a step, as htmx sends it."""
    fields = {"csrf_token": waiting.who.csrf, "kind": "choice", "try_no": "1", "answer": waiting.answer}
    headers = {
        "Cookie": waiting.who.cookie,
        "HX-Request": "true",
        "HX-Request-Type": "partial",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    path = f"/lessons/{waiting.lesson_id}/steps/{waiting.step_id}/answer"
    return request("POST", path, headers, urllib.parse.urlencode(fields))


def completion(waiting: Waiting) -> str:
    """The end of a lesson, over the API."""
    headers = {"Authorization": f"Bearer {waiting.who.token}"}
    return request("POST", f"/api/attempts/{waiting.attempt_id}/complete", headers)
