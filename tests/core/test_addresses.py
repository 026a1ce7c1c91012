"""Where webhooks may lead: every spelling of a private address is refused, a name is believed once."""

import socket
import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.core import addresses
from codyverse.core.addresses import Reach, Refused, is_public

ANYWHERE = Reach(https_only=False)


def refused(url: str, reach: Reach = ANYWHERE) -> str:
    with pytest.raises(Refused) as caught:
        reach.addresses(reach.target(url))
    return str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[::8.8.8.8]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::8.8.8.8]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "LocalHost.",
    ],
)
def test_what_is_not_public_is_refused(host: str) -> None:
    assert refused(f"http://{host}:8080/x") == "leads to an address that is not public"


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0177.0.0.1", "127.0.0.01", "1.2.3"],
)
def test_other_spellings_of_addresses_are_no_hosts(host: str) -> None:
    assert refused(f"http://{host}/") == "has an address in a spelling that is not used"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "has to begin with https://"),
        ("file:///etc/passwd", "no host"),
        ("//example.org/", "has to begin with https://"),
        ("example.org", "no host"),
        ("", "has a character that no URL has"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("http://user@example.org/", "a name or password"),
        ("http://:secret@example.org/", "a name or password"),
        ("http://example.org@127.0.0.1/", "a name or password"),
        ("http://example.org/#x", "behind #"),
        ("http://example.org/#", "behind #"),
        ("http://example.org:0/", "a port that is not called"),
        ("http://example.org:22/", "a port that is not called"),
        ("http://example.org:1023/", "a port that is not called"),
        ("http://example.org:99999/", "cannot be read"),
        ("http://example.org:x/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://[fe80::1%25eth0]/", "on one machine only"),
        ("http://exa mple.org/", "a character"),
        ("http://example.org\\@127.0.0.1/", "a character"),
        ("http://example.org/\r\nHost: x", "a character"),
        ("http://exämple.org/", "a character"),
        ("http://-x.example.org/", "no host"),
        ("http://a..b/", "no host"),
        (f"http://{'a' * 64}.org/", "no host"),
        ("http://example.org/" + "x" * 2000, "longer than"),
    ],
)
def test_what_is_not_plainly_a_url_is_refused(url: str, why: str) -> None:
    assert why in refused(url)


def test_plain_http_only_where_it_is_allowed() -> None:
    assert refused("http://example.org/", Reach()) == "has to begin with https://"
    target = Reach().target("https://Example.org?a=1")
    assert (target.host, target.port, target.path, target.authority) == (
        "example.org",
        443,
        "/?a=1",
        "example.org",
    )
    assert ANYWHERE.target("http://[2606:4700::1]:8080/").authority == "[2606:4700::1]:8080"
    assert Reach().target("https://example.org:8443/").authority == "example.org:8443"
    assert Reach().target("https://example.org:443/").authority == "example.org"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_public(address: Any) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    ) or address.is_unspecified
    assert not (special and is_public(address))


def test_networks_that_a_setting_names() -> None:
    own = Reach((ip_network("127.0.0.0/8"),), https_only=False)
    assert own.addresses(own.target("http://127.0.0.1:8080/")) == (ip_address("127.0.0.1"),)
    assert "not public" in refused("http://10.0.0.1/", own)
    assert "not public" in refused("http://[::ffff:127.0.0.1]/", own)


def found(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    """A name server that knows one name; what it was asked."""
    asked: list[str] = []

    def look(name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(name)
        return [(2, 1, 6, "", (host, port)) for host in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return asked


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "8.8.8.8", "10.0.0.1")
    assert "not public" in refused("https://hook.example.org/")


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = found(monkeypatch, "8.8.8.8", "8.8.4.4", "8.8.8.8")
    assert [str(each) for each in ANYWHERE.addresses(ANYWHERE.target("https://hook.example.org/"))] == [
        "8.8.8.8",
        "8.8.4.4",
    ]
    assert asked == ["hook.example.org"]


def test_a_name_that_nobody_knows() -> None:
    assert refused("https://no-such-name.invalid/") == "has a host that cannot be found"


def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1))
    assert refused("https://hook.example.org/") == "has a host that cannot be found"
