# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway authority of certificates, and what it signed."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

KEYSTORE_PASSWORD = "changeit"


class Authority:
    """Signs what it is asked to, into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wirewatch test authority")])
        self._public_key = self._key.public_key()
        certificate = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        # Python 3.13 and later want these of an authority, and of what it signs that it says by which key.
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
        )
        usage.update(dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False))
        certificate = certificate.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._public_key)
        self._certificate = self._signed(certificate.add_extension(identifier, False))
        self.path = self._write("ca.pem", self._certificate)

    def sign(self, name: str, address: str, days: int = 1) -> tuple[str, str]:
        """The paths of a certificate for an IP address and of its key. It expires after so many days."""
        certificate, key = self._issue(name, address, days)
        path = self._folder / f"{name}.key"
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        return self._write(f"{name}.pem", certificate), str(path)

    def keystore(self, name: str, address: str) -> Path:
        """Both as Java wants them, in PKCS 12."""
        certificate, key = self._issue(name, address)
        secret = serialization.BestAvailableEncryption(KEYSTORE_PASSWORD.encode())
        path = self._folder / f"{name}.p12"
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [self._certificate], secret)
        )
        return path

    def _issue(self, name: str, address: str, days: int = 1) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        return self._signed(self._builder(subject, key, days).add_extension(names, False)), key

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        builder = builder.not_valid_before(now - datetime.timedelta(days=2))
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._public_key)
        builder = builder.add_extension(issuer, False)
        return builder.serial_number(x509.random_serial_number()).not_valid_after(now + datetime.timedelta(days=days))

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


def server_context(
    authority: Authority, address: str = "127.0.0.1", days: int = 1, clients: bool = False
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server", address, days))
    if clients:
        context.load_verify_locations(authority.path)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Certificates(NamedTuple):
    """Paths of what a broker on 127.0.0.1 and its client have of one authority."""

    authority: Path
    keystore: Path
    client: Path
    client_key: Path


def broker_certificates(folder: Path) -> Certificates:
    folder.mkdir()
    authority = Authority(folder)
    client, client_key = authority.sign("client", "127.0.0.1")
    return Certificates(Path(authority.path), authority.keystore("broker", "127.0.0.1"), Path(client), Path(client_key))
