"""What the doctor finds: one line for each part, and what to do about it."""

from collections.abc import Iterable, Iterator
from typing import Literal

from rich.table import Table
from rich.text import Text

from scripts.console import out
from scripts.show.words import STYLES
from worker.models.base import Value

Verdict = Literal["ok", "warning", "problem"]
PART_WIDTH = 14


class Finding(Value):
    """`fix` says what a person can do, and `command` is what they can paste for it."""

    part: str
    verdict: Verdict
    sentence: str
    fix: str | None = None
    command: str | None = None


def ok(part: str, sentence: str) -> Finding:
    return Finding(part=part, verdict="ok", sentence=sentence)


def warning(
    part: str, sentence: str, fix: str | None = None, command: str | None = None
) -> Finding:
    return Finding(part=part, verdict="warning", sentence=sentence, fix=fix, command=command)


def problem(
    part: str, sentence: str, fix: str | None = None, command: str | None = None
) -> Finding:
    return Finding(part=part, verdict="problem", sentence=sentence, fix=fix, command=command)


def without(secrets: Iterable[tuple[str, str]], found: Iterator[Finding]) -> Iterator[Finding]:
    """The findings with each secret's stand-in for it."""
    for finding in found:
        sentence, fix = finding.sentence, finding.fix
        for secret, stand_in in secrets:
            sentence = sentence.replace(secret, stand_in)
            fix = fix.replace(secret, stand_in) if fix else fix
        yield finding.evolve(sentence=sentence, fix=fix)


def print_finding(finding: Finding) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=7, no_wrap=True)
    grid.add_column(width=PART_WIDTH, no_wrap=True)
    grid.add_column(overflow="fold")
    text = Text(finding.sentence)
    if finding.fix:
        text.append(f"\n→ {finding.fix}", STYLES[finding.verdict])
    grid.add_row(Text(finding.verdict, STYLES[finding.verdict]), Text(finding.part, "bold"), text)
    out.print(grid)
    if finding.command:  # in one piece, so that it can be copied
        out.print(Text(f"    {finding.command}"), soft_wrap=True)


def print_summary(findings: Iterable[Finding]) -> None:
    verdicts = [finding.verdict for finding in findings]
    counts = [
        f"{verdicts.count(verdict)} {verdict}{'s' if verdicts.count(verdict) > 1 else ''}"
        for verdict in ("problem", "warning")
        if verdict in verdicts
    ]
    style = STYLES["problem" if "problem" in verdicts else "warning" if counts else "ok"]
    out.print(Text(f"\n{' and '.join(counts) or 'nothing is wrong'}", style))
