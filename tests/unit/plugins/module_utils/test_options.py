# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may write into options, and the sentence for what they may not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _options, _wait_options
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import Expected
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import Timers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, parse_allowed_ip
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import device_record
from unit.watching import START, key, peer, text


def refused(check: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        check(*arguments, **options)
    return str(caught.value)


# --- keys


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("c2hvcnQ=", "it has 8 characters, and a key in base64 has 44"),
        (text(1)[:-2] + "!=", "it has the character '!', which base64 of 32 bytes has not"),
        (text(1)[:-2] + "F=", "its last character before '=' is 'F', which no key of 32 bytes ends in"),
        (None, "it is a NoneType, and a key is a text of 44 characters in base64"),
        (["x"], "it is a list, and a key is a text of 44 characters in base64"),
    ],
)
def test_a_malformed_key_is_named_with_what_is_wrong(given: Any, why: str) -> None:
    sentence = f"has {given!r}, which is no WireGuard public key: {why}"
    assert refused(_options.public_keys, "peers", [text(2), given]) == f"peers {sentence}"
    if not isinstance(given, list):
        assert refused(_options.names, "names", {text(2): "office", given: "home"}) == f"names {sentence}"


def test_keys_are_taken_once_in_the_order_given() -> None:
    assert _options.public_keys("peers", [text(3), text(1), text(3)]) == [key(3), key(1)]
    assert _options.public_keys("peers", None) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "peers is an empty list: name at least one peer, or leave the option out for all"),
        (text(1), "peers must be a list of public keys"),
        ({text(1): 1}, "peers must be a list of public keys"),
    ],
)
def test_what_is_no_list_of_keys(given: Any, sentence: str) -> None:
    assert refused(_options.public_keys, "peers", given) == sentence


def test_names_are_texts_by_key() -> None:
    assert _options.names("names", None) == {}
    assert _options.names("names", {text(1): "office", text(2): 7}) == {key(1): "office", key(2): "7"}


def test_a_name_and_its_key_the_wrong_way_round_are_told_so() -> None:
    with pytest.raises(InvalidArgument, match="names has 'office' before its public key: the key comes first"):
        _options.names("names", {"office": text(1)})
    with pytest.raises(InvalidArgument, match="which is no WireGuard public key"):
        _options.names("names", {"office": 7})
    assert refused(_options.names, "names", [text(1)]) == "names must be a dictionary of public keys and names"


# --- numbers

NO_NUMBERS = [math.nan, math.inf, -math.inf, "nan", "inf", "soon", "", None, True, False, [1], {}, 10**400]


@pytest.mark.parametrize("given", [*NO_NUMBERS, -1, -0.001], ids=lambda value: repr(value)[:10])
def test_what_is_no_number_of_at_least_zero(given: Any) -> None:
    assert refused(_options.number, "timeout", given, 0) == f"timeout is {given!r} and must be a number of at least 0"


@pytest.mark.parametrize("given", [*NO_NUMBERS, -1, 0, 0.0, "0"], ids=lambda value: repr(value)[:10])
def test_what_is_no_number_above_zero(given: Any) -> None:
    sentence = f"sleep is {given!r} and must be a number greater than 0"
    assert refused(_options.number, "sleep", given, 0, above=True) == sentence


@pytest.mark.parametrize(
    ("given", "number"), [(0, 0.0), (1, 1.0), (0.25, 0.25), ("2.5", 2.5), ("1e3", 1000.0), (10, 10.0)]
)
def test_numbers(given: Any, number: float) -> None:
    assert _options.number("timeout", given, 0) == number


def test_bounds_belong_to_what_they_bound() -> None:
    assert _options.number("x", 7, 7, 7) == 7
    for given in (6.99, 7.01):
        assert (
            refused(_options.number, "x", given, 7, 7)
            == f"x is {given} and must be a number of at least 7 and at most 7"
        )


@pytest.mark.parametrize(("given", "seconds"), [(None, 0), (0, 0), (25, 25), ("25", 25), (25.0, 25), (65535, 65535)])
def test_keepalives(given: Any, seconds: int) -> None:
    assert _options.keepalive("expected_keepalive", given) == seconds


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (-1, "a number of at least 0 and at most 65535"),
        (65536, "a number of at least 0 and at most 65535"),
        ("off", "a number of at least 0 and at most 65535"),
        (True, "a number of at least 0 and at most 65535"),
        (2.5, "a whole number of seconds"),
    ],
)
def test_what_is_no_keepalive(given: Any, why: str) -> None:
    sentence = f"expected_keepalive is {given!r} and must be {why}"
    assert refused(_options.keepalive, "expected_keepalive", given) == sentence


# --- liveness


def test_the_keepalive_of_the_other_side_is_declared_for_all_peers_or_for_each() -> None:
    one = _options.liveness("25", None)
    assert one.keepalive(peer(1)) == 25
    each = _options.liveness({text(1): 25, text(2): "10"}, None)
    assert [each.keepalive(peer(number)) for number in (1, 2, 3)] == [25, 10, 0]
    assert each.keepalive(peer(1, persistent_keepalive=7)) == 7, "a peer's own comes first"
    assert _options.liveness(None, None).keepalive(peer(1)) == 0


def test_a_dictionary_of_keepalives_is_checked_entry_by_entry() -> None:
    assert "expected_keepalive has 'gw1', which is no WireGuard public key" in refused(
        _options.liveness, {"gw1": 25}, None
    )
    sentence = f"expected_keepalive of {text(1)} is -1 and must be a number of at least 0 and at most 65535"
    assert refused(_options.liveness, {text(1): -1}, None) == sentence


