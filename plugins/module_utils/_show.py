# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device as ``wg show`` prints it, with the state of each peer and never a secret."""

from __future__ import annotations

from typing import Iterator

from ._record import Record
from ._words import amount, duration, plain


def device_text(record: Record) -> str:
    """Of what ``_record.device_record`` gives; lines, without the last one's end."""
    blocks = ["\n".join(_interface(record))] + ["\n".join(_peer(peer)) for peer in record["peers"]]
    return "\n\n".join(blocks)


def _interface(record: Record) -> Iterator[str]:
    place = " (namespace %s)" % record["netns"] if record["netns"] is not None else ""
    yield plain("interface: %s%s" % (record["interface"], place))
    if record["public_key"] is not None:
        yield "  public key: %s" % record["public_key"]
        yield "  private key: (hidden)"
    if record["listen_port"]:
        yield "  listening port: %d" % record["listen_port"]
    if record["fwmark"]:
        yield "  fwmark: 0x%x" % record["fwmark"]
    if record["up"] is not None:
        yield "  link: %s" % ("up" if record["up"] else "down")


def _peer(peer: Record) -> Iterator[str]:
    yield "peer: %s" % peer["public_key"]
    if peer["name"] is not None:
        yield plain("  name: %s" % peer["name"])
    yield "  state: %s" % peer["state"]
    if peer["has_preshared_key"]:
        yield "  preshared key: (hidden)"
    if peer["endpoint"] is not None:
        yield "  endpoint: %s" % peer["endpoint"]
    yield "  allowed ips: %s" % (", ".join(peer["allowed_ips"]) or "(none)")
    if peer["last_handshake_age"] is not None:
        yield "  latest handshake: %s ago" % duration(peer["last_handshake_age"])
    if peer["rx_bytes"] or peer["tx_bytes"]:
        yield "  transfer: %s received, %s sent" % (amount(peer["rx_bytes"]), amount(peer["tx_bytes"]))
    if peer["persistent_keepalive"]:
        yield "  persistent keepalive: every %s" % duration(peer["persistent_keepalive"])
