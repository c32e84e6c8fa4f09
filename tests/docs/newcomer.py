# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer's machine: the commands and the collection in the home of somebody who has nothing else.

It is this machine, seen from namespaces of its own: /home holds one user, there is no network, no named network namespace, and no
WireGuard interface until one is made. So what is printed there has no path and no name of this machine in it. When the command
ends, all of it is gone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.commands import tool

HOME = "/home/anna"
COLLECTION = f"{HOME}/.ansible/collections/ansible_collections/wirewatch/wireguard"
USER, ROOT = "$", "#"  # the prompts of who runs a command
USER_ID = 54321
PATIENCE = 120.0  # seconds

# An interface of a daemon, as a service of the system would have made it.
WITH_WG0 = (
    "LOG_LEVEL=silent wireguard-go --foreground wg0 >/dev/null 2>&1 &\n"
    "until [ -S /run/wireguard/wg0.sock ]; do sleep 0.05; done"
)


def without(library: str) -> str:
    """As good as not installed, for every Python."""
    folder = f"{HOME}/without"
    return f"export PYTHONPATH={folder}; mkdir -p {folder}; echo 'raise ImportError' >{folder}/{library}.py"


def file(name: str, text: str) -> str:
    return f"cat >{HOME}/{name} <<'END'\n{text.rstrip()}\nEND"


# $1 is the virtual environment, $2 the installed collection, $3 wirewatch.pyz, $4 the callbacks of the lab, $5 what is to be there,
# $6 the command, $7 who runs it.
MACHINE = f"""
set -e
stage=/mnt
mount -t tmpfs -o mode=755 tmpfs $stage
mkdir $stage/environment
mount --bind "$1" $stage/environment
cp -r "$2" $stage/collections
cp -r "$4" $stage/callbacks
cp "$3" $stage/wirewatch.pyz
chmod -R a+rX $stage/collections $stage/callbacks $stage/wirewatch.pyz
for folder in /home /root; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p {HOME}/ansible {HOME}/.ansible {HOME}/bin /run/netns /run/wireguard
mount --bind $stage/environment {HOME}/ansible
cp -r $stage/collections {HOME}/.ansible
cp -r $stage/callbacks {HOME}/.callbacks
cp $stage/wirewatch.pyz {HOME}
umount $stage/environment $stage
for name in ansible ansible-doc ansible-galaxy ansible-playbook ansible-rulebook; do
    printf '#!/bin/sh\\nexec {HOME}/ansible/bin/python3 {HOME}/ansible/bin/%s "$@"\\n' $name >{HOME}/bin/$name
done
chmod 755 {HOME}/bin/*
mount -t tmpfs -o mode=1777 tmpfs /tmp
for folder in /run/netns /run/wireguard; do mount -t tmpfs -o mode=755 tmpfs $folder; done
{{ cat /etc/passwd; echo anna:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh; }} >/home/.passwd
chmod 644 /home/.passwd
mount --bind /home/.passwd /etc/passwd
printf '127.0.0.1 localhost gw1\\n' >/home/.hosts
mount --bind /home/.hosts /etc/hosts
hostname gw1
ip link set lo up
export PATH={HOME}/bin:$PATH
cd {HOME}
eval "$5"
chown anna {HOME} {HOME}/.ansible
# This shell stays, the first process of its namespace: when it is killed, so is all in it. To be killed with unshare is a wish that
# a process forgets when it becomes another user.
set +e
if [ "$7" = '{ROOT}' ]; then sh -c "$6"; else setpriv --reuid={USER_ID} --regid={USER_ID} --clear-groups sh -c "$6"; fi
exit $?
"""
NAMESPACES = ("--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Machine:
    """`collections` is the collection as installed; the commands of Ansible are those of the running Python's environment."""

    collections: Path
    zipapp: Path

    def run(self, command: str, prompt: str = USER, there: Sequence[str] = (), until: str | None = None) -> str:
        """What a command prints, on both streams. `there`: shell commands of root, before it, that make what is to be there.

        `until`: text after whose line the command is ended, for one that goes on for ever.
        """
        callbacks = Path(__file__).resolve().parents[1] / "lab/callback_plugins"
        paths = [str(path) for path in (Path(sys.prefix), self.collections, self.zipapp, callbacks)]
        lines = []
        with subprocess.Popen(
            [
                tool("unshare"),
                *NAMESPACES,
                "bash",
                "-c",
                MACHINE,
                "newcomer",
                *paths,
                "\n".join(there),
                command,
                prompt,
            ],
            env={
                "HOME": HOME,
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
        ) as process:
            overdue = threading.Timer(PATIENCE, process.kill)
            overdue.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line.decode(errors="replace").rstrip())
                    if until is not None and until in lines[-1]:
                        break
            finally:
                process.kill()  # and with it all that runs in its namespaces
                overdue.cancel()
        return "\n".join(lines).rstrip()
