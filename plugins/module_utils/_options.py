# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may write into options, checked: each error says which option, what is wrong and what would be right."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional

from ._errors import InvalidArgument
from ._liveness import LivenessOptions, Timers
from ._model import decode_key

KEEPALIVE_MAX = 65535  # seconds, a 16-bit number in every implementation


def public_key(option: str, text: Any) -> bytes:
    try:
        return decode_key(text)
    except ValueError as error:
        raise InvalidArgument("%s has %r, which is no WireGuard public key: %s" % (option, text, error)) from None


def public_keys(option: str, texts: Optional[List[Any]]) -> Optional[List[bytes]]:
    """None where the option is left out; an empty list is an error."""
    if texts is None:
        return None
    if not isinstance(texts, list):
        raise InvalidArgument("%s must be a list of public keys" % option)
    if not texts:
        raise InvalidArgument("%s is an empty list: name at least one peer, or leave the option out for all" % option)
    return list(dict.fromkeys(public_key(option, text) for text in texts))


def names(option: str, mapping: Optional[Dict[Any, Any]]) -> Dict[bytes, str]:
    """Names of peers by public key."""
    if mapping is None:
        return {}
    if not isinstance(mapping, dict):
        raise InvalidArgument("%s must be a dictionary of public keys and names" % option)
    found = {}
    for key, name in mapping.items():
        try:
            peer = public_key(option, key)
        except InvalidArgument:
            if _is_key(name):
                raise InvalidArgument(
                    "%s has %r before its public key: the key comes first, and then the name" % (option, key)
                ) from None
            raise
        found[peer] = name if isinstance(name, str) else text("%s of %s" % (option, key), name)
    return found


def text(option: str, value: Any) -> str:
    """A text that is not empty. ansible-rulebook's templates make a number of one that looks so: a whole one is that text again; of
    any other the text is lost, as 1e5 is in 100000.0."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (bool, float)):
        raise InvalidArgument(
            "%s is %r and must be a text. Write it in quotes; where a template made that of a text, as ansible-rulebook's do, "
            'write "{{ … | string | tojson }}"' % (option, value)
        )
    if not isinstance(value, str) or not value:
        raise InvalidArgument("%s is %r and must be a text" % (option, value))
    return value


def _is_key(text: Any) -> bool:
    try:
        decode_key(text)
    except ValueError:
        return False
    return True


def number(option: str, value: Any, least: float, most: float = math.inf, above: bool = False) -> float:
    """A finite number of at least ``least`` (greater than it, with ``above``)."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if (
        isinstance(value, bool)
        or not math.isfinite(result)
        or result < least
        or result > most
        or (above and result == least)
    ):
        bound = "greater than %g" % least if above else "of at least %g" % least
        if most < math.inf:
            bound += " and at most %g" % most
        raise InvalidArgument("%s is %r and must be a number %s" % (option, value, bound))
    return result


def liveness(expected_keepalive: Any, given_timers: Any) -> LivenessOptions:
    """The options ``expected_keepalive`` (seconds, or a dictionary from public keys to seconds) and ``timers``."""
    name = "expected_keepalive"
    checked = timers("timers", given_timers)
    if not isinstance(expected_keepalive, dict):
        return LivenessOptions(keepalive(name, expected_keepalive), {}, checked)
    of_peers = {
        public_key(name, key): keepalive("%s of %s" % (name, key), seconds)
        for key, seconds in expected_keepalive.items()
    }
    return LivenessOptions(0, of_peers, checked)


def timers(option: str, given: Any) -> Timers:
    """Seconds by name; what is left out is WireGuard's own."""
    if given is None:
        return Timers()
    if not isinstance(given, dict):
        raise InvalidArgument("%s is %r and must be a dictionary of timers and seconds" % (option, given))
    for name in given:
        if name not in Timers._fields:
            raise InvalidArgument("%s has %r. There are: %s" % (option, name, ", ".join(Timers._fields)))
    return Timers(**{name: number("%s.%s" % (option, name), seconds, 0) for name, seconds in given.items()})


def keepalive(option: str, value: Any) -> int:
    """Seconds; 0 for None."""
    if value is None:
        return 0
    seconds = number(option, value, 0, KEEPALIVE_MAX)
    if seconds != int(seconds):
        raise InvalidArgument("%s is %r and must be a whole number of seconds" % (option, value))
    return int(seconds)
