"""supervisord keeps the parts alive: unlimited restarts with back-off, each part in a guardian.

supervisord itself runs in a guardian of the starting program, so that nothing outlives that one.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from scripts.parts.guardian import AT_ONCE
from scripts.parts.part import Part, PartFailed
from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT

GUARDIAN = (sys.executable, "-m", "scripts.parts.guardian")
START_SECONDS = 15.0
# What a socket's path may be long, on every system, less some air.
LONGEST_SOCKET_PATH = 90
SETTLED_SECONDS = 3
TAIL_LINES = 12


@dataclass(frozen=True)
class State:
    """A part as supervisord sees it; `pid` is 0 while it is down."""

    name: str
    word: str
    pid: int

    @property
    def down(self) -> bool:
        return self.word not in ("STARTING", "RUNNING")


class Supervisor:
    def __init__(self, home: Path, parts: Sequence[Part], environment: Mapping[str, str]) -> None:
        self._run = home / "run"
        self._parts, self._environment = parts, environment
        self._socket = socket_path(home)
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> Path:
        return self._run / "logs"

    def start(self, lock: int) -> None:
        """Start supervisord, no part yet. It holds the home's `lock` as long as it lives."""
        self.logs.mkdir(parents=True, exist_ok=True)
        config = self._run / "supervisord.conf"
        config.write_text(self._configuration())
        config.chmod(0o600)
        supervisord = (sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config))
        with (self.logs / "supervisord.out").open("wb") as output:
            self._guardian = subprocess.Popen(
                [*GUARDIAN, "--parent", str(os.getpid()), "--", *supervisord],
                cwd=PROJECT_ROOT,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is for the starting program alone
            )
        end = monotonic() + START_SECONDS
        while not self._is_up():
            if not self.alive or monotonic() > end:
                raise PartFailed(
                    "supervisord", "supervisord does not start", self.tail("supervisord")
                )
            SystemClock().sleep(0.05)

    @property
    def alive(self) -> bool:
        return self._guardian is not None and self._guardian.poll() is None

    def start_part(self, name: str) -> None:
        self._call("startProcess", _full_name(self._part(name)), False)

    def states(self) -> dict[str, State]:
        """Raises PartFailed where supervisord itself is gone."""
        try:
            found = self._call("getAllProcessInfo")
        except (OSError, HTTPException, Fault):
            raise PartFailed(
                "supervisord", "supervisord has ended; everything it ran is stopped",
                self.tail("supervisord"),
            ) from None  # fmt: skip
        return {one["name"]: State(one["name"], one["statename"], one["pid"]) for one in found}

    def stop(self, patience_seconds: float) -> None:
        """End every part and supervisord, by request and, past the patience, by force."""
        self._signal(signal.SIGTERM, patience_seconds)
        self.kill()

    def kill(self) -> None:
        """End all of it now."""
        self._signal(AT_ONCE, 10.0)
        self._guardian = None
        self._socket.unlink(missing_ok=True)

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """The last lines of a part's log."""
        for file in (self.logs / f"{name}.log", self.logs / f"{name}.out"):
            try:
                text = file.read_text(errors="replace")
            except OSError:
                continue
            if text.strip():
                return "\n".join(text.rstrip().splitlines()[-lines:])
        return ""

    def _signal(self, number: signal.Signals, patience_seconds: float) -> None:
        if self._guardian is None or self._guardian.poll() is not None:
            return
        self._guardian.send_signal(number)
        try:
            self._guardian.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            return

    def _is_up(self) -> bool:
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, HTTPException, Fault):
            return False

    def _call(self, method: str, *arguments: Any) -> Any:
        # A transport that has failed once stays broken, so each call has its own.
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            proxy: Any = ServerProxy("http://supervisord", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _part(self, name: str) -> Part:
        return next(part for part in self._parts if part.name == name)

    def _configuration(self) -> str:
        sections = [
            _section("supervisord", {
                "logfile": self.logs / "supervisord.log",
                "logfile_maxbytes": "5MB",
                "logfile_backups": "1",
                "pidfile": self._run / "supervisord.pid",
                "childlogdir": self.logs,
                "silent": "true",
            }),
            _section("unix_http_server", {"file": self._socket, "chmod": "0700"}),
            _section("rpcinterface:supervisor", {
                "supervisor.rpcinterface_factory":
                    "supervisor.rpcinterface:make_main_rpcinterface",
            }),
        ]  # fmt: skip
        for group, members in _groups(self._parts).items():
            # The group with the lowest number is stopped last.
            priority = 10 if members[0].foundation else 20
            names = ",".join(part.name for part in members)
            sections.append(_section(f"group:{group}", {"programs": names, "priority": priority}))
            sections += [self._program(part) for part in members]
        return "\n".join(sections)

    def _program(self, part: Part) -> str:
        return _section(f"program:{part.name}", {
            "command": shlex.join((*GUARDIAN, "--", *part.command)),
            "directory": PROJECT_ROOT,
            "environment": ",".join(f'{key}="{value}"' for key, value in part.environment.items()),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": SETTLED_SECONDS,
            "startretries": 1_000_000_000,
            "stopwaitsecs": part.stop_seconds,
            "redirect_stderr": "true",
            "stdout_logfile": self.logs / f"{part.name}.log",
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 2,
        })  # fmt: skip


def socket_path(home: Path) -> Path:
    """In the home, or, where that path is too long for a socket, in a private short folder."""
    inside = home / "run" / "supervisor.sock"
    if len(str(inside)) <= LONGEST_SOCKET_PATH:
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside
    short = Path(tempfile.gettempdir()) / f"openbell-{os.getuid()}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid != os.getuid():
        raise PartFailed("supervisord", f"{short} belongs to somebody else; remove it")
    short.chmod(0o700)
    return short / f"{sha256(str(home).encode()).hexdigest()[:16]}.sock"


def _groups(parts: Sequence[Part]) -> dict[str, list[Part]]:
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(_group(part), []).append(part)
    return groups


def _group(part: Part) -> str:
    return "foundation" if part.foundation else "work"


def _full_name(part: Part) -> str:
    return f"{_group(part)}:{part.name}"


def _section(name: str, values: Mapping[str, Any]) -> str:
    """supervisord expands %(...)s in values, so a % is written twice."""
    lines = [f"{key}={str(value).replace('%', '%%')}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])
