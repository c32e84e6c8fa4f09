# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in slices (plugin_utils/_slices.py). Without this file the module waits alone."""

from __future__ import annotations

import math
import signal
import subprocess
import threading
import time
import traceback
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from ansible import constants
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import Clock
from ansible_collections.wirewatch.wireguard.plugins.module_utils._handover import ENTRY
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils._slices import SLICE, Lost, Result, SlicedWait

display = Display()
DEFAULT_TIMEOUT = 300.0  # seconds, the module's


class _Overdue(BaseException):
    """No Exception, since connection plugins try again after any of those."""


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._answered = True  # the last slice; without a slice there is nothing to reset
        timeout = self._timeout()
        if timeout is None:
            wrap_async = self._task.async_val and not self._connection.has_native_async
            result.update(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
            if not wrap_async:
                self._remove_tmp_path(self._connection._shell.tmpdir)
            return result
        args = self._task.args
        what = "%s on %s" % (args.get("condition"), args.get("interface"))
        try:
            result.update(SlicedWait(self._slice, self._say, Clock(), timeout, what).wait())
        except Lost as error:
            raise AnsibleConnectionFailure(str(error)) from None
        if "reason" in result and args.get("msg"):
            result["msg"] = args["msg"]
        if "invocation" in result:
            shown = dict(result["invocation"].get("module_args", {}), baseline=args.get("baseline"))
            result["invocation"] = {"module_args": shown}
        if self._answered:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _timeout(self) -> Optional[float]:
        """Seconds; None where the module is to do it all: async, check mode, a wait of one slice, arguments that it must refuse."""
        args = self._task.args
        try:
            timeout = float(args.get("timeout", DEFAULT_TIMEOUT))
        except (TypeError, ValueError):
            return None
        if self._task.async_val or self._task.check_mode or not SLICE < timeout < math.inf:
            return None
        return timeout if isinstance(args.get("baseline"), (list, type(None))) else None

    def _slice(self, asked: Dict[str, Any], limit: float) -> Result:
        if not self._answered:
            self._reset()
        args = dict(self._task.args)
        given = list(args.get("baseline") or ()) if asked["state"] is None else []
        args["baseline"] = [*given, {ENTRY: asked}]
        before, self._answered = asked["state"] is not None, False
        try:
            with _limited(limit):
                result: Result = self._execute_module(module_args=args, task_vars=self._vars)
        except _Overdue as overdue:
            _end_what_it_left(overdue)
            self._connection._shell.tmpdir = None
            raise Lost("no answer within %.0f s" % limit, overdue=True) from None
        except AnsibleAuthenticationFailure:
            raise
        except AnsibleError as error:
            if not before and not isinstance(error, AnsibleConnectionFailure):
                raise
            self._connection._shell.tmpdir = None
            display.vvv("wg_peer_watch: %s" % error, host=self._host())
            raise Lost(" ".join(str(error).split())) from None
        if result.get("unreachable"):
            raise Lost(str(result.get("msg")))
        if not result.get("_ansible_parsed", True):
            if not self._task.no_log:
                display.vvv("wg_peer_watch: %s" % result, host=self._host())
            text = "the module gave no answer that can be read (rc %s: %s)" % (result.get("rc"), result.get("msg"))
            if before:
                raise Lost(text)
            self._answered = True
            return {"failed": True, "msg": "On %s %s. Run it with -vvv to see what it printed" % (self._host(), text)}
        self._answered = True
        return result

    def _reset(self) -> None:
        try:
            self._connection.reset()
        except (AnsibleError, AttributeError) as error:
            display.vvv("wg_peer_watch: %s" % error, host=self._host())

    def _host(self) -> str:
        name = str(self._vars.get("inventory_hostname"))
        return "%s -> %s" % (name, self._task.delegate_to) if self._task.delegate_to else name

    def _say(self, text: str) -> None:
        """To the standard error: what reads results from the standard output, as JSON, must not find this among them."""
        if not self._task.no_log:
            display.display("WAITING: [%s]: %s" % (self._host(), text), color=constants.COLOR_DEBUG, stderr=True)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises _Overdue in what takes longer: a connection whose packets vanish hangs for a quarter of an hour.

    With the alarm, as the keyword ``timeout`` of tasks has it, and inside of that one. Without limit where there is no alarm.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    if outer and outer <= seconds:
        yield
        return

    def overdue(_number: int, _frame: Any) -> None:
        raise _Overdue

    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, overdue)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (time.monotonic() - begun)))


def _end_what_it_left(error: BaseException) -> None:
    """Ends the client that the connection plugin was waiting for: it has no way of its own to be interrupted."""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            if isinstance(value, subprocess.Popen) and value.poll() is None:
                value.terminate()
