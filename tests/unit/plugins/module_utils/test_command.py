# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what it makes of options and a file, and what it says of those that can't be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _command, _publish_options
from ansible_collections.wirewatch.wireguard.plugins.module_utils._command import main
from ansible_collections.wirewatch.wireguard.plugins.module_utils._publish_options import ARGUMENTS, SINKS, check, merge
from collection import CHECKOUT
from unit.watching import key, text

KEY = text(1)


def given(*argv: str) -> dict[str, Any]:
    """What a command line gives, under the names of the arguments."""
    return _command._given(_command._parser().parse_args(["watch", *argv]))


@pytest.mark.parametrize(
    ("argv", "arguments"),
    [
        ([], {}),
        (["wg0", "wg*"], {"interfaces": ["wg0", "wg*"]}),
        (["--netns", "blue", "--netns", "red"], {"netns": ["blue", "red"]}),
        (["--interval", "0.5"], {"interval": "0.5"}),
        (["--type", "peer_added", "--type", "peer_removed"], {"types": ["peer_added", "peer_removed"]}),
        (["--peer", KEY], {"peers": [KEY]}),
        (["--name", f"{KEY}=the office = here"], {"names": {KEY: "the office = here"}}),
        (["--initial", "resume", "--state-file", "/s"], {"initial": "resume", "state_file": "/s"}),
        (["--host", "gw1", "--debounce", "3"], {"host": "gw1", "debounce": "3"}),
        (["--heartbeat", "60"], {"heartbeat": "60"}),
        (["--expected-keepalive", "25"], {"expected_keepalive": "25"}),
        (["--expected-keepalive", f"{KEY}=25"], {"expected_keepalive": {KEY: "25"}}),
        (["--timer", "slack=5"], {"timers": {"slack": "5"}}),
        (["--pretty"], {"sink": {"pretty": True}}),
        (["--sink", "webhook", "--url", "u"], {"sink": {"type": "webhook", "url": "u"}}),
        (
            ["--sink", "kafka", "--topic", "t", "--set", "a=b=c", "--set", "d=e"],
            {"sink": {"type": "kafka", "topic": "t", "settings": {"a": "b=c", "d": "e"}}},
        ),
    ],
)
def test_a_command_line_gives_the_arguments_of_the_event_source(argv: list[str], arguments: dict[str, Any]) -> None:
    assert given(*argv) == arguments


def test_every_argument_and_every_option_of_a_sink_is_on_the_command_line() -> None:
    names = set(vars(_command._parser().parse_args(["watch"])))
    assert {*ARGUMENTS, *(option for options in SINKS.values() for option in options)} - {"settings"} <= names


def test_what_is_given_is_checked_as_the_source_does_it() -> None:
    watch, sink = check(given("wg0", "--interval", "0.5", "--name", f"{KEY}=office", "--expected-keepalive", "25"))
    assert (watch.options.patterns, watch.options.interval, watch.options.names) == (["wg0"], 0.5, {key(1): "office"})
    assert watch.options.liveness.expected_keepalive == 25
    assert sink == {"type": "stdout"}


@pytest.mark.parametrize(
    ("config", "argv", "merged"),
    [
        ({"interval": 5, "host": "a"}, ["--host", "b"], {"interval": 5, "host": "b"}),
        ({"sink": "webhook"}, [], {"sink": "webhook"}),
        ({"sink": {"type": "webhook", "url": "u"}}, ["--url", "v"], {"sink": {"type": "webhook", "url": "v"}}),
        ({"sink": {"type": "webhook", "url": "u"}}, ["--sink", "stdout"], {"sink": {"type": "stdout"}}),
        (
            {"sink": {"type": "kafka", "topic": "t", "settings": {"a": 1, "b": 2}}},
            ["--set", "b=3"],
            {"sink": {"type": "kafka", "topic": "t", "settings": {"a": 1, "b": "3"}}},
        ),
    ],
)
def test_the_command_line_comes_before_the_file(
    config: dict[str, Any], argv: list[str], merged: dict[str, Any]
) -> None:
    assert merge(config, given(*argv)) == merged


