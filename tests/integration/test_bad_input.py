# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bad input gets, by the real ansible-playbook: a sentence that says what is wrong, where and what to do.

All cases are tasks of one playbook whose errors are ignored; each test reads the sentence of its own. That no traceback
and no secret is shown is checked of the run as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from lab import Network, star, uapi, write_inventory
from lab.commands import tool
from lab.player import Player
from lab.wireguard import SOCKET_FOLDER, kernel_has_wireguard

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

# seconds; the limit for a module that talks to a daemon which has stopped answering: its start-up, two time-outs of five
# seconds, and a busy machine
NO_HANG = 60.0


def info(**options):
    return {"wirewatch.wireguard.wg_device_info": options}


def watch(**options):
    return {"wirewatch.wireguard.wg_peer_watch": {"interface": "HUB", "condition": "present", "timeout": 0, **options}}


# (name, task, parts of the sentence). HUB is the hub's interface, RUN the run id.
CASES = [
    ("unknown interface", info(interfaces=["nosuch0"]), ["no", "nosuch0", "HUB"]),
    ("unknown interface to watch", watch(interface="nosuch0"), ["no", "nosuch0", "HUB"]),
    ("one of several is unknown", info(interfaces=["HUB", "nosuch0"]), ["nosuch0", "HUB"]),
    ("not WireGuard", info(interfaces=["eth0"]), ["eth0", "WireGuard"]),
    ("missing namespace", info(netns="ww-nosuch"), ["There is no network namespace ww-nosuch", "ww-RUN-hub"]),
    ("a path that is no namespace", info(netns="/etc/hostname"), ["/etc/hostname", "network namespace"]),
    ("key too short", info(interfaces=["HUB"], peers=[KEY[4:]]), ["peers", KEY[4:], "40 characters", "44"]),
    ("key of another alphabet", info(peers=["*" + KEY[1:]]), ["peers", "'*'"]),
    ("key with a wrong end", info(peers=[KEY[:-2] + "9="]), ["peers", "no WireGuard public key"]),
    ("key in names", info(names={"office": "x"}), ["names", "office", "6 characters"]),
    ("key to watch", watch(peers=["short"]), ["peers", "short"]),
    ("unknown condition", watch(condition="handsome"), ["condition", "handsome", "first_handshake", "absent"]),
    ("unknown match", watch(match="some"), ["match", "some", "all", "any"]),
    ("negative timeout", watch(timeout=-1), ["timeout", "-1", "at least 0"]),
    ("negative delay", watch(delay=-0.5), ["delay", "-0.5", "at least 0"]),
    ("sleep of zero", watch(sleep=0), ["sleep", "greater than 0"]),
    ("no number", watch(timeout="soon"), ["timeout", "float"]),
    ("empty interfaces", info(interfaces=[]), ["interfaces is an empty list", "leave the option out"]),
    ("empty peers", info(interfaces=["HUB"], peers=[]), ["peers is an empty list", "leave the option out"]),
    ("long name", info(interfaces=["abcdefghijklmnop"]), ["abcdefghijklmnop", "16 characters", "at most 15"]),
    ("long name to watch", watch(interface="abcdefghijklmnop"), ["abcdefghijklmnop", "16 characters", "at most 15"]),
    ("name with a slash", info(interfaces=["../wg0"]), ["../wg0", "no slash"]),
    ("endpoint by host name", watch(condition="endpoint_changed", endpoint="vpn.example.org:51820"), ["Host names"]),
    ("allowed IPs", watch(condition="allowed_ips_changed", allowed_ips=["10.0.0.300/8"]), ["10.0.0.300/8"]),
    ("baseline of something else", watch(baseline=[{"a": 1}]), ["baseline"]),
    ("unknown backend", info(backend="quantum"), ["quantum", "kernel", "userspace"]),
    ("unknown option", info(interface="HUB"), ["interface", "Supported parameters include", "interfaces"]),
    ("without a daemon", info(interfaces=["wwRUNdead"]), ["wwRUNdead", "daemon"]),
    ("daemon hangs", info(interfaces=["wwRUNhang"]), ["wwRUNhang"]),
    ("daemon hangs in mid-reply", info(interfaces=["wwRUNhalf"]), ["wwRUNhalf"]),
    ("daemon stops in mid-reply", info(interfaces=["wwRUNstop"]), ["wwRUNstop"]),
    ("daemon talks garbage", info(interfaces=["wwRUNjunk"]), ["wwRUNjunk"]),
    ("watching a daemon that hangs", watch(interface="wwRUNhang", timeout=1), ["wwRUNhang"]),
]

DAEMONS = {
    "hang": uapi.hangs,
    "half": uapi.hangs_in_mid_reply(uapi.device_text(3)),
    "stop": uapi.stops_in_mid_reply(uapi.device_text(3)),
    "junk": uapi.garbage,
}


def concrete(value, net):
    """The placeholders of the table, filled in."""
    text = json.dumps(value).replace("HUB", net.hub.name).replace("RUN", net.network.run_id)
    return json.loads(text)


@pytest.fixture(scope="module")
def net():
    with Network(backend="userspace") as network:
        yield star(network, ["east"])


@pytest.fixture(scope="module")
def player(ansible, secrets_file):
    return Player(ansible, secrets_file)


