# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real systemd with the publisher's service as the role installs it: process 1 of namespaces of its own in the virtual machine.

The role runs on the host, since under emulation it takes minutes, and writes what it writes into a folder, as for an image. The
machine's own files with those on top are the root of that systemd. Of units it has the service's alone, and the targets that all
services wait for, empty: it is up within seconds.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from lab import Ansible, wait_for
from lab.commands import run, tool
from lab.private import write_private

# In the guest: the folder that the role wrote into.
VARIABLE = "WW_PUBLISHER"
UNIT = "wirewatch-publisher.service"
INTERFACE = "wg0"
PORT = 8480  # of the machine's loopback, where the webhook is
PATIENCE = 120.0  # seconds; under emulation all takes twenty times as long

# Mounts what a container has (systemd.io, CONTAINER_INTERFACE), and becomes its systemd. Mounts have to be shared: those of
# credentials come from a namespace of their own.
_BOOT = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {root}/run
mount -t tmpfs tmpfs {root}/tmp
mount -t proc proc {root}/proc
mount -t sysfs sysfs {root}/sys
mount -t cgroup2 cgroup2 {root}/sys/fs/cgroup
mount --rbind /dev {root}/dev
mount -t tmpfs tmpfs {root}/etc/systemd/system
cp -r {units}/. {root}/etc/systemd/system
mkdir {root}/run/before
cd {root}
pivot_root . run/before
umount -l /run/before
mount --make-rshared /
exec env -i container=wirewatch PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system \\
    SYSTEMD_GENERATOR_PATH=/nowhere /lib/systemd/systemd --unit=multi-user.target --show-status=no --log-target=console
"""
_TARGETS = ("basic", "multi-user", "network-online", "shutdown", "sysinit", "umount")
_TARGET = "[Unit]\nDescription=Nothing\nDefaultDependencies=no\n"
# There is no journal.
_LOG = "/var/log/wirewatch-publisher"
_LOGGED = f"[Service]\nStandardError=append:{_LOG}\n"


def run_role(collections_path: Path, folder: Path) -> Path:
    """On the host: a folder with what the role installs, its events going to a webhook that wants a token."""
    root = folder / "root"
    options = {
        "root": str(root),
        "config": {"interfaces": [INTERFACE], "interval": 0.5},
        "sink": {
            "type": "webhook",
            "url": f"http://127.0.0.1:{PORT}/",
            "token_file": f"/run/credentials/{UNIT}/token",
        },
        "secrets": {"token": secrets.token_hex(16)},
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "roles": ["wirewatch.wireguard.event_publisher"],
        "vars": {f"event_publisher_{name}": value for name, value in options.items()},
    }
    playbook = write_private(folder / "role.yml", yaml.safe_dump([play]))
    inventory = folder / "inventory"
    inventory.write_text("localhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n")
    with Ansible(collections_path, folder).playbook(playbook, inventory) as running:
        running.succeed(PATIENCE)
    return root


class Systemd:
    """One that runs."""

    def __init__(self, pid: int, root: Path) -> None:
        self._pid = pid
        self._root = root
        written = Path(os.environ[VARIABLE], "etc/wirewatch/credentials/token")
        self.token = written.read_text(encoding="ascii").strip()

    def run(self, *command: str) -> str:
        """What a command prints there."""
        argv = ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--cgroup", *command]
        return run(argv, timeout=PATIENCE, check=False).stdout.strip()

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.run("systemctl", "show", "--value", f"--property={name}", UNIT)

    @property
    def log(self) -> str:
        """What the service said on its standard error."""
        path = Path(f"{self._root}{_LOG}")
        return path.read_text(encoding="utf-8") if path.exists() else ""


@contextmanager
def systemd(units: Path) -> Iterator[Systemd]:
    """In the guest: boots one. `units` is an empty folder, for its units."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    run(["mount", "-t", "tmpfs", "tmpfs", str(place)])
    root, group = place / "root", Path("/sys/fs/cgroup/wirewatch")
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    files = os.environ[VARIABLE]
    shutil.copytree(files, place / "upper", dirs_exist_ok=True)
    shutil.copy(Path(files, "etc/systemd/system", UNIT), units)
    (units / f"{UNIT}.d").mkdir()
    (units / f"{UNIT}.d/log.conf").write_text(_LOGGED, encoding="ascii")
    for target in _TARGETS:
        (units / f"{target}.target").write_text(_TARGET, encoding="ascii")
    layers = f"lowerdir=/,upperdir={place}/upper,workdir={place}/work"
    run(["modprobe", "overlay"])
    run(["mount", "-t", "overlay", "overlay", "-o", layers, str(root)])
    (group.parent / "cgroup.subtree_control").write_text("+cpu +memory +pids", encoding="ascii")
    group.mkdir()

    boot = _BOOT.format(root=root, units=units)
    # In the group is process 1 alone: a group with groups below it may have no processes of its own, and others can't be moved.
    enter = f'echo 0 >{group}/cgroup.procs; exec unshare --cgroup sh -c "$0"'
    command = [tool("unshare"), "--pid", "--fork", "--mount", "--kill-child", "sh", "-c", enter, boot]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            pid = wait_for(lambda: children.read_text(encoding="ascii").split(), PATIENCE, "a first process")[0]
            made = Systemd(int(pid), root)
            wait_for(lambda: made.run("systemctl", "is-system-running") == "running", PATIENCE, "systemd to be up")
            yield made
        finally:
            process.kill()  # and with it all processes there
    for folder in (root, place):
        run(["umount", "--lazy", str(folder)])  # its last processes may still be about to go
