# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible callback: what each task did, as JSON lines, so that tests and the demo need not parse output."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lab_results
type: aggregate
short_description: Write task results as JSON lines
description: Appends one JSON object per started and per finished task to the file named by LAB_RESULTS.
requirements:
  - The environment variable LAB_RESULTS
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status: str, host: str, task: str, result: dict[str, Any]) -> None:
        line = json.dumps({"time": time.time(), "status": status, "host": host, "task": task, "result": result})
        with open(os.environ["LAB_RESULTS"], "a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def _finished(self, status: str, result: Any) -> None:
        # The detour over text turns Ansible's own string types into plain ones.
        plain = json.loads(self._dump_results(result._result, indent=None, sort_keys=False))
        self._write(status, result._host.get_name(), result._task.get_name(), plain)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._write("started", host.get_name(), task.get_name(), {})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._finished("changed" if result._result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._finished("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._finished("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._finished("unreachable", result)