def test_timers_are_wireguards_own_but_for_those_given() -> None:
    assert _options.timers("timers", None) == Timers()
    assert _options.timers("timers", {"reject_after": "90", "slack": 1.5}) == Timers(reject_after=90.0, slack=1.5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (5, "timers is 5 and must be a dictionary of timers and seconds"),
        (
            {"reject": 5},
            "timers has 'reject'. There are: reject_after, rekey_timeout, renewal, traffic, silence, slack",
        ),
        ({"slack": -1}, "timers.slack is -1 and must be a number of at least 0"),
    ],
)
def test_a_timer_that_can_not_be_is_named(given: Any, sentence: str) -> None:
    assert refused(_options.timers, "timers", given) == sentence


# --- what narrows a condition


@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [
        (None, None, None),
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:51820", "192.0.2.7", 51820),
        ("2001:DB8::7", "2001:db8::7", None),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("[2001:db8:0::7]:51820", "2001:db8::7", 51820),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("FE80::1%Eth0", "fe80::1%Eth0", None),  # names of links have capitals
        ("::ffff:c000:207", "::ffff:192.0.2.7", None),  # as the endpoints are written that it is compared with
    ],
)
def test_an_endpoint_is_an_address_with_a_port_or_without(endpoint: str | None, host: str | None, port: int) -> None:
    assert _wait_options.expected(endpoint, None) == Expected(host, port, None)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("gw1.example.com", "'gw1.example.com' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("gw1.example.com:51820", "'gw1.example.com' does not appear to be an IPv4 or IPv6 address"),
        ("192.0.2.7:x", "'192.0.2.7:x' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("192.0.2.7%eth0", "'192.0.2.7%eth0' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("192.0.2.7%eth0:1", "'192.0.2.7%eth0' has a scope, as IPv6 addresses may only"),
        ("", "'' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
    ],
)
def test_an_endpoint_is_no_host_name(endpoint: str, why: str) -> None:
    assert refused(_wait_options.expected, endpoint, None) == (
        f"endpoint is {endpoint!r}, which is neither an IP address nor an address and a port: {why}. Host names are not "
        "looked up: WireGuard keeps addresses"
    )


def test_allowed_ips_are_a_set_of_networks() -> None:
    expected = _wait_options.expected(None, ["2001:db8::/32", "10.0.0.7/24", "10.0.0.0/24"])
    assert expected == Expected(None, None, (parse_allowed_ip("10.0.0.0/24"), parse_allowed_ip("2001:db8::/32")))
    assert _wait_options.expected(None, []).allowed_ips == ()  # none at all is a set too


@pytest.mark.parametrize("given", ["10.0.0.0/33", "office", ""])
def test_what_is_no_network(given: str) -> None:
    assert refused(_wait_options.expected, None, ["10.0.0.0/24", given]) == (
        f"allowed_ips has a value that is no network: {given!r} does not appear to be an IPv4 or IPv6 network"
    )


# --- a baseline


def devices(*interfaces: str, netns: str | None = None) -> list[dict[str, Any]]:
    """What wg_device_info returns for these interfaces."""
    return [
        device_record(Device(name, netns, peers={key(1): peer(1, handshake=0)}), START, lambda *_seen: "up", {})
        for name in interfaces
    ]


def test_a_baseline_is_the_device_of_that_name_and_namespace() -> None:
    records = devices("wg0", "wg1") + devices("wg1", netns="blue")
    assert _wait_options.baseline("baseline", None, "wg1", None) is None
    for netns in (None, "blue"):
        found = _wait_options.baseline("baseline", records, "wg1", netns)
        assert found is not None
        assert (found.interface, found.netns, list(found.peers)) == ("wg1", netns, [key(1)])


@pytest.mark.parametrize(
    ("netns", "records", "sentence"),
    [
        (None, [], "wg0, so there is nothing to compare with. Its devices: none"),
        (None, devices("wg1", "wg2"), "wg0, so there is nothing to compare with. Its devices: wg1, wg2"),
        (
            "blue",
            devices("wg0"),
            "wg0 in network namespace blue, so there is nothing to compare with. Its devices: wg0",
        ),
        (None, [{"name": "eth0"}], "wg0, so there is nothing to compare with. Its devices: None"),
    ],
)
def test_a_baseline_without_the_device(netns: str | None, records: list[dict[str, Any]], sentence: str) -> None:
    assert refused(_wait_options.baseline, "baseline", records, "wg0", netns) == f"baseline has no device {sentence}"


@pytest.mark.parametrize(
    "damage",
    [
        {"peers": None},
        {"peers": ["x"]},
        {"peers": [{"public_key": text(1)}]},
        {"listen_port": None},
        {"public_key": "short"},
    ],
    ids=str,
)
def test_a_baseline_of_another_shape(damage: dict[str, Any]) -> None:
    (record,) = devices("wg0")
    assert refused(_wait_options.baseline, "baseline", [{**record, **damage}], "wg0", None) == (
        "baseline has an entry for wg0 that is not of the shape that wg_device_info returns in devices: give it whole, "
        "without peers or keys taken out"
    )


@pytest.mark.parametrize("missing", ["peers", "backend", "listen_port", "fwmark"])
def test_a_baseline_with_a_key_taken_out(missing: str) -> None:
    (record,) = devices("wg0")
    del record[missing]
    assert "is not of the shape" in refused(_wait_options.baseline, "baseline", [record], "wg0", None)


@pytest.mark.parametrize(
    "missing", ["public_key", "has_preshared_key", "endpoint", "allowed_ips", "last_handshake_epoch"]
)
def test_a_baseline_with_a_peers_key_taken_out(missing: str) -> None:
    (record,) = devices("wg0")
    del record["peers"][0][missing]
    assert "is not of the shape" in refused(_wait_options.baseline, "baseline", [record], "wg0", None)
