# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard keys for test networks, and the list of secrets that no output may show."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .commands import run

# A test run that sets this greps everything it printed and wrote for the lines of that file.
SECRETS_FILE_VARIABLE = "WW_SECRETS_FILE"


@dataclass(frozen=True)
class KeyPair:
    """A private key and its public key, both base64. The private key is not in the repr: tracebacks are output too."""

    public: str
    private: str = field(repr=False)


def generate_keys() -> KeyPair:
    """A new key pair. The private key goes through pipes only: never argv, never a file but the list of secrets."""
    private = run(["wg", "genkey"]).stdout.strip()
    _remember_secret(private)
    return KeyPair(public=run(["wg", "pubkey"], stdin=private).stdout.strip(), private=private)


def generate_preshared_key() -> str:
    """A new preshared key, base64."""
    preshared = run(["wg", "genpsk"]).stdout.strip()
    _remember_secret(preshared)
    return preshared


def _remember_secret(secret: str) -> None:
    path = os.environ.get(SECRETS_FILE_VARIABLE)
    if not path:
        return
    # O_APPEND and one write: test processes that run side by side share the file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (secret + "\n").encode())
    finally:
        os.close(descriptor)