WRONG = [
    (["watch", "--interval", "0"], "interval is '0' and must be a number of at least 0.05"),
    (["watch", "--interval", "soon"], "interval is 'soon' and must be a number of at least 0.05"),
    (["watch", "--nonsense"], "Unrecognized arguments: --nonsense. See wirewatch watch --help"),
    (["watch", "--type", "nonsense"], "types has 'nonsense', which is no event type. There are: "),
    (["watch", "--initial", "later"], "initial is 'later'. There are: emit, skip, resume"),
    (["watch", "--initial", "resume"], "initial is resume, which needs state_file"),
    (["watch", "--state-file", "/s"], "state_file is set and initial is emit"),
    (["watch", "--name", "office"], "--name is 'office' and must be a public key, = and a value"),
    (["watch", "--timer", "slack"], "--timer must be a name, = and a value"),
    (["watch", "--expected-keepalive", "x"], "expected_keepalive is 'x' and must be a number"),
    (["watch", "--peer", "x"], "peers has 'x', which is no WireGuard public key"),
    (["watch", "--sink", "pigeon"], "sink is 'pigeon'. There are: stdout, webhook, kafka"),
    (["watch", "--sink", "webhook"], "The sink webhook needs url"),
    (["watch", "--sink", "kafka"], "The sink kafka needs topic"),
    (["watch", "--topic", "t"], "The sink stdout has no option topic. There are: pretty"),
    (
        ["watch", "--sink", "webhook", "--url", "u", "--timeout", "0"],
        "timeout is '0' and must be a number greater than 0",
    ),
    (["watch", "--sink", "webhook", "--url", "u"], "url is 'u' and must begin with https:// or http://"),
    (["watch", "--sink", "kafka", "--topic", "t", "--set", "x"], "--set must be a name, = and a value"),
    (["watch", "--config", "/nowhere/c"], "config is /nowhere/c, which can't be read: No such file or directory"),
    (["watch", "too-long-for-an-interface"], "an interface name has at most"),
    (["show", "--interval"], "Unrecognized arguments: --interval. See wirewatch show --help"),
    (["dance"], "Argument COMMAND: invalid choice: 'dance'"),
    ([], "The following arguments are required: COMMAND. See wirewatch --help"),
]


def test_arguments_can_be_checked_alone(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["watch", "--check", "wg0", "--sink", "kafka", "--topic", "t"]) == 0
    config = tmp_path / "config.json"
    config.write_text('{"intervall": 5}', encoding="utf-8")
    assert capfd.readouterr() == ("", "")
    assert main(["watch", "--check", "--config", str(config)]) == 2
    assert "There is no argument intervall" in capfd.readouterr().err


@pytest.mark.parametrize(("argv", "sentence"), WRONG)
def test_wrong_arguments_are_one_sentence_and_exit_2(
    argv: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("wirewatch: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "which is not JSON: "),
        ("[]", "which must hold one JSON object, of arguments by their names"),
        ('{"nonsense": 1}', "There is no argument nonsense. There are: interfaces, netns"),
        ('{"hosts": ["gw1"]}', "There is no argument hosts. There are: interfaces, netns"),
        ('{"sink": 5}', "sink is 5 and must be a name, or a dictionary with type and the options of that sink"),
        ('{"sink": {"pretty": 1}}', "pretty of the sink is 1 and must be true or false"),
        ('{"sink": {"type": "webhook", "url": true}}', "url of the sink is True and must be a text"),
        (
            '{"sink": {"type": "kafka", "topic": "t", "settings": 1}}',
            "settings of the sink is 1 and must be a dictionary",
        ),
    ],
)
def test_a_file_that_can_not_be(content: str, sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(content, encoding="ascii")
    assert main(["watch", "--config", str(path)]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err


def test_what_is_unexpected_is_said_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> None:
        raise RuntimeError("with a SECRET in it")

    monkeypatch.setattr(_publish_options, "check", fail)
    assert main(["watch"]) == 1
    assert capfd.readouterr() == ("", "wirewatch: Unexpected RuntimeError: please report it\n")


# --- the zip


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of this process stay its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*argv: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=60, check=False)


def test_the_zip_holds_the_code_as_it_is_and_is_the_same_each_time(zipapp: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipapp) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
        modules = {path.name: path for path in (CHECKOUT / "plugins/module_utils").glob("*.py")}
        del modules["_arguments.py"]
        made = {"__main__.py", "wirewatch/__init__.py", "wirewatch/VERSION"}
        assert names == made | {f"wirewatch/{name}" for name in modules}
        for name, path in modules.items():
            assert packed.read(f"wirewatch/{name}") == path.read_bytes()
    again = tmp_path / "again.pyz"
    assert run(CHECKOUT / "scripts/zipapp", again).returncode == 0
    assert again.read_bytes() == zipapp.read_bytes()


def test_the_zip_says_its_version_and_needs_no_more_than_python(zipapp: Path) -> None:
    (line,) = [line for line in (CHECKOUT / "galaxy.yml").read_text().splitlines() if line.startswith("version:")]
    for command in ([zipapp], [sys.executable, "-I", "-S", zipapp]):
        done = run(*command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"wirewatch {line.split()[1]}\n", "")


def test_help_has_every_option_and_exit_code(zipapp: Path) -> None:
    for command in ([], ["watch"], ["show"]):
        done = run(zipapp, *command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        for code in (_command.ENDED, _command.FAILED, _command.WRONG_ARGUMENTS, _command.REFUSED):
            assert f"\n  {code}  " in done.stdout


def test_a_closed_output_is_a_clean_end_from_the_start(zipapp: Path, tmp_path: Path) -> None:
    for command in ("watch wg9", "show wg9"):
        done = run("sh", "-c", f"{zipapp} {command} >&-")
        assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_ends_it(zipapp: Path) -> None:
    done = run("sh", "-c", f"{zipapp} watch wg9 --interval 0.05 --heartbeat 0.05 | head -n 1")
    assert (done.returncode, json.loads(done.stdout)["wireguard"]["type"]) == (0, "watch_degraded")
    assert done.stderr.count("\n") == 1 and "wg9" in done.stderr
