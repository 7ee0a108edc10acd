"""Every check, a line each: `make check`, which is `python -m scripts.checks`."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from scripts.checks.source import ROOT, paths
from worker.clock import monotonic

BIN = Path(sys.executable).parent


def checks() -> dict[str, Sequence[str]]:
    """The longest first: two run at a time."""
    return {
        "types (mypy)": ["mypy", "--no-error-summary"],
        "secrets (detect-secrets)": [
            # Never asks the network whether a secret is a live one.
            "detect-secrets-hook", "--no-verify", "--exclude-files", r"\.lock$",
            "--exclude-secrets", "^OPENBELL_[A-Z_]+(=|$)",  # a variable's name
            *paths(),
        ],
        "arrows (import-linter)": ["lint-imports", "--no-cache", "--no-logo"],
        "compose file (schema)": [
            "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml",
        ],
        "house rules": ["python", "-m", "scripts.checks.house_rules"],
        "lint (ruff)": ["ruff", "check", "--quiet", "--output-format=concise", "."],
        "format (ruff)": [
            "ruff", "format", "--quiet", "--check", "--output-format=concise", ".",
        ],
    }  # fmt: skip


def run(command: Sequence[str]) -> tuple[bool, float, str]:
    began = monotonic()
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.returncode == 0, monotonic() - began, done.stdout.strip()


def main() -> int:
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {pool.submit(run, command): name for name, command in checks().items()}
        for done in as_completed(running):
            name, (passed, seconds, output) = running[done], done.result()
            print(f"{'ok    ' if passed else 'FAILED'}  {name:<26}{seconds:5.1f} s", flush=True)
            if not passed:
                failed[name] = output
    for name, output in failed.items():
        print(f"\n--- {name}\n{output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
