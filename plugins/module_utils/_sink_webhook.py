# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sink that posts JSON to a webhook: ``eda.builtin.webhook`` of a rulebook, or anything that speaks like it."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import re
import socket
import ssl
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ._errors import InvalidArgument
from ._sinks import Envelope, Sink, SinkError, SinkRefused, SinkTooLarge, read_secret
from ._tls import hangs_up, make_context, of_our_certificate, refusal, speaks_tls

# Bytes of one body. aiohttp, which eda.builtin.webhook stands on, refuses more than 1 MiB (client_max_size).
BODY_LIMIT = 512 * 1024
ANSWER_LIMIT = 64 * 1024  # bytes: what is answered says nothing beside its status
TIMEOUT = 30.0  # seconds: a webhook answers when the rulebook has taken the events, and that may be busy
PAUSE_LIMIT = 600.0  # seconds that are waited where the other side asks for it
HMAC_HEADER = "x-hub-signature-256"  # defaults of eda.builtin.webhook
HMAC_ALGORITHM = "sha256"
HMAC_FORMATS = ("hex", "base64")
HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")

# Statuses that say nothing about the events: request time-out, too early, too many requests.
TRY_AGAIN = (408, 425, 429)

# Of a connection that ended. Which of them depends on the moment, on TLS and on Python.
SILENT = (http.client.RemoteDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError)
HUNG_UP = (*SILENT, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


class WebhookOptions(NamedTuple):
    """Paths are of files. ``url`` has neither user nor password in it."""

    url: str
    token_file: Optional[str] = None
    hmac_secret_file: Optional[str] = None
    hmac_header: str = HMAC_HEADER
    hmac_algorithm: str = HMAC_ALGORITHM
    hmac_format: str = "hex"
    ca_file: Optional[str] = None
    client_certificate: Optional[str] = None
    client_key: Optional[str] = None
    timeout: float = TIMEOUT


class WebhookSink(Sink):
    """Posts ``{"events": [envelope, …]}``; what is answered with a 2xx is confirmed.

    Files can be changed while this runs: those with secrets are read again for each request, certificates after each refusal.
    """

    def __init__(self, options: WebhookOptions) -> None:
        """InvalidArgument where the options can't be."""
        self._options = options
        self._host, self._port, self._path, self._secure = _parts_of(options.url)
        shown = "[%s]" % self._host if ":" in self._host else self._host
        where = "webhook %s://%s:%d%s" % ("https" if self._secure else "http", shown, self._port, self._path)
        self.name, self._subject = "the " + where, "The " + where
        if options.hmac_format not in HMAC_FORMATS:
            raise InvalidArgument("hmac_format is %r. There are: %s" % (options.hmac_format, ", ".join(HMAC_FORMATS)))
        try:
            hmac.new(b"", b"", options.hmac_algorithm).hexdigest()
        except (ValueError, TypeError):
            raise InvalidArgument(
                "hmac_algorithm is %r, which this Python can't sign with: sha256 and sha512 are everywhere"
                % (options.hmac_algorithm,)
            ) from None
        if not HEADER_NAME.match(options.hmac_header):
            raise InvalidArgument(
                "hmac_header is %r, which is no name of a header: take letters, digits and dashes"
                % (options.hmac_header,)
            )
        if options.client_key and not options.client_certificate:
            raise InvalidArgument("client_key is set and client_certificate is not: the two belong together")
        self._context: Optional[ssl.SSLContext] = None
        self._make_ready()
        self._headers(b"")  # which reads the secrets
        self._connection: Optional[http.client.HTTPConnection] = None

    @property
    def is_open_to_readers(self) -> bool:
        """Whether a token would travel where others on the way may read it."""
        return (
            bool(self._options.token_file) and not self._secure and self._host not in ("localhost", "127.0.0.1", "::1")
        )

    def send(self, envelopes: Sequence[Envelope]) -> None:
        confirmed = 0
        for count, body in _bodies(envelopes):
            try:
                self._post(body, count)
            except SinkError as error:
                error.confirmed = confirmed
                if isinstance(error, SinkRefused):
                    # Somebody is to act, and may do so on the files that the connection was made with.
                    self.close()
                    self._context = None
                raise
            confirmed += count

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _make_ready(self) -> None:
        """InvalidArgument where files can't be."""
        if self._secure and self._context is None:
            options = self._options
            self._context = make_context(options.ca_file, options.client_certificate, options.client_key)

    def _post(self, body: bytes, count: int) -> None:
        try:
            self._make_ready()
            headers = self._headers(body)
        except InvalidArgument as error:
            raise SinkRefused(str(error)) from None
        status, reason, answered = self._ask(body, headers)
        if 200 <= status < 300:
            return
        says = "%s answers %d %s" % (self._subject, status, reason)
        if status in (401, 403):
            raise SinkRefused(
                "%s: it does not take our token, signature or certificate. Compare them with what the other side expects"
                % says
            )
        if status == 413:
            raise SinkTooLarge(
                "%s: %d events in %d bytes are too large for it. Raise the limit of the other side"
                % (says, count, len(body))
            )
        if 300 <= status < 400:
            raise SinkRefused("%s, a redirection, which is not followed: give the url that it leads to" % says)
        if status >= 500 or status in TRY_AGAIN:
            raise SinkError("%s. It is tried again" % says, pause=_pause(answered.get("retry-after")))
        if status == 400 and self._is_tls_due():
            raise self._refused_without_tls()
        # Some answer so to a certificate that they do not trust, or to none.
        also = ", client_certificate if it demands one," if status == 400 and self._secure else ""
        raise SinkRefused("%s: it does not take such requests. Check the url%s and what listens there" % (says, also))

    def _ask(self, body: bytes, headers: Dict[str, str]) -> Tuple[int, str, Dict[str, str]]:
        """Status, its reason and the headers of the answer. SinkError where there is none."""
        used_before = self._connection is not None
        try:
            return self._request(body, headers)
        except (http.client.HTTPException, OSError) as error:
            alert = self._alert() if isinstance(error, HUNG_UP) and not used_before else None
            self.close()
            if used_before and isinstance(error, HUNG_UP):
                # A connection that was left open and ended meanwhile: no sign of anything.
                return self._ask(body, headers)
            raise self._no_answer(alert or error) from None

    def _request(self, body: bytes, headers: Dict[str, str]) -> Tuple[int, str, Dict[str, str]]:
        if self._connection is None:
            timeout = self._options.timeout
            if self._context is not None:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=timeout, context=self._context
                )
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        self._connection.request("POST", self._path, body, headers)
        answer = self._connection.getresponse()
        if len(answer.read(ANSWER_LIMIT + 1)) > ANSWER_LIMIT or answer.will_close:
            self.close()
        reason = "".join(letter for letter in answer.reason or "" if letter.isprintable())
        return answer.status, reason[:80], {name.lower(): value for name, value in answer.getheaders()}

    def _alert(self) -> Optional[ssl.SSLError]:
        """What was said before the connection ended: of a part that was being written then, the error says no more than that."""
        sock = self._connection.sock if self._connection is not None else None
        if isinstance(sock, ssl.SSLSocket):
            try:
                sock.recv(1)
            except SILENT:
                pass
            except ssl.SSLError as error:
                return error
            except OSError:
                pass
        return None

    def _is_tls_due(self) -> bool:
        return not self._secure and speaks_tls(self._host, self._port, self._options.timeout)

    def _refused_without_tls(self) -> SinkRefused:
        return SinkRefused("%s speaks TLS: let url begin with https://" % self._subject)

    def _no_answer(self, error: Exception) -> SinkError:
        has_certificate = self._options.client_certificate is not None
        if isinstance(error, ssl.SSLError):
            sentence = refusal(error, self.name, has_certificate)
            if sentence is not None:
                return SinkRefused(sentence)
        if isinstance(error, (http.client.BadStatusLine, *HUNG_UP)):
            if self._is_tls_due():
                return self._refused_without_tls()
            if self._context is not None and hangs_up(self._host, self._port, self._options.timeout, self._context):
                why = "it hangs up after the handshake"
                return SinkRefused(of_our_certificate(self.name, has_certificate, why))
        if isinstance(error, SILENT):
            why = "it hangs up without an answer"
        elif isinstance(error, ssl.SSLError):
            why = "no TLS connection comes about (%s)" % (error.reason or "it was cut")
        elif isinstance(error, socket.timeout):
            why = "no answer within %g s" % self._options.timeout
        elif isinstance(error, OSError):
            why = error.strerror or type(error).__name__
        else:
            why = "no answer in HTTP (%s)" % type(error).__name__
        return SinkError("%s can't be reached: %s. It is tried again" % (self._subject, why))

    def _headers(self, body: bytes) -> Dict[str, str]:
        options = self._options
        headers = {"Content-Type": "application/json"}
        if options.token_file:
            token = read_secret("token_file", options.token_file)
            if not token.isascii() or " " in token:
                raise InvalidArgument(
                    "token_file is %s, and a token has no spaces and ASCII characters only" % options.token_file
                )
            headers["Authorization"] = "Bearer " + token
        if options.hmac_secret_file:
            secret = read_secret("hmac_secret_file", options.hmac_secret_file).encode("utf-8")
            digest = hmac.new(secret, body, options.hmac_algorithm).digest()
            text = digest.hex() if options.hmac_format == "hex" else base64.b64encode(digest).decode("ascii")
            headers[options.hmac_header] = "%s=%s" % (options.hmac_algorithm, text)
        return headers


def _parts_of(url: str) -> Tuple[str, int, str, bool]:
    """Host, port, path with query, and whether it is https. InvalidArgument, which does not repeat a password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidArgument("url is no URL: write it as https://rulebook.example.org:5000/endpoint") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument("url has a user or a password in it: give a token in token_file instead")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidArgument("url is %r and must begin with https:// or http:// and name a host" % (url,))
    secure = parts.scheme == "https"
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return parts.hostname, port or (443 if secure else 80), path, secure


def _bodies(envelopes: Sequence[Envelope]) -> List[Tuple[int, bytes]]:
    """How many events each, and the body; one event makes a body, however large it is."""
    texts = [json.dumps(envelope, allow_nan=False, separators=(",", ":")) for envelope in envelopes]
    groups: List[List[str]] = []
    size = 0
    for text in texts:
        if not groups or size + len(text) > BODY_LIMIT:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text) + 1
    return [(len(group), ('{"events":[%s]}' % ",".join(group)).encode("ascii")) for group in groups]


def _pause(header: Optional[str]) -> Optional[float]:
    """Seconds of a Retry-After; as a date it is not read."""
    return min(float(header), PAUSE_LIMIT) if header is not None and header.isdigit() else None
