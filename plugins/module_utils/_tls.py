# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of the sinks: what is trusted and shown, and what lasts until somebody acts, as sentences that say what to set."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Optional

from ._errors import InvalidArgument

# What OpenSSL says of another side that hangs up over our certificate, or since we have none (ssl_err.c, alerts of RFC 8446 section
# 6.2). With TLS 1.3 it comes after our handshake.
OUR_CERTIFICATE = re.compile(
    r"alert (bad certificate|unsupported certificate|certificate \w+|unknown ca|access denied)"
)
# With TLS 1.2 the same may be said so, and so is that there is no cipher in common.
BROKEN_OFF = re.compile("alert handshake failure")
NO_VERSION = re.compile("alert protocol version|unsupported protocol")
NO_TLS = re.compile("wrong version number|unknown protocol|packet length too long|record layer failure|http request")

# X509_V_ERR_* of OpenSSL's x509_vfy.h
OUT_OF_DATE = (9, 10)  # not yet valid, has expired
OTHER_NAME = (62, 64)  # of the host, of its address

PATIENCE = 2.0  # seconds: a round trip, and the other side's look at a certificate


def make_context(
    ca_file: Optional[str], client_certificate: Optional[str], client_key: Optional[str]
) -> ssl.SSLContext:
    """What a connection is made with, of files as they are now. InvalidArgument where they can't be."""
    files = {"ca_file": ca_file, "client_certificate": client_certificate, "client_key": client_key}
    for option, path in files.items():
        if path is not None and not os.access(path, os.R_OK):
            raise InvalidArgument("%s is %s, which can't be read" % (option, path))
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise InvalidArgument("ca_file is %s, which holds no certificate" % ca_file) from None
    if client_certificate is not None:
        try:
            # A key with a pass phrase would be asked for on the terminal.
            context.load_cert_chain(client_certificate, client_key, password=_no_pass_phrase)
        except (OSError, ValueError):
            raise InvalidArgument(
                "client_certificate is %s, which can't be used: it needs its certificate and, there or in client_key, "
                "the key that fits, without a pass phrase" % client_certificate
            ) from None
    return context


def refusal(error: ssl.SSLError, name: str, has_certificate: bool) -> Optional[str]:
    """What is wrong with TLS to the one of this name, and what to set; None where it may pass by itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The certificate of %s can't be trusted: %s. %s" % (
            name,
            error.verify_message.rstrip("."),
            _of_their_certificate(error.verify_code),
        )
    says = str(error)
    found = OUR_CERTIFICATE.search(says)
    if found:
        return of_our_certificate(name, has_certificate, found.group(1))
    name = name[:1].upper() + name[1:]
    if BROKEN_OFF.search(says):
        return (
            "%s breaks the TLS handshake off (handshake failure): it demands %s certificate, or has no cipher in common with us. "
            "Check client_certificate and client_key, and what it allows"
            % (name, "another" if has_certificate else "a")
        )
    if NO_VERSION.search(says):
        return "%s has no version of TLS in common with us. Let it take TLS 1.2 or 1.3" % name
    if NO_TLS.search(says):
        return "%s answers, and not in TLS. Let url begin with http://, or TLS be set up there" % name
    return None


def of_our_certificate(name: str, has_certificate: bool, why: str) -> str:
    name = name[:1].upper() + name[1:]
    if has_certificate:
        return (
            "%s does not take our certificate (%s). Check that client_certificate is of an authority that it trusts, and not out "
            "of date" % (name, why)
        )
    return (
        "%s demands a certificate, and we have none (%s). Give one of an authority that it trusts in client_certificate, and its "
        "key in client_key" % (name, why)
    )


def hangs_up(host: str, port: int, timeout: float, context: ssl.SSLContext) -> bool:
    """Whether a connection is ended after its handshake though nothing is sent: asyncio does so, without an alert, to who has not
    the certificate that it demands."""
    try:
        connection = _connect(host, port, timeout, context)
    except OSError:
        return False
    with connection:
        connection.settimeout(PATIENCE)
        try:
            return not connection.recv(1)
        except socket.timeout:
            return False
        except OSError:
            return True


def speaks_tls(host: str, port: int, timeout: float) -> bool:
    """Tries a handshake, whoever it is with: nothing is sent afterwards."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _connect(host, port, timeout, context).close()
    except ssl.SSLError as error:
        return " alert " in str(error)
    except OSError:
        return False
    return True


def _connect(host: str, port: int, timeout: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((host, port), timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _of_their_certificate(code: int) -> str:
    if code in OUT_OF_DATE:
        return "Have it made anew there, or set the clock of this host"
    if code in OTHER_NAME:
        return "Let url have a name that the certificate has, or have it made for this one"
    return "Give the certificate of its authority in ca_file"


def _no_pass_phrase() -> str:
    raise ValueError("none is known")
