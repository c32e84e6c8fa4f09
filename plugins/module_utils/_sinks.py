# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sink is: where events go. The one interface of all, and what can go wrong with them."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, Optional, Sequence

from ._errors import InvalidArgument, WireGuardError

Envelope = Dict[str, Any]  # {"meta": {"uuid": …}, "wireguard": {…}}

SHORTENED = "Allowed IPs are left out: with them the event is larger than the other side takes"
SECRET_LIMIT = 64 * 1024  # bytes of a file with a secret: more is another file


class SinkError(WireGuardError):
    """Not delivered, and trying again may help.

    ``confirmed``: how many events at the beginning were delivered nevertheless. ``pause``: seconds that the other side
    asked to be left alone for.
    """

    def __init__(self, sentence: str, confirmed: int = 0, pause: Optional[float] = None) -> None:
        super().__init__(sentence)
        self.confirmed = confirmed
        self.pause = pause


class SinkRefused(SinkError):
    """Not delivered, and trying again helps only after somebody acted: a wrong password, an unknown topic."""


class SinkTooLarge(SinkRefused):
    """Not delivered, since an event is larger than the other side takes: of those not confirmed the first, or a later one."""


class SinkClosed(SinkError):
    """Nobody reads on. No fault."""


class Sink:
    """Where events go. All calls but ``is_gone`` come from one thread."""

    name = ""  # as a sentence names it

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Delivers them in order; all are confirmed when it returns. SinkError."""
        raise NotImplementedError

    def is_gone(self) -> bool:
        """Whether nobody will ever read on, as far as that can be known without sending."""
        return False

    def close(self) -> None:
        """Nothing is sent any more."""


def shortened(envelope: Envelope) -> Envelope:
    """The envelope of an event that is too large: lists, which are of allowed IPs, are null, and ``reason`` says so."""
    event = {name: None if isinstance(value, list) else value for name, value in envelope["wireguard"].items()}
    if event["peer"] is not None:
        event["peer"] = dict(event["peer"], allowed_ips=None)
    return dict(envelope, wireguard=dict(event, reason=SHORTENED))


def is_shortened(envelope: Envelope) -> bool:
    return bool(envelope["wireguard"]["reason"] == SHORTENED)


def read_secret(option: str, path: str) -> str:
    """The one line that a file holds. InvalidArgument, which names the file and never what is in it."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(SECRET_LIMIT + 1)
    except OSError as error:
        raise InvalidArgument("%s is %s, which can't be read: %s" % (option, path, error.strerror)) from None
    # Not the group's: systemd hands credentials to a service through an ACL, which shows as those.
    if mode & stat.S_IRWXO:
        raise InvalidArgument(
            "%s is %s, which every user of this host may open (mode %04o), and it holds a secret: run chmod o= %s, and replace "
            "the secret if anybody else could have read it" % (option, path, stat.S_IMODE(mode), path)
        )
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or len(content) > SECRET_LIMIT:
        raise InvalidArgument("%s is %s, which must hold the secret alone, on one line of text" % (option, path))
    return text
