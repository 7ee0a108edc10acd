"""House rules that no linter knows: `python -m scripts.checks.house_rules`.

A rule takes a file and yields each line that breaks it, with a sentence. The arrows between
modules are in pyproject.toml (import-linter); here is what an import does not show.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator

from scripts.checks.source import File, files

Found = Iterator[tuple[int, str]]
Rule = Callable[[File], Found]

PYTHON = ("worker", "tasks", "scripts")
SENDERS = {
    "tasks/chain.py", "tasks/start_run.py", "tasks/end_run.py", "tasks/recover_runs.py",
    "worker/beat.py", "worker/step.py",
}  # fmt: skip
SENDING = {"apply_async", "delay", "send_task"}
CLOCKS = {"worker/clock.py", "scripts/sandbox/clock.py"}
TIME = re.compile(
    r"time\.(time|monotonic|perf_counter|process_time|sleep)(_ns)?"
    r"|datetime\.(datetime|date)\.(now|utcnow|today)"
)
HTTP_CLIENTS = re.compile(
    r"httpx\.(Client|AsyncClient|get|post|put|patch|delete|head|options|request|stream)"
)
PATCHES = re.compile(r"(unittest\.)?mock(\..*)?|unittest\.mock.*|pytest_mock.*")
HARMLESS = {"setenv", "delenv", "chdir", "syspath_prepend", "context", "undo"}
ROOMS_WITHOUT_MODE = tuple(
    f"worker/{room}" for room in ("risk", "orders", "ibkr", "signals", "market")
)
LONGEST_STEP, LONGEST_FILE = 60, 500
# Put together here, so that this file does not hold what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("python" + "hosted", "org"), ("registry", "npm" + "js"),
        ("registry", "yarnpkg"), ("deb", "debian"), ("crates", "io"), ("proxy", "golang"),
    )
]  # fmt: skip
MACHINE = re.compile(
    "|".join([r"(?<![\w.-])/wo" + r"rk/", re.escape("../" + "shared"), *map(re.escape, HOSTS)])
)


def sending_is_for_the_entries(file: File) -> Found:
    if not file.within(*PYTHON) or file.within("scripts/sandbox") or file.path in SENDERS:
        return
    for call in file.nodes(ast.Call):
        called = call.func
        if isinstance(called, ast.Attribute) and called.attr in SENDING:
            yield call.lineno, f".{called.attr}( is for {', '.join(sorted(SENDERS))}"


def time_is_for_the_clock(file: File) -> Found:
    """Tests may measure; like everyone else they wait on a condition, never a hopeful sleep."""
    if file.path in CLOCKS or file.within("tests/support"):
        return
    for line, name in file.names:
        if TIME.fullmatch(name) and (file.within(*PYTHON) or name == "time.sleep"):
            yield line, f"{name} is for {' and '.join(sorted(CLOCKS))}; pass a clock in"


def http_clients_are_for_http(file: File) -> Found:
    if file.path == "worker/http.py" or file.within("tests"):
        return
    for line, name in file.calls:
        if HTTP_CLIENTS.fullmatch(name):
            yield line, f"{name} is for worker/http.py; call its make_client"


def tests_patch_nothing(file: File) -> Found:
    if not file.within("tests"):
        return
    for line, module in file.imports:
        if PATCHES.fullmatch(module):
            yield line, "no mocks: pass a fake in at the seam, or use the quiet twin"
    for node in file.nodes(ast.Attribute):
        patches = ast.unparse(node.value) in ("monkeypatch", "mocker")
        if patches and node.attr not in HARMLESS:
            yield node.lineno, f"no {ast.unparse(node)}: pass a fake in at the seam"


def rooms_know_no_mode(file: File) -> Found:
    """Simulation is another implementation, not an `if`."""
    if file.within(*ROOMS_WITHOUT_MODE):
        for number, line in enumerate(file.lines, 1):
            if "dry_run" in line:
                yield number, "the word dry_run does not occur here; a mode is a client of its own"


def names_of_tasks_are_for_beat(file: File) -> Found:
    """A task named by text is an arrow that no import shows."""
    if not file.within("worker") or file.path in ("worker/beat.py", "worker/settings.py"):
        return
    for node in file.nodes(ast.Constant):
        if isinstance(node.value, str) and re.fullmatch(r"tasks\.\w+", node.value):
            yield node.lineno, f"only worker/beat.py names tasks by text, not {node.value}"


def steps_are_short(file: File) -> Found:
    if file.within("tasks") and len(file.lines) > LONGEST_STEP and "\n@step(" in file.text:
        yield LONGEST_STEP, f"a step tells a story in {LONGEST_STEP} lines; move logic to a room"


def files_are_short(file: File) -> Found:
    if file.path.endswith(".py") and len(file.lines) > LONGEST_FILE:
        yield (
            LONGEST_FILE,
            f"{len(file.lines)} lines are too many; split the file",
        )


def packages_are_empty(file: File) -> Found:
    """`celery -A worker` imports worker before it looks for worker.celery."""
    if file.path in ("worker/__init__.py", "tasks/__init__.py") and file.text:
        yield 1, "this file stays empty"


def nothing_of_this_machine(file: File) -> Found:
    """Paths of a workplace and hosts of package registries: both break elsewhere."""
    for number, line in enumerate(file.lines, 1):
        if found := MACHINE.search(line):
            yield number, f"{found[0]} belongs to one machine; leave it out"


def locks_hold_no_address(file: File) -> Found:
    if file.path.endswith(".lock"):
        for number, line in enumerate(file.lines, 1):
            if "://" in line or line.startswith("--index") or "--extra-index" in line:
                yield number, "a lock holds no address; write it with `make lock`"


def python_parses(file: File) -> Found:
    """The other rules read the tree; where there is none they have nothing to say."""
    try:
        ast.parse(file.text if file.path.endswith(".py") else "")
    except SyntaxError as error:
        yield error.lineno or 1, f"this is not Python {sys.version_info[0]}: {error.msg}"


RULES: tuple[Rule, ...] = (
    python_parses,
    sending_is_for_the_entries,
    time_is_for_the_clock,
    http_clients_are_for_http,
    tests_patch_nothing,
    rooms_know_no_mode,
    names_of_tasks_are_for_beat,
    steps_are_short,
    files_are_short,
    packages_are_empty,
    nothing_of_this_machine,
    locks_hold_no_address,
)


def main() -> int:
    found = 0
    for file in files():
        for rule in RULES:
            for line, sentence in rule(file):
                found += 1
                print(f"{file.path}:{line}: {sentence} ({rule.__name__})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
