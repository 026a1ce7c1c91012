"""The token of forms is the library's own, and belongs to one session."""

import pytest
from flask import Flask, g, session
from flask_wtf.csrf import ValidationError, generate_csrf, validate_csrf

from codyverse.web.form_tokens import form_token


def _token_of(app: Flask, held: str | None) -> tuple[str, str]:
    with app.test_request_context():
        g.pop("csrf_token", None)
        if held is not None:
            session["csrf_token"] = held
        token = form_token()
        assert form_token() == token == generate_csrf()
        validate_csrf(token)
        return token, str(session["csrf_token"])


def test_it_is_what_the_library_checks(app: Flask) -> None:
    token, _ = _token_of(app, "a" * 40)
    _, made = _token_of(app, None)
    assert len(made) == 40
    with app.test_request_context():
        session["csrf_token"] = made
        with pytest.raises(ValidationError):
            validate_csrf(token)


def test_another_key_makes_another_token(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = _token_of(app, "a" * 40)
    monkeypatch.setattr(app, "secret_key", "another-key-that-is-long-enough-for-it")
    other, _ = _token_of(app, "a" * 40)
    assert other.partition(".")[0] == token.partition(".")[0]
    with app.test_request_context():
        session["csrf_token"] = "a" * 40
        with pytest.raises(ValidationError):
            validate_csrf(token)
