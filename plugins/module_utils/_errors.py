# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong while observing WireGuard: one hierarchy, and each message a sentence for the user.

The class says what a caller may do about it; the text says what failed, where, and what to do. No message ever holds
bytes of a reply, since a reply holds keys.
"""

from __future__ import annotations

import traceback
from typing import Optional


class WireGuardError(Exception):
    """Base of all errors of this collection."""


class InvalidArgument(WireGuardError):
    """The user asked for something that can't be: final, nothing was read."""


class MissingDependency(WireGuardError):
    """A Python library that the asked-for option needs is not there."""


class InterfaceGone(WireGuardError):
    """There is no such interface, or no daemon behind it. For a watcher this is a fact, not a fault."""


class Unreadable(WireGuardError):
    """The interface can't be read, and that says nothing about its peers: the last snapshot stands."""


class NotWireGuard(Unreadable):
    """The interface exists and is of another kind."""


class NoPrivilege(Unreadable):
    """CAP_NET_ADMIN is missing, or the socket of a daemon may not be opened."""


class NoKernelModule(Unreadable):
    """The kernel knows no generic netlink family ``wireguard``."""


class MissingNamespace(Unreadable):
    """The network namespace asked for does not exist now."""


class Temporary(Unreadable):
    """Worth trying again at once: time-out, busy, out of buffers, an interrupted dump."""


class Pending(Temporary):
    """The answer is still awaited. Not a fault yet: that is for the time-out to say."""


class MalformedReply(Unreadable):
    """The answer breaks its protocol. It is never decoded in part."""


def forget_variables(error: Optional[BaseException]) -> None:
    """Empties the frames that an error came through, and those of the errors it was raised in place of.

    Their variables hold the answer that was being read, and so keys: a debugger or an error tracker would show them, and
    they would stay for as long as anybody keeps the error. Where it was raised stays known.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
