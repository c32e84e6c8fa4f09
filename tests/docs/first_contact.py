# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/first-contact.md: what a newcomer types, and what is printed then, on the machine of newcomer.py.

Under a heading of the page stands what is printed for the case of that name, in a block, or the table of the typos of that name.
What else stands there is written by hand, and so are the blocks of other headings, which need a bare machine.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _command, _publish_options
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import ARGUMENTS
from collection import CHECKOUT
from docs.newcomer import COLLECTION, HOME, ROOT, USER, WITH_WG0, Machine, file, without

PAGE = CHECKOUT / "docs/first-contact.md"
KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

# --- what is printed as a whole


@dataclass(frozen=True)
class Case:
    """A command, what is to be said then, in some words, and what is to be there before it; `until` as in Machine.run.

    `kernel_matters`: on a machine whose kernel has WireGuard something else is printed.
    """

    command: str
    says: str
    there: tuple[str, ...] = ()
    prompt: str = USER
    until: str | None = None
    kernel_matters: bool = False


def rulebook(arguments: str) -> str:
    return file(
        "rulebook.yml",
        f"""
- name: React to WireGuard
  hosts: all
  sources:
    - wirewatch.wireguard.wg_events:
        {arguments}
  rules:
    - name: A peer was removed
      condition: event.wireguard.type == "peer_removed"
      action:
        debug:
""",
    )


INVENTORY = file("inventory.yml", "gateways: {hosts: {gw1: {ansible_connection: local}}}")
LOOK = "ansible localhost -m wirewatch.wireguard.wg_device_info"
REACT = "ansible-rulebook --inventory inventory.yml --rulebook rulebook.yml"

CASES = {
    "No WireGuard interface": Case(LOOK, "There is no WireGuard interface here. Bring one up"),
    "No pyroute2": Case(
        f"{LOOK} -a netns=vpn",
        f"run {HOME}/ansible/bin/python3 -m pip install pyroute2",
        ("ip netns add vpn", without("pyroute2")),
        ROOT,
    ),
    "No pyroute2, for the distribution's Python": Case(
        f"{LOOK} -a netns=vpn -e ansible_python_interpreter=/usr/bin/python3",
        "install the package python3-pyroute2",
        ("ip netns add vpn", without("pyroute2")),
        ROOT,
    ),
    "No WireGuard at all": Case(f"{LOOK} -a interfaces=wg0", "Load it (modprobe wireguard)", kernel_matters=True),
    "Not root": Case(f"{LOOK} -a interfaces=wg0", "run as root", (WITH_WG0,), kernel_matters=True),
    "No such network namespace": Case(
        f"{LOOK} -a netns=vnp", "Named namespaces here: vpn", ("ip netns add vpn",), ROOT
    ),
    "No such Python": Case(f"{LOOK} -e ansible_python_interpreter=/usr/bin/python3.99", "was not found"),
    "No such module": Case("ansible localhost -m wirewatch.wireguard.wg_info", "Cannot resolve"),
    "No condition": Case(
        "ansible localhost -m wirewatch.wireguard.wg_peer_watch -a interface=wg0",
        "missing required arguments: condition",
    ),
    "Not installed": Case(
        LOOK, "No module named 'ansible_collections.wirewatch'", (f"rm -r {HOME}/.ansible/collections",)
    ),
    "A rulebook with a typo": Case(
        REACT,
        "There is no argument intervall. There are: interfaces,",
        (INVENTORY, rulebook("intervall: 0.5")),
        until="app - ERROR - ValueError",
    ),
    "A rulebook, and nothing to watch": Case(
        REACT,
        "There is no WireGuard interface here. Bring one up",
        (INVENTORY, rulebook("interval: 0.5")),
        until="What appears is told",
    ),
    "A rulebook, and not root": Case(
        REACT,
        "run as root",
        (INVENTORY, WITH_WG0, rulebook("interfaces: [wg0]")),
        until="run as root",
        kernel_matters=True,
    ),
    "wirewatch.pyz, and no interface": Case("python3 wirewatch.pyz show", "There is no WireGuard interface here"),
    "wirewatch.pyz, and nothing to watch": Case(
        "python3 wirewatch.pyz watch --pretty", "What appears is told", until="What appears is told"
    ),
    "wirewatch.pyz, and not root": Case(
        "python3 wirewatch.pyz watch wg0 --pretty",
        "run as root",
        (WITH_WG0,),
        until="wg0 can't be watched",
        kernel_matters=True,
    ),
    "wirewatch.pyz, and no Kafka client": Case(
        "python3 wirewatch.pyz watch --sink kafka --topic wireguard --set bootstrap.servers=kafka1.example.org:9092",
        "install the package python3-confluent-kafka",
        (without("confluent_kafka"),),
    ),
}

