# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook that answers as it is told, on this machine's loopback."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 10.0  # seconds


class Server(http.server.ThreadingHTTPServer):
    """Answers with the statuses given, then with 200. Remembers what was posted."""

    def __init__(self, *statuses: int, port: int = 0) -> None:
        self.statuses = list(statuses)
        self.posted: list[tuple[str, dict[str, str], Any]] = []
        self.answer_headers: dict[str, str] = {}
        self.connections = 0
        self.hangs_up = False  # after each answer, without a word
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def events(self) -> list[Any]:
        return [one for _path, _headers, body in self.posted for one in body["events"]]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if not status:
            self.close_connection = True  # without an answer
            return
        if status < 300:
            self.server.posted.append((self.path, {name.lower(): v for name, v in self.headers.items()}, body))
        self.send_response(status)
        for name, value in self.server.answer_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = self.server.hangs_up

    def log_message(self, *_about: object) -> None:
        pass


@contextmanager
def serving(*statuses: int, port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(*statuses, port=port) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(PATIENCE)
