# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo tells its whole story, says where it fails, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docs import demo_picture
from lab import traces, wait_for

ROOT = Path(__file__).resolve().parents[2]

# seconds; what the README promises who watches
PROMISED = 90


class Demo:
    """A running demo that has a temporary folder and a home of its own, so that it shows what it leaves there."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.temporary, self.home, self._log = folder / "tmp", folder / "home", folder / "log"
        self.temporary.mkdir()
        self.home.mkdir()
        environment = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]),
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-B", "-m", "demo", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def begun(self) -> None:
        """Wait until it has built its network, and remember the network's run id."""
        folders = wait_for(lambda: list(self.temporary.glob("ww-????")), PROMISED, "the demo to begin")
        self.run_id = folders[0].name.removeprefix("ww-")

    def leftovers(self) -> list[str]:
        files = [str(path) for folder in (self.temporary, self.home) for path in folder.rglob("*")]
        return traces(self.run_id) + files


@pytest.fixture
def demo(tmp_path):
    @contextmanager
    def start(*options: str) -> Iterator[Demo]:
        running = Demo(tmp_path, *options)
        try:
            yield running
        finally:
            running.process.terminate()
            running.process.wait(30)

    return start


def test_the_whole_story(demo, secrets_file):
    with demo() as story:
        story.begun()
        assert story.process.wait(PROMISED) == 0, story.output
    for row in (
        "first handshakes of east and west  wg_peer_watch let the playbook go on",
        "east moved to 198.51.100.4         wg_peer_watch with a baseline saw it",
        "west was taken off the hub         wg_events told the rulebook",
        "the playbook put it back",
        "west shook hands with the hub again",
        "Nothing is left behind",
    ):
        assert row in story.output
    assert "\033" not in story.output, "colour is for terminals"
    leaked = any(secret in story.output for secret in secrets_file.read_text().split())
    assert not leaked
    assert story.leftovers() == []
    # A picture of another story is drawn anew by scripts/test tests/docs -k picture --rewrite-docs.
    assert demo_picture.shape(story.output) == demo_picture.shape(demo_picture.shown())


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", ["ok   2", "ok   8"], ids=["in a playbook", "in the rulebook's playbook"])
def test_interrupted_it_leaves_nothing_behind(demo, ending, status, moment):
    with demo() as story:
        story.begun()
        wait_for(lambda: moment in story.output, PROMISED, f"the demo to say '{moment}'")
        # To the whole group, as a terminal does, and twice, as an impatient user does.
        os.killpg(story.process.pid, ending)
        os.killpg(story.process.pid, ending)
        assert story.process.wait(30) == status, story.output
    assert ending.name in story.output
    assert "Traceback" not in story.output
    assert story.leftovers() == []


def test_interrupted_while_the_collection_is_built_it_leaves_nothing_behind(demo):
    with demo() as story:
        wait_for(lambda: list(story.temporary.glob("ww-demo-*")), PROMISED, "the demo to begin")
        os.killpg(story.process.pid, signal.SIGTERM)
        assert story.process.wait(30) == 143, story.output
    assert list(story.temporary.rglob("*")) + list(story.home.rglob("*")) == []


def test_a_step_that_fails_is_named_with_its_output(demo, tmp_path):
    with demo("--collections", str(tmp_path / "nothing")) as story:
        story.begun()
        assert story.process.wait(PROMISED) == 1
    assert "no   2  Ask who is connected: failed" in story.output
    assert "ansible-playbook ended with status" in story.output
    assert "wirewatch.wireguard.wg_device_info" in story.output, "the output of what failed is shown"
    assert "Traceback" not in story.output
    assert story.leftovers() == []