NOW = "2026-11-26 12:00:00"


def printed(machine: Machine, case: Case) -> str:
    text = machine.run(case.command, case.prompt, case.there, case.until)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d{3})?", lambda found: NOW + (",000" if found[1] else ""), text)
    return f"{case.prompt} {case.command}\n{text}\n"


# --- what is read after a typo: the sentence alone


@dataclass(frozen=True)
class Typo:
    """`written` is what a user writes: for plugins a dictionary of options, else words of a command line."""

    written: Mapping[str, Any] | str

    @property
    def shown(self) -> str:
        if isinstance(self.written, str):
            return self.written
        text = yaml.safe_dump(
            dict(self.written), default_flow_style=True, width=10000, sort_keys=False, allow_unicode=True
        )
        return text.strip()[1:-1]


def typos(*written: Mapping[str, Any] | str) -> list[Typo]:
    return [Typo(one) for one in written]


GATHER = [
    {"interfces": ["wg0"]},
    {"interfaces": []},
    {"interfaces": ["wg 0"]},
    {"interfaces": ["wg7"], "backend": "userspace"},
    {"netns": "vnp"},
    {"backend": "kernle"},
    {"peers": []},
    {"peers": ["office"]},
    {"names": {"office": KEY}},
    {"names": "office"},
    {"expected_keepalive": "often"},
    {"expected_keepalive": 65536},
    {"timers": {"slak": 5}},
    {"timers": {"slack": "some"}},
]
WAIT = [
    {"peer": KEY},
    {"interface": "wg*"},
    {"interface": "wireguard-office"},
    {"interface": "wg7", "backend": "userspace"},
    {"condition": "handshak"},
    {"match": "some"},
    {"endpoint": "vpn.example.org:51820"},
    {"allowed_ips": ["10.0.0.300/8"]},
    {"baseline": [{"interface": "wg7", "netns": None}]},
    {"baseline": [{"interface": "wg0", "netns": None}]},
    {"timeout": "soon"},
    {"timeout": -1},
    {"delay": -1},
    {"sleep": 0},
]

