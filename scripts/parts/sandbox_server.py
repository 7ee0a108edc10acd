"""The sandbox as a part: gateway, exchange and scripted analyst in one server."""

import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.parts.part import HttpProbe, Part
from scripts.parts.ports import HOST
from scripts.parts.practice import Practice, clock_file
from scripts.sandbox.clock import open_clock
from scripts.sandbox.completions import MODEL as ANALYST
from scripts.sandbox.sandbox import ACCOUNT
from worker.http import Tls


@dataclass(frozen=True)
class SandboxServer:
    home: Path
    port: int
    practice: Practice

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.home / "state" / "sandbox" / "cert.pem"

    @property
    def clock(self) -> Path:
        return clock_file(self.home)

    def part(self, after: tuple[str, ...]) -> Part:
        """`after` counts where the clock begins as late as it can."""
        practice = self.practice
        return Part(
            name="sandbox",
            command=(
                sys.executable, "-m", "scripts.sandbox", "--home", str(self.home),
                "--port", str(self.port),
                "--at", practice.at.isoformat(), "--rate", f"{practice.rate:g}",
            ),
            ready=HttpProbe(
                self.url, "/sandbox/health", Tls(pinned_certificate=self.certificate)
            ),
            after=after if practice.begin else (),
            before=self._begin if practice.begin else None,
            foundation=True,
        )  # fmt: skip

    def _begin(self) -> None:
        """The sandbox goes on with a clock that is there already."""
        if self.practice.begin is not None:
            open_clock(self.clock, self.practice.begin(), self.practice.rate)

    def told(self) -> dict[str, str]:
        """What the workers and a second terminal must know of it."""
        return {
            "OPENBELL_IBKR__BASE_URL": f"{self.url}/v1/api",
            "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE": str(self.certificate),
            "OPENBELL_IBKR__ACCOUNT_ID": ACCOUNT,
            "OPENBELL_MODE": "paper",
            "OPENBELL_REPLAY_CLOCK": str(self.clock),
            "OPENBELL_SIGNAL__BASE_URL": f"{self.url}/analyst/v1",
            "OPENBELL_SIGNAL__MODEL": ANALYST,
            "OPENBELL_SIGNAL__TLS__PINNED_CERTIFICATE": str(self.certificate),
        }
