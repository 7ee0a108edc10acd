"""Make `.venv` from a hashed lock: `python -m scripts.checks.environment runtime` (or `dev`).

Runs before anything is installed: the standard library alone, on any Python from 3.11. Uses uv
where it is on the PATH, else plain pip. The project itself is installed editable, without build
isolation, so that nothing but the lock is ever fetched.
"""

import fcntl
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from worker.clock import monotonic

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCKS = {"runtime": "requirements.lock", "dev": "requirements-dev.lock"}
LOCKED = re.compile(r"^[\w.-]+(?:\[[\w,-]+\])?==", re.MULTILINE)
PACKAGE = re.compile(r"^(?:Collecting |Requirement already satisfied: )([\w.-]+)")


class Failed(Exception):
    """The text is a sentence for a person."""


class Progress:
    """One line that changes in a terminal, one line every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal, self._began = sys.stdout.isatty(), monotonic()
        self._shown = self._began

    def show(self, text: str) -> None:
        line = f"  {monotonic() - self._began:3.0f} s  {text}"
        if self._terminal:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif monotonic() - self._shown >= 10:
            print(line, flush=True)
            self._shown = monotonic()

    def end(self) -> float:
        if self._terminal:
            print("\r\x1b[K", end="", flush=True)
        return monotonic() - self._began


def make_environment(kind: str) -> None:
    """Raises Failed. Safe to call again: what is there already is kept."""
    lock = ROOT / LOCKS[kind]
    total = count(lock)
    uv = shutil.which("uv")
    with (ROOT / "pyproject.toml").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two terminals in one fresh clone take turns
        if not _runs(VENV_PYTHON):
            _make_venv(with_pip=uv is None)
        print(
            f"Installing {total} packages from {lock.name} into .venv with "
            f"{'uv' if uv else 'pip (about a minute and a half from nothing)'}",
            flush=True,
        )
        progress = Progress()
        if uv is None or not _by_uv(uv, lock):
            _by_pip(lock, total, progress)
        print(f"Installed in {progress.end():.0f} s", flush=True)
        for done in LOCKS if kind == "dev" else ["runtime"]:  # the dev lock holds the runtime's
            (VENV / f".{done}").touch()


def count(lock: Path) -> int:
    """How many packages a lock holds, counting those of every platform."""
    return len(LOCKED.findall(lock.read_text()))


def _runs(python: Path, code: str = "") -> bool:
    command = [str(python), "-c", code]
    return python.exists() and subprocess.run(command, capture_output=True).returncode == 0


def _make_venv(with_pip: bool) -> None:
    print(f"Making .venv with Python {sys.version.split()[0]}", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    _run_quietly(command if with_pip else [*command, "--without-pip"])


def _run_quietly(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(
            f"{done.stdout}{done.stderr}{command[0]} cannot make a virtual environment with pip; "
            "on Debian and Ubuntu install the package python3-venv, or install uv"
        )


def _by_uv(uv: str, lock: Path) -> bool:
    """False, with a word about it, where uv cannot: an index that only pip is told about."""
    install = [uv, "pip", "install", "--python", str(VENV_PYTHON)]
    locked = [*install, "--compile-bytecode", "--require-hashes", "-r", str(lock)]
    itself = [*install, "--no-build-isolation", "--no-deps", "--editable", str(ROOT)]
    done = all(subprocess.run(command).returncode == 0 for command in (locked, itself))
    if not done:
        print("uv could not install; going on with pip", flush=True)
    return done


def _by_pip(lock: Path, total: int, progress: Progress) -> None:
    if not _runs(VENV_PYTHON, "import pip"):
        _run_quietly([str(VENV_PYTHON), "-m", "ensurepip"])
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pip.append("--progress-bar=off")
    _follow([*pip, "--require-hashes", "-r", str(lock)], f"of {total}", progress)
    itself = [*pip, "--no-build-isolation", "--no-deps", "--editable", str(ROOT)]
    _follow(itself, "of openbell itself", progress)


def _follow(command: Sequence[str], of: str, progress: Progress) -> None:
    """Run pip and say how far it is: first it fetches, then it is silent while it installs."""
    last: deque[str] = deque(maxlen=25)
    lines: queue.Queue[str | None] = queue.Queue()
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        fetched, name = 0, ""
        while (line := _next(lines)) is not None:
            if line:
                last.append(line)
            if found := PACKAGE.match(line):
                fetched, name = fetched + 1, found[1]
            if any("Installing collected" in old for old in last):
                progress.show(f"installing: {_installed()} packages are there")
            else:
                progress.show(f"fetching {fetched} {of}: {name}")
    if process.returncode != 0:
        progress.end()
        raise Failed("".join(last) + "pip could not install; see above, then run make again")


def _next(lines: "queue.Queue[str | None]") -> str | None:
    """The next line, none after a second of silence, None at the end."""
    try:
        return lines.get(timeout=1)
    except queue.Empty:
        return ""


def _read(output: Iterable[str] | None, lines: "queue.Queue[str | None]") -> None:
    for line in output or ():
        lines.put(line)
    lines.put(None)


def _installed() -> int:
    return sum(1 for _ in VENV.glob("lib/python*/site-packages/*.dist-info"))


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        print(f"write one of: {', '.join(LOCKS)}", file=sys.stderr)
        return 2
    try:
        make_environment(sys.argv[1])
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
