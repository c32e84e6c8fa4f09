# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which WireGuard interfaces there are, in which namespace, on which backend."""

from __future__ import annotations

import fnmatch
import os
import stat
from typing import Dict, Iterable, List, Optional, Sequence

from ._errors import InvalidArgument, Temporary
from ._links import RouteNetlink
from ._model import KERNEL, USERSPACE
from ._netlink import repeated
from ._netns import Namespace, named_namespaces
from ._reader import AUTO
from ._userspace import SOCKET_DIRECTORY, socket_path

NAME_LENGTH = 15  # characters: IFNAMSIZ less the zero byte (linux/if.h)
MOST_NAMED = 5  # namespaces in one sentence: who runs containers may have hundreds
GLOB_CHARACTERS = frozenset("*?[")


def is_glob(pattern: str) -> bool:
    return not GLOB_CHARACTERS.isdisjoint(pattern)


def check_interfaces(interfaces: Optional[Sequence[str]], option: str = "interfaces") -> List[str]:
    """The names and globs as given, ``["*"]`` for None. InvalidArgument names the one that can't be."""
    if interfaces is None:
        return ["*"]
    if not interfaces:
        raise InvalidArgument(
            "%s is an empty list, so there is nothing to look at: name at least one interface, or leave the option out "
            "for all of them" % option
        )
    for name in interfaces:
        if not isinstance(name, str) or not name.strip():
            raise InvalidArgument("%s has %r, which is no interface name" % (option, name))
        if is_glob(name):
            continue
        if len(name.encode()) > NAME_LENGTH:
            raise InvalidArgument(
                "%s has %r with %d characters; an interface name has at most %d"
                % (option, name, len(name.encode()), NAME_LENGTH)
            )
        if "/" in name or any(character.isspace() for character in name) or name in (".", ".."):
            raise InvalidArgument("%s has %r; an interface name has no white space and no slash" % (option, name))
    return list(interfaces)


def find(namespace: Namespace, backend: str = AUTO, directory: str = SOCKET_DIRECTORY) -> List[str]:
    """Names of the WireGuard interfaces of a namespace, sorted. Whether one can be read shows when it is read.

    MissingDependency without pyroute2 for another namespace than the caller's.
    """
    namespace.check()
    found = set()
    if backend in (AUTO, KERNEL):
        found.update(kernel_interfaces(namespace))
    if backend in (AUTO, USERSPACE):
        found.update(userspace_interfaces(namespace, directory))
    return sorted(found)


def kernel_interfaces(namespace: Namespace) -> List[str]:
    """Links of kind wireguard. Anybody may list them; Temporary, or MalformedReply, where that goes wrong all the same."""

    def list_them() -> List[str]:
        netlink = namespace.run(RouteNetlink.open)
        try:
            return netlink.wireguard_links()
        finally:
            netlink.close()

    try:
        return repeated(list_them, "the links%s" % namespace)
    except OSError as error:
        raise Temporary(
            "The links%s can't be listed: the kernel answers %s" % (namespace, error.strerror or error)
        ) from None


def userspace_interfaces(namespace: Namespace, directory: str = SOCKET_DIRECTORY) -> List[str]:
    """Names with a daemon's socket and a link in the namespace: the sockets of all namespaces share one directory."""
    try:
        names = [entry[: -len(".sock")] for entry in os.listdir(directory) if entry.endswith(".sock")]
    except OSError:
        return []
    return sorted(
        name for name in names if _is_socket(socket_path(name, directory)) and namespace.link(name)[0] is not None
    )


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def match(patterns: Iterable[str], found: Iterable[str]) -> List[str]:
    """Names in the order of the patterns, those of one glob by name; a plain name stands whether it was found or not."""
    found = sorted(found)
    chosen: Dict[str, None] = {}
    for pattern in patterns:
        names = fnmatch.filter(found, pattern) if is_glob(pattern) else [pattern]
        chosen.update(dict.fromkeys(names))
    return list(chosen)


def nothing_found(netns: Sequence[Optional[str]], patterns: Sequence[str]) -> str:
    """What to tell who looked and found nothing: an empty answer says neither where that was nor what to do."""
    here = " or ".join("here" if name is None else "in network namespace %s" % name for name in netns)
    wanted = "" if "*" in patterns else " that matches %s" % ", ".join(patterns)
    others = [name for name in named_namespaces() if name not in netns]
    if len(others) > MOST_NAMED:
        others = [*others[:MOST_NAMED], "…"]
    return (
        "There is no WireGuard interface %s%s. Bring one up (wg-quick up NAME), or give netns where it is in another network "
        "namespace%s" % (here, wanted, " (named ones: %s)" % ", ".join(others) if others else "")
    )
