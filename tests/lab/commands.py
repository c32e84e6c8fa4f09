# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the system's tools, and waiting for facts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Callable, TypeVar

T = TypeVar("T")

# The system's tools live in /usr/sbin, which is not on the PATH of every shell, cron job or CI runner.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])

# The Debian and Ubuntu package of each tool, for the sentence about a missing one.
PACKAGES = {
    "java": "openjdk-17-jre-headless",
    "ip": "iproute2",
    "msmtp": "msmtp",
    "ping": "iputils-ping",
    "sshd": "openssh-server",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
}

NOT_PERMITTED = (
    "Networks of namespaces need root with CAP_NET_ADMIN and CAP_SYS_ADMIN: a container must be started with --privileged, or with "
    "--cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt apparmor=unconfined --device /dev/net/tun"
)

# seconds; none of the tools takes one on an idle machine
COMMAND_TIMEOUT = 30.0


class LabError(Exception):
    """The test network could not be built or used; the text says what failed and what to do."""


class LabTimeout(LabError):
    """A fact that was waited for did not come true in time."""


def tool(name: str) -> str:
    """The path of one of the system's tools, or a LabError that names the package to install."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise LabError(f"The command {name} is missing. Install it with: apt-get install {PACKAGES.get(name, name)}")
    return path


def run(
    argv: Sequence[str], *, stdin: str = "", check: bool = True, timeout: float = COMMAND_TIMEOUT
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end. What goes to `stdin` may be a secret: it is in no error text."""
    try:
        done = subprocess.run(
            [tool(argv[0]), *argv[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            start_new_session=True,  # Ctrl-C on the terminal is not for a tool that cleans up
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"The command '{' '.join(argv)}' did not end within {timeout:g} seconds.") from None
    if check and done.returncode != 0:
        complaint = done.stderr.strip() or done.stdout.strip() or "it printed nothing"
        if complaint.endswith("not permitted"):
            complaint += f". {NOT_PERMITTED}"
        raise LabError(f"The command '{' '.join(argv)}' ended with status {done.returncode}: {complaint}")
    return done


def wait_for(predicate: Callable[[], T | None], timeout: float, what: str, interval: float = 0.05) -> T:
    """Poll until `predicate()` is true and return its value; LabTimeout says `what` did not come.

    The predicate is asked once more at the deadline, so a slow machine gets the whole time.
    """
    deadline = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= deadline
        value = predicate()
        if value:
            return value
        if last:
            raise LabTimeout(f"Waited {timeout:g} seconds for {what}, in vain.")
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())))


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started: politely, and after two seconds for good."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
