"""Who may have which webhook, and what is refused."""

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import delivering
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict, Invalid, NotAllowed, NotFound
from codyverse.core.sealing import CannotOpen, Seal
from codyverse.webhooks import queries, rules, services
from tests.domains.together import together
from tests.domains.webhooks.hooks import deliveries, operator, register
from tests.factories import make_user
from tests.receiver import Receiver

URL = "http://127.0.0.1:9000/hook"


def test_a_webhook_and_its_secret(near: Flask) -> None:
    ada = make_user()
    made = register(ada, URL, ("badge.earned", "lesson.completed", "badge.earned"))
    assert made.secret.startswith("whsec_")
    [mine] = queries.webhooks_page(ada, 1, 20).items
    assert (mine.id, mine.url, mine.scope, mine.active) == (made.webhook_id, URL, "own", True)
    assert mine.events == ("lesson.completed", "badge.earned"), "each once, in the order of the contract"
    assert queries.webhook(ada, made.webhook_id) == mine
    assert not hasattr(mine, "secret")


def test_the_secret_is_kept_sealed(near: Flask) -> None:
    made = register(make_user(), URL)
    kept = session.execute(text("select sealed_secret from webhooks")).scalar_one()
    assert made.secret not in kept
    assert delivering.seal().open(kept) == made.secret
    for other in (Seal("another key", "webhooks"), Seal(near.extensions["settings"].secret_key, "other")):
        with pytest.raises(CannotOpen):
            other.open(kept)


@pytest.mark.parametrize(
    ("url", "kinds", "scope", "field"),
    [
        ("http://10.0.0.1/", rules.KINDS, "own", "url"),
        ("http://localhost:9/", ("lesson.completed",), "own", "url"),
        ("http://[::1]:8080/", rules.KINDS, "own", "url"),
        ("ftp://example.org/", rules.KINDS, "own", "url"),
        (URL, (), "own", "events"),
        (URL, ("lesson.completed", "lesson.started"), "own", "events"),
        (URL, rules.KINDS, "some", "scope"),
    ],
)
def test_what_is_refused(near: Flask, url: str, kinds: tuple[str, ...], scope: str, field: str) -> None:
    ada = make_user()
    near.extensions["settings"] = near.extensions["settings"].model_copy(
        update={"webhook_networks": "127.0.0.1/32" if field != "url" else ""}
    )
    with pytest.raises(Invalid) as caught:
        register(ada, url, kinds, scope)
    assert list(caught.value.fields) == [field]
    assert queries.webhooks_page(ada, 1, 20).total == 0


def test_every_fault_is_told_at_once(app: Flask) -> None:
    with pytest.raises(Invalid) as caught:
        register(make_user(), "x", (), "everything")
    assert set(caught.value.fields) == {"url", "events", "scope"}


def test_only_operators_hear_of_everybody(near: Flask) -> None:
    for role in ("learner", "author"):
        with pytest.raises(NotAllowed):
            register(make_user(role=role), URL, scope="all")
    register(operator(), URL, scope="all")


def test_a_url_once_and_ten_in_all(near: Flask) -> None:
    ada = make_user()
    register(ada, URL)
    with pytest.raises(Conflict):
        register(ada, URL)
    register(make_user(), URL)
    for number in range(2, rules.MOST_PER_PERSON + 1):
        register(ada, f"{URL}{number}")
    with pytest.raises(Conflict):
        register(ada, f"{URL}11")
    page = queries.webhooks_page(ada, 2, 4)
    assert (len(page.items), page.total) == (4, 10)


def test_fifty_at_once_make_one(near_committed: Flask) -> None:
    ada = make_user()
    made = together(near_committed, [lambda: register(ada, URL)] * 50)
    assert sum(isinstance(each, Conflict) for each in made) == 49
    other = [lambda n=n: register(ada, f"{URL}{n}") for n in range(50)]
    made = together(near_committed, other)
    assert sum(isinstance(each, Conflict) for each in made) == 41
    assert queries.webhooks_page(ada, 1, 20).total == rules.MOST_PER_PERSON


def test_somebody_elses_does_not_exist(near: Flask, other: Receiver) -> None:
    ada, eve = make_user(), operator()
    hook = register(ada, other.url).webhook_id
    for act in (
        lambda: queries.webhook(eve, hook),
        lambda: queries.delivery(eve, hook, 1),
        lambda: deliveries(eve, hook),
        lambda: services.delete_webhook(eve, hook),
        lambda: services.replay(eve, hook, 1),
        lambda: services.replay(ada, hook, 1),
        lambda: services.delete_webhook(ada, hook + 1),
    ):
        with pytest.raises(NotFound):
            act()
    with unit_of_work():
        services.delete_webhook(ada, hook)
    with pytest.raises(NotFound):
        queries.webhook(ada, hook)