TABLES: dict[str, list[Typo]] = {
    "wg_device_info and wg_facts": typos(*GATHER),
    "wg_peer_watch": typos(*WAIT),
    "The role prerequisites": typos(
        {"prerequisites_wiregard": "kernel", "prerequisites_wireguard": "skip"},
        {"prerequisites_wireguard": "kernal"},
        {"prerequisites_pyroute2": "mabye"},
    ),
    "The role mesh_check": typos(
        {"mesh_check_interfces": ["wg0"]},
        {"mesh_check_hosts": ["gw9"]},
        {"mesh_check_interfaces": ["wg 0"]},
        {"mesh_check_netns": "vnp"},
        {"mesh_check_expected_keepalive": "often"},
        {"mesh_check_allowed_states": ["upp"]},
        {"mesh_check_full_mesh": "mabye"},
        {"mesh_check_fail": "mabye"},
        {"mesh_check_report": "nosuch/mesh.html"},
        {"mesh_check_report": "mesh.html", "mesh_check_report_mode": "rw"},
    ),
    "The role event_publisher": typos(
        {"event_publisher_secret": {"token": "x"}},
        {"event_publisher_state": "presnt"},
        {"event_publisher_config": {"intervall": 5}},
        {"event_publisher_config": {"interval": 0}},
        {"event_publisher_sink": {"type": "kafak"}},
        {"event_publisher_sink": {"type": "webhook", "ulr": "https://rulebook.example.org:5000/"}},
        {"event_publisher_sink": {"type": "kafka"}, "event_publisher_client": "none"},
        {"event_publisher_secrets": {"my token": "x"}},
        {"event_publisher_client": "virtualenw"},
        {"event_publisher_capabilities": ["CAP_NET_ADMN"]},
        {"event_publisher_memory": "128 MB"},
        {"event_publisher_started": "mabye"},
        {"event_publisher_root": "image"},
    ),
    "The event source wg_events": typos(
        {"interfces": ["wg0"]},
        {"interfaces": []},
        {"interfaces": ["wg 0"]},
        {"interfaces": 7},
        {"netns": []},
        {"netns": [True]},
        {"interval": 0},
        {"types": ["peer_vanished"]},
        {"peers": ["office"]},
        {"names": {"office": KEY}},
        {"initial": "later"},
        {"initial": "resume"},
        {"state_file": "/var/lib/wirewatch/state.db"},
        {"initial": "resume", "state_file": "/nosuch/state.db"},
        {"host": True},
        {"hosts": []},
        {"expected_keepalive": "often"},
        {"timers": {"slak": 5}},
        {"debounce": -1},
        {"heartbeat": 0.01},
        {"heartbeat": 60, "types": ["peer_removed"]},
    ),
    "The event filter lift": typos({"host": True}, {"hosts": "gw1"}, {"hosts": {"gw1": 7}}),
    "The filters mesh_pairs and mesh_report": typos(
        "results | wirewatch.wireguard.mesh_pairs(full=true)",
        "results | wirewatch.wireguard.mesh_pairs(allowed_states=['upp'])",
        "results.gw1 | wirewatch.wireguard.mesh_pairs",
        "results | wirewatch.wireguard.mesh_report(pairs, made, lst='')",
        "results | wirewatch.wireguard.mesh_report(pairs, made, allowed_states='up,upp')",
        "results | wirewatch.wireguard.mesh_report(results, made)",
        "results | wirewatch.wireguard.mesh_pair",
    ),
    "wirewatch.pyz": typos(
        "",
        "wacth",
        "watch --intervall 5",
        "watch 'wg 0'",
        "watch --config nosuch.json",
        "watch --netns ''",
        "watch --interval often",
        "watch --type peer_vanished",
        "watch --peer office",
        "watch --name office",
        "watch --initial later",
        "watch --initial resume",
        "watch --state-file state.db",
        "watch --initial resume --state-file /nosuch/state.db",
        "watch --host ''",
        "watch --debounce some",
        "watch --heartbeat 0.01",
        "watch --expected-keepalive often",
        "watch --timer slack",
        "watch --timer slak=5",
        "watch --sink kafak",
        "watch --pretty --sink kafka --topic wireguard",
        "watch --sink webhook",
        "watch --sink webhook --url rulebook.example.org:5000",
        "watch --sink webhook --url https://rulebook.example.org --token-file nosuch",
        "watch --sink webhook --url https://rulebook.example.org --hmac-secret-file nosuch",
        "watch --sink webhook --url https://rulebook.example.org --hmac-header 'My Header'",
        "watch --sink webhook --url https://rulebook.example.org --hmac-algorithm sha257",
        "watch --sink webhook --url https://rulebook.example.org --hmac-format hexx",
        "watch --sink webhook --url https://rulebook.example.org --ca-file nosuch",
        "watch --sink webhook --url https://rulebook.example.org --client-certificate nosuch",
        "watch --sink webhook --url https://rulebook.example.org --client-key nosuch",
        "watch --sink webhook --url https://rulebook.example.org --timeout soon",
        "watch --sink kafka",
        "watch --topic wireguard",
        "watch --sink kafka --topic wireguard --set bootstrap.servers",
        "show --netns vnp",
    ),
}

