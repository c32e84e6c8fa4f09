# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of an authority that exists for one test: a broker's and a client's, made by openssl(1)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from .commands import tool

PASSWORD = "changeit"  # of the keystore


class Certificates(NamedTuple):
    """Paths of files."""

    authority: Path
    keystore: Path  # PKCS 12: the certificate and the key of a broker on 127.0.0.1
    client: Path
    client_key: Path


def certificates(folder: Path) -> Certificates:
    folder.mkdir()
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="ascii")
    sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout broker.key -out broker.csr",
        f"x509 -req -in broker.csr {sign} -extfile names -out broker.pem",
        f"pkcs12 -export -in broker.pem -inkey broker.key -certfile ca.pem -passout pass:{PASSWORD} -out broker.p12",
        "req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr",
        f"x509 -req -in client.csr {sign} -out client.pem",
    ):
        subprocess.run([tool("openssl"), *command.split()], cwd=folder, check=True, capture_output=True)
    return Certificates(*(folder / name for name in ("ca.pem", "broker.p12", "client.pem", "client.key")))
