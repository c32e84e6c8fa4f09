# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the webhook sink sends, eda.builtin.webhook takes: the source of ansible-rulebook itself, without an engine."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sinks import SinkRefused
from ansible_rulebook.event_source import webhook
from lab.authority import Authority
from lab.private import write_private
from unit.plugins.module_utils.test_sink_webhook import PATIENCE, TOKEN, envelope, sink_to


@contextmanager
def rulebook_source(**arguments: Any) -> Iterator[tuple[int, list[Any]]]:
    """The source of ansible-rulebook itself: its port, and what it put into its queue."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    heard: list[Any] = []

    class Queue:
        async def put(self, event: Any) -> None:
            heard.append(event)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(
        webhook.main(Queue(), {"host": "127.0.0.1", "port": port, **arguments}), loop
    )  # type: ignore[arg-type]
    try:
        for _try in range(1000):
            assert not running.done(), running
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            threading.Event().wait(0.005)
        yield port, heard
    finally:
        running.cancel()
        asyncio.run_coroutine_threadsafe(_all_ended(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _all_ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"token": TOKEN}, {"token_file": TOKEN}),
        ({"hmac_secret": "secret"}, {"hmac_secret_file": "secret"}),
        ({"hmac_secret": "secret", "hmac_format": "base64"}, {"hmac_secret_file": "secret", "hmac_format": "base64"}),
        (
            {"hmac_secret": "secret", "hmac_algo": "sha512", "hmac_header": "x-other", "token": TOKEN},
            {"hmac_secret_file": "secret", "hmac_algorithm": "sha512", "hmac_header": "x-other", "token_file": TOKEN},
        ),
    ],
)
def test_a_rulebook_takes_our_events(tmp_path: Path, theirs: dict[str, str], ours: dict[str, str]) -> None:
    options = {}
    for name, value in ours.items():
        if name.endswith("_file"):
            write_private(tmp_path / name, value)
            value = str(tmp_path / name)
        options[name] = value
    with rulebook_source(**theirs) as (port, heard):
        sink = sink_to(port, **options)
        sink.send([envelope(1), envelope(2)])
        sink.close()
    (event,) = heard
    assert event["payload"] == {"events": [envelope(1), envelope(2)]}
    assert event["meta"]["endpoint"] == "endpoint"


def test_a_rulebook_that_demands_a_certificate_and_one_that_is_spoken_to_without_tls_say_so(tmp_path: Path) -> None:
    """aiohttp, which it stands on, sends no alert."""
    (tmp_path / "ours").mkdir()
    authority = Authority(tmp_path / "ours")
    certificate, key = authority.sign("server", "127.0.0.1")
    with rulebook_source(certfile=certificate, keyfile=key, cafile=authority.path) as (port, heard):
        with pytest.raises(SinkRefused, match=r"demands a certificate, and we have none \(it hangs up after the hand"):
            sink_to(port, "https", ca_file=authority.path).send([envelope(1)])
        (tmp_path / "other").mkdir()
        theirs, its_key = Authority(tmp_path / "other").sign("client", "127.0.0.1")
        sink = sink_to(port, "https", ca_file=authority.path, client_certificate=theirs, client_key=its_key)
        with pytest.raises(SinkRefused, match=r"does not take our certificate \(it hangs up after the handshake\)"):
            sink.send([envelope(1)])
        with pytest.raises(SinkRefused, match="speaks TLS: let url begin with https://"):
            sink_to(port).send([envelope(1)])
        ours, its_key = authority.sign("client", "127.0.0.1")
        sink = sink_to(port, "https", ca_file=authority.path, client_certificate=ours, client_key=its_key)
        sink.send([envelope(1)])
        sink.close()
        assert len(heard) == 1
    with rulebook_source() as (port, heard):
        with pytest.raises(SinkRefused, match="answers, and not in TLS. Let url begin with http://"):
            sink_to(port, "https").send([envelope(1)])
        assert heard == []


@pytest.mark.parametrize("option", ["token_file", "hmac_secret_file"])
def test_a_rulebook_refuses_a_wrong_secret_and_takes_it_once_it_is_right(tmp_path: Path, option: str) -> None:
    path = tmp_path / "secret"
    write_private(path, "wrong")
    with rulebook_source(**{"token" if option == "token_file" else "hmac_secret": "right"}) as (port, heard):
        sink = sink_to(port, **{option: str(path)})
        with pytest.raises(SinkRefused, match="answers 401 Unauthorized: it does not take our token") as caught:
            sink.send([envelope(1)])
        assert "wrong" not in str(caught.value)
        assert heard == []
        path.write_text("right", encoding="ascii")
        sink.send([envelope(1)])
        sink.close()
        assert len(heard) == 1