# Options whose value can't be told from a typo: any text will do, or only the world knows.
TAKES_ANYTHING = {
    "msg": "a sentence of the user's own",
    "prerequisites_pyroute2_package": "the package manager says so",
    "prerequisites_wireguard_go_package": "the package manager says so",
    "mesh_check_report_title": "a title of the user's own",
    "event_publisher_client_package": "the package manager says so",
    "event_publisher_client_requirement": "pip says so",
}


def sentences(machine: Machine, name: str) -> list[str]:
    """What each typo of a table gets, in order."""
    table = TABLES[name]
    if name == "wirewatch.pyz":
        return _of_the_command([str(one.written) for one in table], machine)
    written = [one.written for one in table]
    if name == "The event source wg_events":
        return _of_the_source(machine, written)
    if name == "The event filter lift":
        return _of_the_filter(machine, written)
    return _of_a_playbook(machine, [_task(name, one) for one in written])


def _lines(text: str) -> list[str]:
    """What one command printed after another, each ended by a line of its own."""
    return [" ".join(part.split()) for part in text.split("ANOTHER\n")][:-1]


def _of_the_command(lines: Sequence[str], machine: Machine) -> list[str]:
    commands = [f"timeout 5 python3 wirewatch.pyz {line}; echo ANOTHER" for line in lines]
    return _lines(machine.run("; ".join(commands), ROOT, [without("confluent_kafka")]) + "\n")


def _of_the_source(machine: Machine, written: Sequence[Any]) -> list[str]:
    source = f"python3 {COLLECTION}/extensions/eda/plugins/event_source/wg_events.py"
    commands = [f"timeout 5 {source} {shlex.quote(json.dumps(one))}; echo ANOTHER" for one in written]
    return _lines(machine.run("; ".join(commands), ROOT) + "\n")


def _of_the_filter(machine: Machine, written: Sequence[Any]) -> list[str]:
    script = f"""
import json, logging, runpy, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
for hosts in json.loads(sys.argv[1]):
    lift = runpy.run_path("{COLLECTION}/extensions/eda/plugins/event_filter/lift.py")["main"]
    lift({{"wireguard": {{"schema": 1, "type": "peer_added", "host": "gw1"}}}}, **hosts)
    print("ANOTHER", flush=True)
"""
    text = machine.run(f"python3 script.py {shlex.quote(json.dumps(written))}", ROOT, [file("script.py", script)])
    return _lines(text + "\n")


def _task(name: str, written: Any) -> dict[str, Any]:
    if name == "The filters mesh_pairs and mesh_report":
        return {"ansible.builtin.debug": {"msg": "{{ %s }}" % written}}
    if name.startswith("The role "):
        role = name.rpartition(" ")[2]
        given = dict(written)
        if role == "event_publisher":
            # Into a folder of its own, and nothing is started.
            given = {"event_publisher_root": f"{HOME}/image", **given}
            given.setdefault("event_publisher_sink", {"type": "webhook", "url": "https://rulebook.example.org/"})
        return {"ansible.builtin.include_role": {"name": f"wirewatch.wireguard.{role}"}, "vars": given}
    if name == "wg_peer_watch":
        return {
            "wirewatch.wireguard.wg_peer_watch": {"interface": "wg0", "condition": "present", "timeout": 0, **written}
        }
    return {"wirewatch.wireguard.wg_device_info": written}


