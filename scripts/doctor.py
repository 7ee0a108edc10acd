"""`openbell doctor`: look at every part, and say what to mend."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.command import FAILED, print_json, run
from scripts.console import err, out

if TYPE_CHECKING:
    from scripts.doctor_findings import Finding


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at every part, one line each, and say what to do where something is wrong.

    \b
    openbell doctor

    It changes nothing, orders nothing, and shows no secret. Exit code 0:
    nothing is a problem. 1: something is.
    """
    from scripts.doctor_findings import print_finding, print_summary

    findings = []
    with (err if as_json else out).status("looking"):
        for finding in examination():
            findings.append(finding)
            if not as_json:
                print_finding(finding)
    wrong = any(finding.verdict == "problem" for finding in findings)
    if as_json:
        print_json({"ok": not wrong, "findings": findings})
    else:
        print_summary(findings)
    if wrong:
        raise SystemExit(FAILED)


def examination() -> "Iterator[Finding]":
    """Every finding, in the order of what stands on what."""
    from scripts.access import short_account
    from scripts.doctor_findings import problem, without
    from scripts.doctor_gateway import gateway
    from scripts.doctor_parts import home, parts
    from worker.errors import ConfigurationError
    from worker.runtime import services

    try:
        s = services()
        _ = s.clock
    except ConfigurationError as error:
        yield problem("configuration", error.sentence)
        return
    yield from home(s)
    hidden = [(s.account_id, short_account(s.account_id) or "")] if s.account_id else []
    yield from without(hidden, parts(s))
    yield from without(hidden, gateway(s))


if __name__ == "__main__":
    run(doctor)
