"""What browsers take is what they get: the same page, smaller, under a tag of its own."""

import gzip
from collections.abc import Callable

import brotli
import pytest
from backports import zstd
from flask import Flask

SPEC = "/api-spec.json"


@pytest.mark.parametrize(
    ("accepted", "encoding", "read"),
    [
        ("gzip, deflate, br, zstd", "zstd", zstd.decompress),
        ("gzip, br", "br", brotli.decompress),
        ("gzip;q=1.0, br;q=0.5", "gzip", gzip.decompress),
        ("zstd;q=0, gzip", "gzip", gzip.decompress),
        ("identity", None, bytes),
        ("", None, bytes),
    ],
)
@pytest.mark.parametrize("path", ["/", SPEC])
def test_what_is_taken(
    app: Flask, path: str, accepted: str, encoding: str | None, read: Callable[[bytes], bytes]
) -> None:
    client = app.test_client()
    plain = client.get(path)
    told = client.get(path, headers={"Accept-Encoding": accepted})
    assert told.headers.get("Content-Encoding") == encoding
    assert read(told.data) == plain.data
    assert int(told.headers["Content-Length"]) == len(told.data)
    assert "Accept-Encoding" in told.headers["Vary"]
    if encoding:
        assert len(told.data) < len(plain.data) / 2


def test_a_tag_names_one_encoding_and_is_answered_304(app: Flask) -> None:
    client = app.test_client()
    plain, packed = client.get(SPEC), client.get(SPEC, headers={"Accept-Encoding": "zstd"})
    assert plain.headers["ETag"] != packed.headers["ETag"]
    again = {"Accept-Encoding": "zstd", "If-None-Match": packed.headers["ETag"]}
    told = client.get(SPEC, headers=again)
    assert (told.status_code, told.data) == (304, b"")
    assert client.get(SPEC, headers=again | {"If-None-Match": '"another"'}).status_code == 200


def test_short_answers_stay_as_they_are_and_are_told_to_be_negotiated(app: Flask) -> None:
    told = app.test_client().get("/health/live", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in told.headers
    assert "Accept-Encoding" in told.headers["Vary"]
