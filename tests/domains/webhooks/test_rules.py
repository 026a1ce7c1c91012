"""How deliveries are written and signed, and when they are tried again."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from codyverse.webhooks import rules

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


def test_the_signature_of_a_known_message() -> None:
    """Key, id, time and body of the example in the Standard Webhooks; the signature was made with openssl."""
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = rules.signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
    assert headers["Webhook-Id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["Webhook-Timestamp"] == "1614265330"
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_body_is_json_in_camel_case_with_milliseconds() -> None:
    body = rules.written("evt_1", "level.reached", NOON, {"name": "Schüler", "level": 3})
    assert body.decode() == (
        '{"id":"evt_1","type":"level.reached","createdAt":"2026-06-17T12:00:00.000Z",'
        '"data":{"name":"Schüler","level":3}}'
    )


def test_secrets_and_ids_are_not_guessed() -> None:
    assert len({rules.new_secret() for _ in range(50)} | {rules.new_key() for _ in range(50)}) == 100
    assert len(rules.new_secret()) == len("whsec_") + 44


def test_the_pauses_grow_until_the_day_is_over() -> None:
    give_up = NOON + rules.TRIED_FOR
    at, tries, pauses = NOON, 1, []
    while (again := rules.next_try(at, tries, give_up, 0.5)) is not None:
        pauses.append(again - at)
        at, tries = again, tries + 1
    assert pauses[:4] == [timedelta(seconds=each) for each in (30, 60, 120, 240)]
    assert max(pauses) == rules.LONGEST_PAUSE
    assert at == give_up, "the last try is a day after the first"
    assert 10 < tries < 25


@given(st.integers(1, 30000), st.floats(0, 1), st.integers(0, 86400))
def test_a_next_try_is_later_and_never_after_the_day(tries: int, chance: float, seconds: int) -> None:
    at = NOON + timedelta(seconds=seconds)
    again = rules.next_try(at, tries, NOON + rules.TRIED_FOR, chance)
    if seconds == 86400:
        assert again is None
    else:
        assert again is not None
        assert at < again <= NOON + rules.TRIED_FOR
        assert again - at <= rules.LONGEST_PAUSE * 1.25
