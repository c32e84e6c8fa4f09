# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may write into the options that wg_peer_watch alone has, checked as in ``_options.py``."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ._condition import Expected
from ._errors import InvalidArgument
from ._model import Device, pack_endpoint, parse_allowed_ip, parse_endpoint, unpack_endpoint
from ._restored import device_from_record


def expected(endpoint: Optional[str], allowed_ips: Optional[List[str]]) -> Expected:
    """The options ``endpoint`` (an address, or an address and a port) and ``allowed_ips``."""
    host: Optional[str] = None
    port: Optional[int] = None
    if endpoint is not None:
        try:
            host = unpack_endpoint(pack_endpoint(endpoint.strip("[]"), 0)).host  # in the one way of writing it
        except ValueError:
            try:
                host, port = unpack_endpoint(parse_endpoint(endpoint))
            except ValueError as error:
                raise InvalidArgument(
                    "endpoint is %r, which is neither an IP address nor an address and a port: %s. Host names are not "
                    "looked up: WireGuard keeps addresses" % (endpoint, error)
                ) from None
    packed = None
    if allowed_ips is not None:
        try:
            packed = tuple(sorted({parse_allowed_ip(text) for text in allowed_ips}))
        except ValueError as error:
            raise InvalidArgument("allowed_ips has a value that is no network: %s" % error) from None
    return Expected(host, port, packed)


def baseline(
    option: str, records: Optional[List[Dict[str, Any]]], interface: str, netns: Optional[str]
) -> Optional[Device]:
    """The device of that name among the ``devices`` of an earlier result; None where the option is left out."""
    if records is None:
        return None
    for record in records:
        if record.get("interface") == interface and record.get("netns") == netns:
            try:
                return device_from_record(record)
            except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
                raise InvalidArgument(
                    "%s has an entry for %s that is not of the shape that wg_device_info returns in devices: give it "
                    "whole, without peers or keys taken out" % (option, interface)
                ) from None
    there = ", ".join(str(record.get("interface")) for record in records) or "none"
    raise InvalidArgument(
        "%s has no device %s%s, so there is nothing to compare with. Its devices: %s"
        % (option, interface, " in network namespace %s" % netns if netns else "", there)
    )
