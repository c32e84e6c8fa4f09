# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test network itself: what it builds is real, and nothing of it stays."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from lab import Interface, LabError, LabTimeout, Network, connect, star, traces, uapi, wait_for

TESTS = Path(__file__).resolve().parents[1]


def test_a_handshake_and_a_roam_are_real(network):
    net = star(network, ["east"])
    east = net.spokes["east"]
    assert net.hub.handshake_of(east.public_key) == 0

    net.shake_hands()
    assert abs(net.hub.handshake_of(east.public_key) - time.time()) < 10
    assert net.hub.endpoint_of(east.public_key) == "192.0.2.11:51820"

    network.hosts["east"].move_to("198.51.100.4")
    net.shake_hands()
    assert net.hub.endpoint_of(east.public_key) == "198.51.100.4:51820"

    network.hosts["east"].move_to("2001:db8::4")
    network.hosts["hub"].add_address("2001:db8::1")
    east.set_peer(net.hub.public_key, endpoint="[2001:db8::1]:51820")
    net.shake_hands()
    assert net.hub.endpoint_of(east.public_key) == "[2001:db8::4]:51820"


def test_an_unplugged_host_is_silent_and_comes_back(network):
    net = star(network, ["east"])
    net.shake_hands()
    network.hosts["east"].unplug()
    assert not network.hosts["east"].ping(net.hub.tunnel_address, timeout=0.3)
    network.hosts["east"].plug()
    net.shake_hands()


def test_one_host_can_have_two_interfaces_and_one_of_them_no_key(network):
    hub = network.host("hub", "192.0.2.1")
    first = hub.wireguard(listen_port=51820)
    second = hub.wireguard(name="bare", private_key=False)
    assert first.name != second.name
    with pytest.raises(LabError, match="has no private key"):
        _key = second.public_key


def test_two_networks_stand_side_by_side(network):
    with Network(backend="userspace") as other:
        pair = star(network, ["east"]), star(other, ["east"])
        for net in pair:
            net.shake_hands()
        assert pair[0].hub.show("endpoints").keys() != pair[1].hub.show("endpoints").keys()


def test_nothing_is_left_after_an_exception():
    with pytest.raises(ZeroDivisionError), Network(backend="userspace") as made:
        star(made)
        assert len(traces(made.run_id)) > 6
        raise ZeroDivisionError
    assert traces(made.run_id) == []


def test_nothing_is_left_of_a_killed_daemon(network):
    interface = network.host("hub").wireguard()
    interface.kill_daemon()
    assert interface.socket_path.exists(), "a killed daemon leaves its socket: that is what the test is about"
    interface.remove()
    assert [trace for trace in traces(network.run_id) if interface.name in trace] == []


BUILD_AND_WAIT = """
    import sys, time
    sys.path.insert(0, sys.argv[1])
    from lab import Network, star
    with Network(backend="userspace") as network:
        star(network)
        print(network.run_id, flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_after_a_signal(ending):
    script = [sys.executable, "-c", textwrap.dedent(BUILD_AND_WAIT), str(TESTS)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        run_id = child.stdout.readline().strip()
        assert len(traces(run_id)) > 6
        child.send_signal(ending)
        child.send_signal(ending)  # an impatient user
        assert child.wait(timeout=20) != 0
    assert traces(run_id) == []


CLEAN_UP = """
    import sys, time
    sys.path.insert(0, sys.argv[1])
    from contextlib import ExitStack
    from lab.signals import deferred, terminable
    stack = ExitStack()
    stack.enter_context(terminable())
    stack.callback(print, "cleaned up", flush=True)
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        with deferred():
            stack.close()
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_at_any_moment_does_not_stop_the_clean_up_before_it_begins(ending):
    script = [sys.executable, "-c", textwrap.dedent(CLEAN_UP), str(TESTS)]
    for number in range(40):
        with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(ending)
            second = time.perf_counter() + number * 10e-6  # the way there takes some tenths of a millisecond
            while time.perf_counter() < second:
                pass
            child.send_signal(ending)
            assert child.stdout.read() == "cleaned up\n", f"the second signal {number * 10} us after the first"