@pytest.fixture(scope="module")
def run(net, player):
    run_id = net.network.run_id
    tasks = [{"name": name, **concrete(task, net), "ignore_errors": True} for name, task, _sentence in CASES]
    playbook = [{"hosts": "hub", "gather_facts": False, "tasks": tasks}]
    with contextlib.ExitStack() as stack:
        for name, behaviour in DAEMONS.items():
            stack.enter_context(uapi.FakeDaemon(SOCKET_FOLDER, f"ww{run_id}{name}", behaviour))
        dead = uapi.leave_dead_socket(SOCKET_FOLDER, f"ww{run_id}dead")
        stack.callback(dead.unlink, missing_ok=True)
        yield player(write_inventory(net.network), json.dumps(playbook), timeout=240)
        assert dead.exists(), "a reader leaves a dead socket where it is"


@pytest.mark.parametrize(("name", "sentence"), [pytest.param(n, s, id=n) for n, _task, s in CASES])
def test_a_sentence_says_what_is_wrong(net, run, name, sentence):
    (report,) = run.reports(name)
    assert report.status == "ignored", "it was accepted"
    message = report.result["msg"]
    missing = [part for part in concrete(sentence, net) if part not in message]
    assert missing == [], message
    assert "Unexpected" not in message
    assert "exception" not in report.result
    (started,) = [other for other in run.tasks if other.task == name and other.status == "started"]
    assert report.time - started.time < NO_HANG


def test_what_was_read_before_an_error_is_returned(net, run):
    devices = run.result("one of several is unknown")["devices"]
    assert [device["interface"] for device in devices] == [net.hub.name]


ONE_TASK = """
- hosts: hub
  gather_facts: false
  tasks:
    - name: look
      wirewatch.wireguard.wg_device_info: "{{ options }}"
"""


def look(player, net, interpreter: str, options: dict, fails: bool = True) -> dict:
    """wg_device_info on the hub with an interpreter script of our own; `@PYTHON` is what it usually runs."""
    inventory = json.loads(write_inventory(net.network).read_text())
    usual = inventory["all"]["hosts"]["hub"]["ansible_python_interpreter"]
    script = net.network.folder / "python-restricted"
    script.write_text("#!/bin/sh\n" + interpreter.replace("@PYTHON", usual))
    script.chmod(0o700)
    variables = {"ansible_python_interpreter": str(script), "options": options}
    playbook = ONE_TASK.replace('"{{ options }}"', json.dumps(options))
    run = player(net.network.folder / "inventory.json", playbook, variables=variables, fails=fails)
    return run.result("look")


@pytest.fixture
def without_pyroute2(tmp_path):
    """A folder for PYTHONPATH in which pyroute2 is as good as not installed."""
    (tmp_path / "pyroute2.py").write_text("raise ImportError(\"No module named 'pyroute2'\")\n")
    return f'PYTHONPATH={tmp_path} exec @PYTHON "$@"\n'


def test_without_pyroute2_the_error_names_the_option_and_the_package(player, net, without_pyroute2):
    options = {"netns": net.host("east").namespace, "interfaces": [net.spokes["east"].name]}
    message = look(player, net, without_pyroute2, options)["msg"]
    assert "The option netns needs the Python library pyroute2" in message
    assert "python3-pyroute2" in message


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_without_pyroute2_the_interfaces_of_the_own_namespace_can_be_read(player, net, without_pyroute2, named):
    options = {"interfaces": [net.hub.name]} if named else {}
    devices = look(player, net, without_pyroute2, options, fails=False)["devices"]
    assert [device["public_key"] for device in devices] == [net.hub.public_key]


def test_a_socket_of_somebody_else_needs_privilege(player, net):
    """Without CAP_DAC_OVERRIDE root is as good as nobody before a socket that is not root's."""
    caps = "-dac_override,-dac_read_search,-fowner"
    interpreter = f'exec {tool("setpriv")} --bounding-set {caps} --inh-caps {caps} @PYTHON "$@"\n'
    name = f"ww{net.network.run_id}not"
    with uapi.FakeDaemon(SOCKET_FOLDER, name, uapi.answers(uapi.device_text())) as daemon:
        os.chown(daemon.path, 65534, 65534)
        daemon.path.chmod(0o700)
        message = look(player, net, interpreter, {"interfaces": [name], "backend": "userspace"})["msg"]
    assert name in message
    assert "become" in message


def test_a_kernel_that_can_not_serve_the_interface_is_told(player, net):
    """An interface of wireguard-go, asked of the kernel: what is wrong depends on the kernel of this machine."""
    result = look(player, net, 'exec @PYTHON "$@"\n', {"interfaces": [net.hub.name], "backend": "kernel"})
    assert net.hub.name in result["msg"] or "kernel" in result["msg"]
    if kernel_has_wireguard(net.network.namespace):
        assert "not a WireGuard interface" in result["msg"]
    else:
        assert "module" in result["msg"]
        assert "there is a userspace socket" in result["msg"]


def test_an_interface_that_is_down_or_has_no_private_key_can_be_read(player, net):
    bare = net.host("hub").wireguard(name="bare", private_key=False)
    bare.set_peer(KEY, allowed_ips=["10.1.0.0/16"])
    net.host("hub").ip("link", "set", bare.name, "down")
    (device,) = look(player, net, 'exec @PYTHON "$@"\n', {"interfaces": [bare.name]}, fails=False)["devices"]
    assert device["public_key"] is None
    assert device["up"] is False
    assert [peer["state"] for peer in device["peers"]] == ["inactive"]
