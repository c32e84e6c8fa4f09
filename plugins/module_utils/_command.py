# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``wirewatch.pyz``: its command line, its exit codes, its end."""

from __future__ import annotations

import argparse
import os
import pkgutil
import signal
import sys
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence

from . import _options, _publish_options
from ._discovery import check_interfaces, nothing_found
from ._errors import InvalidArgument, WireGuardError
from ._event import TYPES
from ._gather import GatherOptions, gather
from ._identity import Identity
from ._liveness import Timers
from ._model import KEY_TEXT_LENGTH
from ._publisher import Publisher
from ._service import Service
from ._show import device_text
from ._sink_webhook import HMAC_ALGORITHM, HMAC_FORMATS, HMAC_HEADER, TIMEOUT, WebhookSink
from ._sinks import SinkRefused
from ._state import StateFile
from ._stream import Stream
from ._trigger import Triggers
from ._watch import INITIAL, Watcher

ENDED, FAILED, WRONG_ARGUMENTS, REFUSED = 0, 1, 2, 3

EXIT_CODES = """\
exit codes:
  0  ended as asked: by SIGTERM or SIGINT, or nobody reads the output any more
  1  an error that is final, such as an interface that can't be shown or a missing library
  2  wrong arguments, on the command line or in the file
  3  the sink refused for minutes: a wrong token or password, an unknown topic, an event too large
"""

WATCH = """\
Prints what changes on WireGuard interfaces, one event a line, or sends it to a webhook or to Kafka. Each event is delivered at
least once; one that comes twice has the same meta.uuid. Only observes, and needs the capability CAP_NET_ADMIN.
"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code. Errors are one sentence on the standard error."""
    try:
        # Until there is something to end in order.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        arguments = _parser().parse_args(argv)
        status: int = arguments.run(arguments)
        _flush()
        return status
    except InvalidArgument as error:
        say(str(error))
        return WRONG_ARGUMENTS
    except SinkRefused as error:
        say("%s. It was tried for minutes, and is given up" % error)
        return REFUSED
    except WireGuardError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        return ENDED
    except BrokenPipeError:
        # Nobody reads on. What is left in the buffer would be written at the end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ENDED
    except Exception as error:
        # Its text might hold what was read.
        say("Unexpected %s: please report it" % type(error).__name__)
        return FAILED


