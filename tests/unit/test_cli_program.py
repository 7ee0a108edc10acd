"""How commands begin and end, whatever they do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from scripts import console
from scripts.cli import ENTRIES
from scripts.demo import say_what_is_kept
from scripts.show.steps import STEP_NAMES
from tasks.chain import STEPS
from tests.support.cli import openbell, openbell_process, sentence
from worker.errors import ConfigurationError, NeedsLogin
from worker.settings import PROJECT_ROOT
from worker.version import code_version

HEAVY = {"mlflow", "pandas", "celery", "sqlalchemy", "httpx", "redis", "exchange_calendars"}


def failing(error: BaseException) -> typer.Typer:
    program = typer.Typer()

    @program.command()
    def fails() -> None:
        raise error

    return program


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from scripts.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('HEAVY', {HEAVY!r} & sys.modules.keys())"
    )
    said = openbell_process(command=(sys.executable, "-c", code, "--help"))
    assert (said.code, said.err) == (0, "")
    assert all(name in said.out for name in ENTRIES)
    assert said.out.rstrip().endswith("HEAVY set()")


def test_the_version_is_said() -> None:
    said = openbell("--version")
    assert (said.code, said.out, said.err) == (0, f"openbell {code_version()}\n", "")


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_explains_itself(name: str) -> None:
    said = openbell(name, "--help")
    assert (said.code, said.err) == (0, "")
    assert "Usage:" in said.out


@pytest.mark.parametrize("name", ["runs", "orders", "strategies", "journal"])
def test_a_group_without_a_command_shows_its_commands(name: str) -> None:
    said = openbell(name)
    assert (said.code, said.err) == (0, "")
    assert "Commands" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("upp",), "no such command 'upp'"),
        (("trigger", "1", "--folow"), "no such option: --folow"),
        (("runs", "show"), "missing argument 'RUN'"),
        (("runs", "list", "--limit", "many"), "--limit"),
        (("runs", "list", "--limit", "0"), "--limit"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    said = sentence(openbell(*arguments), 2)
    assert words in said
    assert "--help`" in said


def test_what_a_person_must_change_ends_with_2_and_what_failed_with_1() -> None:
    assert sentence(openbell(program=failing(ConfigurationError("write it"))), 2) == "write it"
    assert sentence(openbell(program=failing(NeedsLogin("log in"))), 1) == "log in"


def test_what_nobody_foresaw_is_a_sentence_and_a_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = failing(ZeroDivisionError("by zero"))
    told = (
        "something went wrong that nobody foresaw (ZeroDivisionError: by zero); --debug shows where"
    )
    assert sentence(openbell(program=program), 1) == told
    asked = openbell("--debug", program=program)
    assert (asked.code, asked.out) == (1, "")
    assert "Traceback" in asked.err
    monkeypatch.setenv("OPENBELL_DEBUG", "1")
    assert "Traceback" in openbell(program=program).err


def test_ctrl_c_ends_with_130() -> None:
    assert openbell(program=failing(KeyboardInterrupt())).code == 130


@pytest.mark.parametrize("name", ["trigger", "runs", "orders", "positions", "doctor", "cli"])
def test_each_script_runs_by_itself_from_any_folder(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "scripts" / f"{name}.py"), "--help"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_the_steps_that_are_shown_are_those_of_the_chain() -> None:
    assert tuple(f"tasks.{name}" for name in STEP_NAMES) == tuple(step.name for step in STEPS)


@pytest.mark.parametrize("program", [console.openbell, console.celery])
def test_a_hint_names_a_program_that_can_be_called_from_the_folder_one_is_in(
    program: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for folder in (PROJECT_ROOT, tmp_path):
        monkeypatch.chdir(folder)
        assert Path(program()).is_file()


def test_without_a_terminal_lines_are_as_wide_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.make_console().width == console.PLAIN_WIDTH
    monkeypatch.setenv("COLUMNS", "80")
    assert console.make_console().width == 80


@pytest.mark.parametrize("name", ["demo", "up", "sandbox", "trigger", "positions", "doctor"])
def test_a_command_shows_how_it_is_called(name: str) -> None:
    assert f"\n openbell {name}" in openbell(name, "--help").out


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (0, ""),
        (1, "1 older home removed, the newest 3 in demo are kept\n"),
        (2, "2 older homes removed, the newest 3 in demo are kept\n"),
    ],
)
def test_the_demo_says_which_homes_it_removes(
    removed: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    say_what_is_kept(tmp_path / "demo", removed)
    assert capsys.readouterr().out == said