def _of_a_playbook(machine: Machine, tasks: Sequence[dict[str, Any]]) -> list[str]:
    """Of each task the sentence that it, or something in the role that it includes, failed with, or said."""
    marked = []
    for number, task in enumerate(tasks):
        marked.append({"block": [task], "rescue": [{"name": f"AFTER {number}", "ansible.builtin.debug": {"msg": ""}}]})
        marked.append({"name": f"END {number}", "ansible.builtin.debug": {"msg": ""}})
    variables = {"results": {"gw1": {"devices": []}}, "pairs": [], "made": "2026-11-26T12:00:00Z"}
    plays = [{"hosts": "gw1", "gather_facts": False, "vars": variables, "tasks": marked}]
    there = [
        "ip netns add vpn",
        WITH_WG0,
        INVENTORY,
        file("site.yml", yaml.safe_dump(plays, sort_keys=False, allow_unicode=True)),
        f"export ANSIBLE_CALLBACK_PLUGINS={HOME}/.callbacks ANSIBLE_CALLBACKS_ENABLED=lab_results LAB_RESULTS={HOME}/results",
    ]
    command = (
        f"ansible-playbook --inventory inventory.yml site.yml >{HOME}/log 2>&1 || cat {HOME}/log; cat {HOME}/results"
    )
    text = machine.run(command, ROOT, there)
    results = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    found, said = [], ""
    for result in results:
        if result["task"].startswith("END ") and result["status"] == "ok":
            found.append(" ".join(said.split()))
            said = ""
        elif result["status"] == "failed" or ("none of the role's" in result["task"] and result["status"] == "ok"):
            message = result["result"]["msg"]
            said = " ".join(message) if isinstance(message, list) else message
            # A set, whose order is another one each time.
            said = re.sub("(Valid booleans include: ).*", r"\1…", said)
    if len(found) != len(tasks):
        raise RuntimeError(f"the playbook did not come to its end:\n{text}")
    return found


# --- the page


def rendered(name: str, read: Sequence[str]) -> str:
    rows = [f"| {_code(one.shown)} | {_code(sentence)} |" for one, sentence in zip(TABLES[name], read)]
    return "\n".join(["| you write | you read |", "|---|---|", *rows]) + "\n"


def _code(text: str) -> str:
    return "`%s`" % text.replace("|", "\\|") if text else "(nothing)"


def on_the_page() -> dict[str, str]:
    """The first block or the table under each heading."""
    found = {}
    for heading, text in re.findall(
        r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        shown = re.search(r"^```\w+\n(.*?)^```$|((?:^\|[^\n]*\n)+)", text, re.MULTILINE | re.DOTALL)
        if shown:
            found[heading] = shown[1] if shown[1] is not None else shown[2]
    return found


def rewrite(name: str, text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    old = on_the_page()[name]
    start = page.index(f"### {name}\n")
    PAGE.write_text(page[:start] + page[start:].replace(old, text, 1), encoding="utf-8")


# --- what there is to be mistyped


def options() -> dict[str, list[str]]:
    """All options, by table."""
    found: dict[str, list[str]] = {}
    for name, plugin in (("wg_device_info and wg_facts", "wg_device_info"), ("wg_peer_watch", "wg_peer_watch")):
        text = (CHECKOUT / f"plugins/modules/{plugin}.py").read_text(encoding="utf-8")
        documented = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
        found[name] = list(documented.get("options", {}))
        for fragment in documented["extends_documentation_fragment"]:
            found[name] += _of_fragment(fragment)
    for role in ("prerequisites", "mesh_check", "event_publisher"):
        path = CHECKOUT / f"roles/{role}/meta/argument_specs.yml"
        found[f"The role {role}"] = list(
            yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
        )
    found["The event source wg_events"] = list(ARGUMENTS)
    found["The event filter lift"] = ["hosts"]
    found["The filters mesh_pairs and mesh_report"] = ["full", "allowed_states", "lst"]
    watch = _command._parser().parse_args(["watch"])
    assert set(_publish_options.ARGUMENTS) <= set(vars(watch))
    found["wirewatch.pyz"] = re.findall(r"(?<!\S)--[a-z-]+", _help())
    return found


def _of_fragment(fragment: str) -> list[str]:
    name = fragment.rpartition(".")[2]
    path = CHECKOUT / f"plugins/doc_fragments/{name}.py"
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8").partition('DOCUMENTATION = r"""')[2].partition('"""')[0]
    return list((yaml.safe_load(text) or {}).get("options", {}))


def _help() -> str:
    (commands,) = [action for action in _command._parser()._actions if action.dest == "command"]
    assert commands.choices is not None
    return "".join(parser.format_help() for parser in commands.choices.values())