def say(sentence: str) -> None:
    try:
        os.write(2, ("wirewatch: %s\n" % " ".join(sentence.split())).encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody listens


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            # argparse itself would send to the help of all commands, which has the options of none.
            text = "Unrecognized arguments: %s. See %s %s --help"
            raise InvalidArgument(text % (" ".join(rest), self.prog, found.command))
        return found

    def error(self, message: str) -> NoReturn:
        raise InvalidArgument("%s. See %s --help" % (message[:1].upper() + message[1:], self.prog))


# --- watch


def _watch(arguments: argparse.Namespace) -> int:
    given = _given(arguments)
    config = _publish_options.read_config(arguments.config) if arguments.config is not None else {}
    checked = _publish_options.check(_publish_options.merge(config, given))
    if arguments.check:
        return ENDED
    if checked.sink["type"] == _publish_options.STDOUT and sys.stdout is None:
        return ENDED  # closed from the start; another file may have its number
    options, state_file, _hosts = checked.watch
    sink = _publish_options.make_sink(checked.sink)
    if isinstance(sink, WebhookSink) and sink.is_open_to_readers:
        say("The token for %s goes over the network as plain text: let it be an https:// one" % sink.name)
    state = StateFile(state_file, options.host) if state_file is not None else None
    watcher = Watcher(options, told=state.state if state is not None else None)
    stream = Stream(watcher, Triggers(watcher.namespaces))
    service = Service()
    identity = Identity(options.host)
    return publish(Publisher(watcher, stream, sink, identity, say, state, alive=service.alive), service)


def publish(publisher: Publisher, service: Service) -> int:
    """Runs it until a signal says to end."""

    def end(_number: int, _frame: Any) -> None:
        service.stopping()
        publisher.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    status = ENDED
    try:
        idle = publisher.run()
    except SinkRefused as error:
        say("%s. It was tried for minutes, and is given up" % error)
        status, idle = REFUSED, True
    if not idle:
        # The sender holds what may take minutes, and what it holds is told again by the next run.
        os._exit(status)
    return status


def _given(arguments: argparse.Namespace) -> Dict[str, Any]:
    """What stands on the command line, under the names and in the shapes of the arguments."""
    values = {name: value for name, value in vars(arguments).items() if value is not None and value != []}
    given = {name: values[name] for name in _publish_options.ARGUMENTS if name in values}
    given.update(_mappings(values))
    sink = {name: values[name] for name in (*_publish_options.TEXTS, "timeout", "pretty") if name in values}
    if "set" in values:
        sink["settings"] = dict(_pair("--set", text) for text in values["set"])
    if "sink" in values:
        sink["type"] = values["sink"]
    if sink:
        given["sink"] = sink
    return given


def _mappings(values: Dict[str, Any]) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    if "names" in values:
        found["names"] = dict(_of_key("--name", text) for text in values["names"])
    if "expected_keepalive" in values:
        found["expected_keepalive"] = _expected_keepalive(values["expected_keepalive"])
    if "timers" in values:
        found["timers"] = dict(_pair("--timer", text) for text in values["timers"])
    return found


def _expected_keepalive(texts: List[str]) -> Any:
    if len(texts) == 1 and len(texts[0]) < KEY_TEXT_LENGTH:
        return texts[0]
    return dict(_of_key("--expected-keepalive", text) for text in texts)


def _of_key(option: str, text: str) -> List[str]:
    """A public key and what is given to it. The key ends in = itself."""
    key, equals, value = (
        text[:KEY_TEXT_LENGTH],
        text[KEY_TEXT_LENGTH : KEY_TEXT_LENGTH + 1],
        text[KEY_TEXT_LENGTH + 1 :],
    )
    if equals != "=" or not value:
        raise InvalidArgument("%s is %r and must be a public key, = and a value" % (option, text))
    return [key, value]


def _pair(option: str, text: str) -> List[str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # The value may be a secret that stands where a name is due.
        raise InvalidArgument("%s must be a name, = and a value" % option)
    return [name, value]


# --- show


def _show(arguments: argparse.Namespace) -> int:
    values = {name: value for name, value in vars(arguments).items() if value is not None and value != []}
    mappings = _mappings(values)
    options = GatherOptions(
        patterns=check_interfaces(values.get("interfaces")),
        netns=values.get("netns"),
        peers=_options.public_keys("peers", values.get("peers")),
        names=_options.names("names", mappings.get("names")),
        liveness=_options.liveness(mappings.get("expected_keepalive"), mappings.get("timers")),
    )
    if sys.stdout is not None:
        records = gather(options)
        if not records:
            say(nothing_found([options.netns], options.patterns))
        for number, record in enumerate(records):
            sys.stdout.write(("\n" if number else "") + device_text(record) + "\n")
    return ENDED


# --- the command line


def version() -> str:
    """That of the collection that the zip was made of."""
    try:
        text = pkgutil.get_data(__name__.rpartition(".")[0], "VERSION")
    except OSError:
        text = None
    return text.decode("ascii").strip() if text is not None else "of a checkout"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="wirewatch",
        description="Observes WireGuard: shows interfaces, and tells what changes on them.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version="wirewatch %s" % version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    watch = _command(commands, "watch", _watch, "print or send what changes", WATCH + "\n" + EXIT_CODES)
    _add_interfaces(watch, "names or globs of interfaces; all where left out. One that is not there yet is watched for")
    _add_watch(watch)
    _add_common(watch)
    _add_sinks(watch)
    show = _command(commands, "show", _show, "print interfaces as wg(8) does, with the state of each peer", EXIT_CODES)
    _add_interfaces(show, "names or globs of interfaces; all where left out")
    show.add_argument("--netns", metavar="NAME", help="network namespace to look into, a name or a path")
    _add_common(show)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], what: str, epilog: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def _add_interfaces(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("interfaces", nargs="*", metavar="INTERFACE", help=text)


def _add_watch(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to watch").add_argument
    add(
        "--config",
        metavar="FILE",
        help="JSON object of arguments as the event source takes them, and sink; what stands on the command line comes before it",
    )
    add(
        "--check",
        action="store_true",
        help="look at the arguments alone: exit with 0 where they can be, with 2 where not",
    )
    add(
        "--netns",
        action="append",
        metavar="NAME",
        help="network namespace, a name or a path; may be given several times",
    )
    add("--interval", metavar="SECONDS", help="between two looks, at least 0.05 (default 1)")
    add(
        "--type",
        dest="types",
        action="append",
        metavar="TYPE",
        help="type of events to tell, all where left out; may be given several times: " + ", ".join(TYPES),
    )
    add(
        "--initial",
        metavar="WHAT",
        help="what to do with what is there at start: %s (default emit); resume needs --state-file"
        % ", ".join(INITIAL),
    )
    add("--state-file", metavar="FILE", help="where to remember what was told, for --initial resume")
    add("--host", metavar="NAME", help="host that events name (default: the system's)")
    add("--debounce", metavar="SECONDS", help="that a state must hold before it is told (default 0)")
    add("--heartbeat", metavar="SECONDS", help="between two watch_heartbeat events (default 0: none)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("peers").add_argument
    add(
        "--peer",
        dest="peers",
        action="append",
        metavar="KEY",
        help="public key of a peer, all where left out; may be given several times",
    )
    add("--name", dest="names", action="append", metavar="KEY=NAME", help="name of a peer; may be given several times")
    add(
        "--expected-keepalive",
        action="append",
        metavar="[KEY=]SECONDS",
        help="keepalive of the other side, of all peers, or of this one and then given for each",
    )
    add(
        "--timer",
        dest="timers",
        action="append",
        metavar="NAME=SECONDS",
        help="a time that liveness is judged by: " + ", ".join(Timers._fields),
    )


def _add_sinks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("where to").add_argument
    add("--sink", metavar="SINK", help="%s (default stdout)" % ", ".join(_publish_options.SINKS))
    add("--pretty", action="store_const", const=True, help="stdout: lines for people instead of JSON")
    add("--url", metavar="URL", help="webhook: where to post to")
    add("--token-file", metavar="FILE", help="webhook: file with the bearer token")
    add("--hmac-secret-file", metavar="FILE", help="webhook: file with the secret that bodies are signed with")
    add("--hmac-header", metavar="NAME", help="webhook: header of the signature (default %s)" % HMAC_HEADER)
    add("--hmac-algorithm", metavar="NAME", help="webhook: as hashlib calls it (default %s)" % HMAC_ALGORITHM)
    add("--hmac-format", metavar="FORMAT", help="webhook: %s (default hex)" % ", ".join(HMAC_FORMATS))
    add("--ca-file", metavar="FILE", help="webhook: certificates to trust instead of the system's")
    add("--client-certificate", metavar="FILE", help="webhook: our own certificate")
    add("--client-key", metavar="FILE", help="webhook: its key, where that is in a file of its own")
    add("--timeout", metavar="SECONDS", help="webhook: for an answer (default %g)" % TIMEOUT)
    add("--topic", metavar="NAME", help="kafka: where to produce to")
    add(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="kafka: a setting of librdkafka; one that is secret ends in _file and names a file. May be given several times",
    )
