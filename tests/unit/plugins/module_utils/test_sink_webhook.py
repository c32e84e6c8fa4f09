# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhook sink, on loopback: against a server that answers as told, and against eda.builtin.webhook itself."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sender import Pauses, Sender
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sink_webhook import (
    BODY_LIMIT,
    WebhookOptions,
    WebhookSink,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sinks import SinkError, SinkRefused, read_secret
from lab.authority import Authority, server_context
from lab.private import write_private
from lab.webhook import serving

PATIENCE = 60.0  # seconds
TOKEN = "a-token"


def envelope(number: int, **more: Any) -> dict[str, Any]:
    return {"meta": {"uuid": str(number)}, "wireguard": {"type": "peer_added", "sequence": number, **more}}


def sink_to(port: int, scheme: str = "http", **options: Any) -> WebhookSink:
    return WebhookSink(WebhookOptions(f"{scheme}://127.0.0.1:{port}/endpoint?a=b", **{"timeout": 5.0, **options}))


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    write_private(path, TOKEN + "\n")
    return str(path)


# --- a server that answers as told


def test_a_part_is_one_body_in_order(token_file: str) -> None:
    with serving() as server:
        sink = sink_to(server.port, token_file=token_file)
        sink.send([envelope(1), envelope(2)])
        sink.send([envelope(3)])
        sink.close()
        assert server.events == [envelope(1), envelope(2), envelope(3)]
        (path, headers, body), _other = server.posted
        assert (path, list(body)) == ("/endpoint?a=b", ["events"])
        assert (headers["authorization"], headers["content-type"]) == (f"Bearer {TOKEN}", "application/json")
        assert server.connections == 1, "the connection is kept"


def test_a_large_part_is_cut_into_bodies_that_are_accepted() -> None:
    large = [envelope(number, padding="x" * (BODY_LIMIT // 3)) for number in range(5)]
    with serving(200, 200, 503) as server:
        sink = sink_to(server.port)
        with pytest.raises(SinkError) as caught:
            sink.send(large)
        sink.close()
        assert caught.value.confirmed == 4 == len(server.events)
        assert len(server.posted) == 2


@pytest.mark.parametrize(
    ("status", "final", "sentence"),
    [
        (500, False, "answers 500 Internal Server Error. It is tried again"),
        (503, False, "answers 503 Service Unavailable. It is tried again"),
        (429, False, "answers 429 Too Many Requests. It is tried again"),
        (401, True, "answers 401 Unauthorized: it does not take our token, signature or certificate"),
        (403, True, "answers 403 Forbidden: it does not take our token, signature or certificate"),
        (404, True, "answers 404 Not Found: it does not take such requests. Check the url"),
        (413, True, "are too large for it. Raise the limit of the other side"),
        (302, True, "answers 302 Found, a redirection, which is not followed"),
    ],
)
def test_what_is_said_of_an_answer(status: int, final: bool, sentence: str) -> None:
    with serving(status) as server:
        sink = sink_to(server.port)
        with pytest.raises(SinkError) as caught:
            sink.send([envelope(1)])
        assert isinstance(caught.value, SinkRefused) == final
        assert sentence in str(caught.value)
        assert str(caught.value).startswith(f"The webhook http://127.0.0.1:{server.port}/endpoint?a=b answers {status}")
        sink.send([envelope(1)])
        sink.close()


def test_a_pause_that_is_asked_for_is_kept() -> None:
    with serving(503) as server:
        server.answer_headers["Retry-After"] = "7"
        sink = sink_to(server.port)
        with pytest.raises(SinkError) as caught:
            sink.send([envelope(1)])
        sink.close()
        assert caught.value.pause == 7


def test_nobody_listens_and_then_somebody_does() -> None:
    with serving() as server:
        port = server.port
    said: list[str] = []
    ended = threading.Event()
    sender = Sender(sink_to(port), said.append, ended.set, Pauses(first=0.01, longest=0.02))
    sender.send([envelope(1)])
    while not said:
        assert not ended.wait(0.001)
    with serving(503, port=port) as server:
        assert ended.wait(PATIENCE)
        assert server.events == [envelope(1)]
    assert sender.outcomes.get(timeout=PATIENCE).delivered
    assert sender.stop(PATIENCE)
    where = f"The webhook http://127.0.0.1:{port}/endpoint?a=b"
    assert said[0] == f"{where} can't be reached: Connection refused. It is tried again"
    assert said[-1].startswith(f"{where} takes events again after ")
    assert len(said) <= 3


def test_a_connection_that_was_left_open_and_ended_is_no_failure() -> None:
    with serving() as server:
        sink = sink_to(server.port)
        sink.send([envelope(1)])
        sink._connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        sink.send([envelope(2)])
        sink.close()
        assert server.events == [envelope(1), envelope(2)]


def test_who_never_answers_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = sink_to(listener.getsockname()[1], timeout=0.05)
        with pytest.raises(SinkError, match="can't be reached: no answer within 0.05 s. It is tried again"):
            sink.send([envelope(1)])


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_certificate_of_a_known_authority_is_trusted(authority: Authority) -> None:
    with serving(context=server_context(authority)) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path)
        sink.send([envelope(1)])
        sink.close()
        assert server.events == [envelope(1)]


@pytest.mark.parametrize(
    ("address", "days", "known", "why", "what_to_do"),
    [
        (
            "127.0.0.1",
            1,
            False,
            "unable to get local issuer certificate",
            "Give the certificate of its authority in ca_file",
        ),
        ("127.0.0.2", 1, True, "IP address mismatch", "Let url have a name that the certificate has"),
        ("127.0.0.1", -1, True, "certificate has expired", "Have it made anew there, or set the clock"),
    ],
)
def test_any_other_certificate_is_refused(
    authority: Authority, address: str, days: int, known: bool, why: str, what_to_do: str
) -> None:
    with serving(context=server_context(authority, address, days)) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path if known else None)
        with pytest.raises(SinkRefused, match=f"can't be trusted: .*{why}.* {what_to_do}") as caught:
            sink.send([envelope(1)])
        assert str(caught.value).startswith("The certificate of the webhook https://127.0.0.1:")
        assert server.events == []


def test_a_name_that_the_certificate_does_not_have_is_refused(authority: Authority) -> None:
    with serving(context=server_context(authority)) as server:
        sink = WebhookSink(WebhookOptions(f"https://localhost:{server.port}/", ca_file=authority.path))
        with pytest.raises(
            SinkRefused, match="Hostname mismatch.*'localhost'. Let url have a name that the certificate"
        ):
            sink.send([envelope(1)])


TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("size", [1, BODY_LIMIT // 2])
@pytest.mark.parametrize(
    ("version", "certificate", "sentence"),
    [
        (TLS_1_2, None, "breaks the TLS handshake off (handshake failure): it demands a certificate, or has no cipher"),
        (TLS_1_3, None, "demands a certificate, and we have none (certificate required). Give one of an authority"),
        (TLS_1_2, "a stranger's", "does not take our certificate (unknown ca). Check that client_certificate is of an"),
        (TLS_1_3, "a stranger's", "does not take our certificate (unknown ca). Check that client_certificate is of an"),
        (
            TLS_1_2,
            "expired",
            "does not take our certificate (certificate expired). Check that client_certificate is of",
        ),
        (
            TLS_1_3,
            "expired",
            "does not take our certificate (certificate expired). Check that client_certificate is of",
        ),
    ],
)
def test_a_server_that_demands_a_certificate_refuses_any_other_and_takes_the_right_one(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, certificate: str | None, sentence: str, size: int
) -> None:
    """With TLS 1.3 it says so after the handshake, when we may be writing, be that little or much."""
    context = server_context(authority, clients=True)
    context.minimum_version = context.maximum_version = version
    ours = tmp_path / "ours"
    ours.mkdir()
    options = {}
    if certificate is not None:
        signer = Authority(ours) if certificate == "a stranger's" else authority
        written = signer.sign("client", "127.0.0.1", -1 if certificate == "expired" else 1)
        files = [ours / "client.pem", ours / "client.key"]
        for path, file in zip(written, files):
            file.write_bytes(Path(path).read_bytes())
        options = {"client_certificate": str(files[0]), "client_key": str(files[1])}
    with serving(context=context) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path, **options)
        for _try in range(3):
            with pytest.raises(SinkRefused) as caught:
                sink.send([envelope(1, padding="x" * size)])
            assert f"The webhook https://127.0.0.1:{server.port}/endpoint?a=b {sentence}" in str(caught.value)
        if certificate is not None:
            # The same sink: somebody acted, and nobody started anything again.
            for path, file in zip(authority.sign("client", "127.0.0.1"), files):
                file.write_bytes(Path(path).read_bytes())
            sink.send([envelope(2)])
            assert server.events == [envelope(2)]
        sink.close()


def test_certificates_that_can_not_be_read_any_more_are_said(authority: Authority, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(Path(Authority(tmp_path).path).read_bytes())
    with serving(context=server_context(authority)) as server:
        sink = sink_to(server.port, "https", ca_file=str(ca_file))
        with pytest.raises(SinkRefused, match="can't be trusted"):
            sink.send([envelope(1)])
        ca_file.unlink()
        with pytest.raises(SinkRefused, match=f"ca_file is {ca_file}, which can't be read"):
            sink.send([envelope(1)])
        ca_file.write_bytes(Path(authority.path).read_bytes())
        sink.send([envelope(1)])
        sink.close()
        assert server.events == [envelope(1)]


def test_a_server_that_asks_for_our_certificate_gets_it(authority: Authority) -> None:
    certificate, key = authority.sign("client", "127.0.0.1")
    with serving(context=server_context(authority, clients=True)) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path, client_certificate=certificate, client_key=key)
        sink.send([envelope(1)])
        sink.close()
        assert server.events == [envelope(1)]


@pytest.mark.parametrize("secure", [True, False])
def test_a_connection_that_the_server_ended_meanwhile_is_no_failure(authority: Authority, secure: bool) -> None:
    with serving(context=server_context(authority) if secure else None) as server:
        server.hangs_up = True
        sink = sink_to(server.port, "https" if secure else "http", ca_file=authority.path)
        for number in range(20):
            sink.send([envelope(number)])
        sink.close()
        assert [event["meta"]["uuid"] for event in server.events] == [str(number) for number in range(20)]


def test_no_version_of_tls_in_common_is_refused(authority: Authority) -> None:
    context = server_context(authority)
    context.minimum_version = TLS_1_3
    with serving(context=context) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path)
        sink._context.maximum_version = TLS_1_2  # type: ignore[union-attr]
        with pytest.raises(SinkRefused, match="has no version of TLS in common with us. Let it take TLS 1.2 or 1.3"):
            sink.send([envelope(1)])


def test_no_tls_where_it_is_due_is_refused() -> None:
    with serving() as server:
        sink = sink_to(server.port, "https")
        with pytest.raises(SinkRefused, match="answers, and not in TLS. Let url begin with http://, or TLS be set up"):
            sink.send([envelope(1)])


@pytest.mark.parametrize("clients", [False, True])
def test_tls_where_there_is_none_is_refused(authority: Authority, clients: bool) -> None:
    with serving(context=server_context(authority, clients=clients)) as server:
        sink = sink_to(server.port)
        for size in (1, BODY_LIMIT // 2):
            with pytest.raises(SinkRefused) as caught:
                sink.send([envelope(1, padding="x" * size)])
            assert (
                f"The webhook http://127.0.0.1:{server.port}/endpoint?a=b speaks TLS: let url begin with https://"
                == str(caught.value)
            )


def test_a_400_over_tls_may_be_for_the_certificate(authority: Authority) -> None:
    with serving(400, context=server_context(authority)) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path)
        with pytest.raises(SinkRefused, match="Check the url, client_certificate if it demands one, and what listens"):
            sink.send([envelope(1)])
        sink.close()


def test_a_server_that_dies_of_a_request_is_tried_again(authority: Authority) -> None:
    with serving(0, context=server_context(authority)) as server:
        sink = sink_to(server.port, "https", ca_file=authority.path)
        with pytest.raises(SinkError, match="can't be reached: it hangs up without an answer. It is tried") as caught:
            sink.send([envelope(1)])
        assert not isinstance(caught.value, SinkRefused)
        sink.send([envelope(2)])
        sink.close()
        assert server.events == [envelope(2)]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_hangs_up_without_a_word_is_tried_again(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    connection.recv(1)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                    connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        sink = sink_to(listener.getsockname()[1], scheme)
        with pytest.raises(SinkError, match="can't be reached: it hangs up without an answer. It is tried") as caught:
            sink.send([envelope(1)])
        assert not isinstance(caught.value, SinkRefused)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


# --- options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "ftp://example.org/"}, "url is 'ftp://example.org/' and must begin with https:// or http://"),
        ({"url": "https:///endpoint"}, "must begin with https:// or http:// and name a host"),
        ({"url": "http://h:port/"}, "url is no URL"),
        ({"url": "https://me:hush@example.org/"}, "url has a user or a password in it"),
        ({"hmac_format": "octal"}, "hmac_format is 'octal'. There are: hex, base64"),
        ({"hmac_algorithm": "rot13"}, "hmac_algorithm is 'rot13', which this Python can't sign with"),
        ({"hmac_algorithm": "shake_128"}, "hmac_algorithm is 'shake_128', which this Python can't sign with"),
        ({"hmac_header": "x y"}, "hmac_header is 'x y', which is no name of a header"),
        ({"url": "https://example.org/\u00e4"}, "must begin with https:// or http://"),
        ({"ca_file": "/"}, "ca_file is /, which holds no certificate"),
        ({"client_certificate": "/"}, "client_certificate is /, which can't be used"),
        ({"token_file": "/nowhere/token"}, "token_file is /nowhere/token, which can't be read: No such file"),
        ({"token_file": "two lines"}, "which must hold the secret alone, on one line of text"),
        ({"token_file": "two words"}, "a token has no spaces and ASCII characters only"),
        ({"ca_file": "/nowhere/ca"}, "ca_file is /nowhere/ca, which can't be read"),
        ({"ca_file": "two words"}, "which holds no certificate"),
        ({"client_certificate": "two words"}, "which can't be used: it needs its certificate"),
        ({"client_key": "two words"}, "client_key is set and client_certificate is not"),
    ],
)
def test_options_that_can_not_be(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    for name, content in (("two lines", "one\ntwo"), ("two words", "one two")):
        write_private(tmp_path / name, content)
    options = {name: str(tmp_path / value) if value.startswith("two ") else value for name, value in options.items()}
    with pytest.raises(InvalidArgument) as caught:
        WebhookSink(WebhookOptions(**{"url": "https://example.org/", **options}))  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o600, False), (0o440, False), (0o644, True), (0o604, True), (0o606, True)]
)
def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    path = write_private(tmp_path / "token", TOKEN)
    path.chmod(mode)
    if not refused:
        assert read_secret("token_file", str(path)) == TOKEN
        return
    with pytest.raises(InvalidArgument) as caught:
        read_secret("token_file", str(path))
    assert f"token_file is {path}, which every user of this host may open (mode {mode:04o})" in str(caught.value)
    assert f"run chmod o= {path}" in str(caught.value)
    assert TOKEN not in str(caught.value)
