# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine with WireGuard in its kernel, for hosts that have none: virtme-ng boots the distribution's kernel.

The guest sees the host's files, read-only but for the folders named, so it runs the same tests in the same environment.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

KERNEL = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch", "kernel")
TIMEOUT = 40 * 60  # seconds; emulated, Python runs some 20 times slower, and all tests take some eight minutes
TIMEOUT_FULL = 4 * 3600


class GuestFailed(Exception):
    """The guest did not boot or did not end; the message holds the end of its console."""


def run(
    script: str,
    folder: Path,
    writable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Runs a shell script as root in a fresh guest. What it prints goes to `folder`/console.log.

    `folder` and `writable` are what the guest may write to; `timeout` is in seconds.
    """
    (image,) = (KERNEL / "boot").glob("vmlinuz-*")
    variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (environment or {}).items())
    guest_script = folder / "guest.sh"
    guest_script.write_text(f"set -e\n{variables}modprobe -a wireguard tun\n{script}\n", encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("vng")),
        "--run",
        str(image),
        "--disable-kvm",
        "--force-9p",
        "--verbose",
    ]
    command += ["--cpus", "1", "--memory", "3G"]
    command += [f"--rwdir={path}" for path in (folder, *writable)]
    console = folder / "console.log"
    with console.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--", f"bash {shlex.quote(str(guest_script))}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GuestFailed(f"The guest did not end within {timeout:g} s.\n{tail(console)}") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def tail(console: Path, lines: int = 60) -> str:
    """The end of what a guest printed."""
    text = console.read_text(encoding="utf-8", errors="replace") if console.exists() else "(no console)"
    return "\n".join(text.splitlines()[-lines:])
