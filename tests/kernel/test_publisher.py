# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publisher as the service runs it: a user without rights, and the one capability that the unit grants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lab import Network, wait_for
from lab.commands import tool

PATIENCE = 120.0  # seconds; under emulation all takes twenty times as long
NOBODY = "65534"


@pytest.mark.parametrize("capabilities", ["+net_admin", ""], ids=["granted", "not granted"])
def test_the_service_needs_the_capability_that_its_unit_grants_and_no_more(
    network: Network, zipapp: Path, tmp_path: Path, capabilities: str
) -> None:
    interface = network.host("hub", "192.0.2.1").wireguard()
    # Where everybody may come: the run's own folder is root's alone.
    program = Path("/tmp", f"ww-{network.run_id}.pyz")
    shutil.copy(zipapp, program)
    output = tmp_path / "output"
    privileges = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    privileges += [f"--bounding-set=-all{',' if capabilities else ''}{capabilities}"]
    if capabilities:
        privileges += [f"--inh-caps=-all,{capabilities}", f"--ambient-caps=-all,{capabilities}"]
    command = [tool("ip"), "netns", "exec", interface.host.namespace, tool("setpriv"), *privileges]
    command += ["/usr/bin/python3", str(program), "watch", interface.name, "--interval", "0.2"]
    try:
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, cwd="/", env={"PATH": os.defpath})
        try:

            def first() -> str:
                return output.read_text(encoding="utf-8").partition("\n")[0]

            wait_for(first, PATIENCE, "the first event")
            event = json.loads(first())["wireguard"]
            if capabilities:
                assert (event["type"], event["interface"]) == ("interface_added", interface.name)
            else:
                assert event["type"] == "watch_degraded"
                assert "CAP_NET_ADMIN" in event["reason"]
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            (effective,) = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
            assert int(effective, 16) == (1 << 12 if capabilities else 0), "CAP_NET_ADMIN, and nothing else"
        finally:
            process.terminate()
            process.wait(PATIENCE)
    finally:
        program.unlink()
