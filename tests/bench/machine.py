# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where benchmarks run: this machine, described, and a kernel with WireGuard, its own or one in user mode."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import Network

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch")
USER_MODE_KERNEL = CACHE / "user-mode" / "linux"
TIMEOUT = 60 * 60  # seconds for everything that is measured in one kernel
MEMORY = "3G"


class NoResult(Exception):
    """What was to be measured ended otherwise; the message holds the end of what it printed."""


def has_wireguard() -> bool:
    """Whether this kernel has WireGuard of its own."""
    with Network() as scratch:
        return scratch.backend == "kernel"


def description(native: bool) -> list[str]:
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory = int(next(line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))) >> 20
    system = next(
        (line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if "PRETTY_NAME" in line), ""
    )
    kernel = f"Linux {platform.release()}"
    if not native:
        kernel += (
            ", which has no WireGuard: kernel figures are of a user-mode kernel built from Debian's source, which writes "
            "netlink attributes as that of such a machine does, without padding"
        )
    return [
        f"CPU: {cpu}, {os.cpu_count()} cores",
        f"Memory: {memory} GiB",
        f"System: {system}, {kernel}",
        f"Python: {platform.python_version()}",
    ]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def run_natively(command: Sequence[str], environment: dict[str, str]) -> None:
    """In a network namespace that goes with it."""
    done = subprocess.run(
        ["unshare", "--net", *command], env={**os.environ, **environment}, timeout=TIMEOUT, check=False
    )
    if done.returncode:
        raise NoResult(f"It ended with status {done.returncode}.")


def run_in_user_mode(command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
    """In a user-mode kernel that sees this machine's files; what the command prints goes to `folder`/output.

    On one core of this machine. The kernel and what runs in it are processes that take turns, and a turn costs three times as
    much where the two are on different cores: which of the measured ones are would be luck, that lasts as long as they do.
    """
    ended = f"ended-{secrets.token_hex(4)}"
    variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    script = folder / "init"
    script.write_text(
        "#!/bin/bash\nmount -t proc proc /proc\nmount -t sysfs sysfs /sys\nmount -t tmpfs tmpfs /run\nip link set lo up\n"
        f"{variables}{shlex.join(command)} >{folder}/output 2>&1 </dev/null && touch {folder}/{ended}\n"
        # Without an init there is nobody to ask for the end but the kernel itself (LINUX_REBOOT_CMD_POWER_OFF).
        "python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    options = [
        f"mem={MEMORY}",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        f"init={script}",
        "con=null",
        "con0=null,fd:1",  # where it says why it could not start
    ]
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0))), str(USER_MODE_KERNEL), *options],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
        try:
            process.wait(TIMEOUT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if not (folder / ended).exists():
        said = [line for name in ("console", "output") for line in _lines(str(folder / name))[-60:]]
        raise NoResult("The measurement in the user-mode kernel did not end well.\n" + "\n".join(said))