def test_a_tool_that_fails_is_told_in_a_sentence(network):
    hub = network.host("hub")
    with pytest.raises(LabError, match="'ip -n ww-.*-hub link set nosuch up' ended with status 1: Cannot find device"):
        hub.ip("link", "set", "nosuch", "up")
    with pytest.raises(LabError, match="at most nine lower-case letters"):
        network.host("a-name-that-is-too-long")
    with pytest.raises(LabError, match="must be auto, kernel or userspace"):
        Network(backend="imaginary")


def test_waiting_in_vain_says_for_what():
    with pytest.raises(LabTimeout, match=r"Waited 0.1 seconds for a miracle, in vain\."):
        wait_for(lambda: False, 0.1, "a miracle")


def test_secrets_are_listed_and_shown_nowhere(network, monkeypatch, tmp_path):
    listed = tmp_path / "secrets"
    monkeypatch.setenv("WW_SECRETS_FILE", str(listed))
    net = star(network, ["east"])
    secrets = set(listed.read_text().split())
    used = {net.hub.keys.private, net.spokes["east"].keys.private, net.preshared_keys["east"]}
    shown = f"{net!r} {net.hub!r} {net.hub.keys!r}"
    # Compared before the assert: a failing one prints its operands.
    all_listed, some_shown = used <= secrets, any(secret in shown for secret in secrets)
    assert all_listed
    assert not some_shown
    assert listed.stat().st_mode & 0o777 == 0o600


def test_the_preshared_key_counts(network):
    """With a wrong one there is no handshake: it reached both daemons through their stdin."""
    net = star(network, ["east"], joined=False)
    east: Interface = net.spokes["east"]
    connect(east, net.hub)
    net.shake_hands()
    assert net.hub.handshake_of(east.public_key)
    connect(east, net.hub)
    east.set_peer(net.hub.public_key, preshared_key="A" * 43 + "=")
    east.remove_peer(net.hub.public_key)
    east.set_peer(net.hub.public_key, endpoint=net.hub.endpoint, allowed_ips=["10.9.0.1/32"])
    assert not network.hosts["east"].ping(net.hub.tunnel_address, timeout=0.3)
    assert east.handshake_of(net.hub.public_key) == 0


# --- the scripted daemon


def ask(path: Path, limit: int = 1 << 20, patience: float = 30.0) -> bytes:
    """One request over a new connection, read until it is closed, `limit` is reached or nothing comes for `patience` s."""
    reply = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(patience)
        client.connect(str(path))
        client.sendall(b"get=1\n\n")
        try:
            while len(reply) < limit:
                piece = client.recv(65536)
                if not piece:
                    return reply + b"<closed>"
                reply += piece
        except TimeoutError:
            return reply + b"<silent>"
    return reply


TEXT = uapi.device_text(peers=2)
WHOLE = TEXT.encode() + b"errno=0\n\n"
HALF = TEXT.encode()[: len(TEXT) // 2]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (uapi.answers(TEXT), WHOLE + b"<closed>"),
        (uapi.byte_by_byte(TEXT), WHOLE + b"<closed>"),
        (uapi.hangs, b"<silent>"),
        (uapi.hangs_in_mid_reply(TEXT), HALF + b"<silent>"),
        (uapi.stops_in_mid_reply(TEXT), HALF + b"<closed>"),
        (uapi.closes_at_once, b"<closed>"),
    ],
    ids=["answers", "byte by byte", "hangs", "hangs in mid-reply", "stops in mid-reply", "closes at once"],
)
def test_the_scripted_daemon_does_as_told(tmp_path, behaviour, expected):
    with uapi.FakeDaemon(tmp_path, "wg0", behaviour) as daemon:
        assert ask(daemon.path, patience=2.0 if expected.endswith(b"<silent>") else 30.0) == expected
        wait_for(lambda: daemon.requests, 30, "the request to be taken")  # who is silent may not have read it yet
        assert daemon.requests == [b"get=1\n\n"]
    assert not daemon.path.exists()


def test_the_endless_daemon_has_no_end_but_stops_with_its_block(tmp_path):
    with uapi.FakeDaemon(tmp_path, "wg0", uapi.endless) as daemon:
        assert len(ask(daemon.path, limit=1 << 20)) >= 1 << 20


def test_a_dead_socket_refuses(tmp_path):
    path = uapi.leave_dead_socket(tmp_path, "wg0")
    with pytest.raises(ConnectionRefusedError):
        ask(path)
