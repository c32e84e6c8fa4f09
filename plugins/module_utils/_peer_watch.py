# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of wg_peer_watch: its options made into a wait, and the wait's outcome made into a result."""

from __future__ import annotations

import platform
from typing import Any, Dict

from . import _handover, _options, _wait_options
from ._clock import Clock
from ._discovery import check_interfaces, is_glob
from ._errors import InterfaceGone, InvalidArgument
from ._following import FOLLOWING
from ._gather import with_existing
from ._netns import Namespace
from ._reader import InterfaceReader
from ._wait import Wait, WaitOptions


def watch_peers(params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    """What wg_peer_watch returns, with a true ``failed`` where the condition did not come true.

    Where a slice was asked for after which the wait goes on, it has the key ``_handover.ENTRY``, and has not failed.
    """
    (interface,) = check_interfaces([params["interface"]], "interface")
    if is_glob(interface):
        raise InvalidArgument("interface is %r, and one wait is about one interface: name it" % interface)
    peers = _options.public_keys("peers", params["peers"])
    timeout, delay = _options.number("timeout", params["timeout"], 0), _options.number("delay", params["delay"], 0)
    options = WaitOptions(
        condition=params["condition"],
        expected=_wait_options.expected(params["endpoint"], params["allowed_ips"]),
        peers=None if peers is None else tuple(peers),
        match_all=params["match"] == "all",
        timeout=0 if check_mode else timeout,
        delay=0 if check_mode else delay,
        interval=_options.number("sleep", params["sleep"], 0, above=True),
        liveness=_options.liveness(params["expected_keepalive"], params["timers"]),
        host=platform.node(),
        names=_options.names("names", params["names"]),
    )
    records, part = _handover.asked_for(params["baseline"])
    baseline = _wait_options.baseline("baseline", records, interface, params["netns"])
    namespace = Namespace(params["netns"])
    reader = InterfaceReader(namespace, interface, params["backend"], ways=FOLLOWING)
    try:
        outcome = Wait(reader, options, baseline, Clock()).run(part)
    except InterfaceGone as error:
        raise InterfaceGone(with_existing(str(error), namespace, params["backend"])) from None
    finally:
        reader.close()
        namespace.close()
    result = outcome.result
    if outcome.handed_on is not None:
        result[_handover.ENTRY] = outcome.handed_on
    elif check_mode:
        held = "holds" if outcome.satisfied else "does not hold yet"
        result["msg"] = "Check mode: looked once and did not wait; the condition %s" % held
    elif not outcome.satisfied:
        result.update(failed=True, reason=outcome.reason, msg=params["msg"] or outcome.reason)
    return result
