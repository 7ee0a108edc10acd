"""`openbell up`: everything, on this machine, until Ctrl-C."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytz
import redis
import typer

from scripts.command import run
from scripts.console import from_here, openbell, out, print_pairs
from scripts.parts.embedded import EmbeddedSet, embedded_set
from scripts.parts.ports import Ports
from scripts.parts.practice import Practice, practice_in
from scripts.parts.program import program
from scripts.parts.running import STOPPING, Running, running
from scripts.parts.running_set import home_lock
from scripts.parts.starting import StartList
from scripts.parts.stopping import Stopped
from worker.clock import ReplayClock, SystemClock
from worker.errors import ConfigurationError
from worker.journal.engine import Journal
from worker.settings import PROJECT_ROOT, Settings, load_settings

# A year of prices lies ahead of it, so that a home can be used again for that long.
FIRST_MOMENT = "2012-02-29T09:29:20"
LOOK_SECONDS = 1.0


def up(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Practise on the sandbox instead of a real gateway.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DATETIME",
            help="Where the sandbox's market time begins, in New York time, in a home that is new."
            f" Default: {FIRST_MOMENT}.",
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="How many seconds pass in the sandbox in one here.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Folder of all that is kept. Default: OPENBELL_HOME or var.")
    ] = None,
) -> None:
    """Run everything on this machine: Valkey, MLflow, workers, Beat and Flower, until Ctrl-C.

    With the configured gateway every run is dry. With --sandbox runs may trade on paper there; its
    clock and its book are kept in the home and go on when it is started again.
    """
    folder = (home or Path(os.environ.get("OPENBELL_HOME") or PROJECT_ROOT / "var")).expanduser()
    with program():
        if not sandbox and (at is not None or rate is not None):
            raise ConfigurationError("--at and --rate are the sandbox's; add --sandbox")
        folder = folder.resolve()
        with home_lock(folder) as lock, Ports() as ports:
            practice = practice_in(folder, at, rate, FIRST_MOMENT) if sandbox else None
            stay(embedded_set(folder, ports, os.environ, practice), lock, practice)


def stay(chosen: EmbeddedSet, lock: int, practice: Practice | None) -> None:
    """Start the set, say where things are, and watch it until somebody ends it."""
    settings = load_settings(chosen.environment)
    if "OPENBELL_REDIS_URL" not in chosen.told:
        require_redis(settings.redis_url.get_secret_value())
    starting = StartList(out, [part.name for part in chosen.parts])
    with running(chosen, lock, lambda: upgrade(settings), starting) as started:
        greet(chosen, settings, practice)
        until_stopped(started)


def require_redis(url: str) -> None:
    """A Redis that somebody else runs must be there before the workers ask for it."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError):
        raise ConfigurationError(
            "the Redis of OPENBELL_REDIS_URL does not answer; start it, or unset the variable: "
            "then an embedded one is started"
        ) from None


def upgrade(settings: Settings) -> None:
    """Bring the journal to this version, before any worker opens it."""
    journal = Journal(settings.journal_url)
    try:
        journal.upgrade()
    finally:
        journal.close()


def until_stopped(started: Running) -> None:
    """Watch the parts until Ctrl-C or SIGTERM, which here is an orderly end."""
    clock = SystemClock()
    try:
        while True:
            for name in started.look():
                now = clock.wall_now().astimezone()
                out.print(f"{now:%H:%M:%S} {name} ended and is started again", soft_wrap=True)
            clock.sleep(LOOK_SECONDS)
    except Stopped:
        out.print(STOPPING)


def greet(chosen: EmbeddedSet, settings: Settings, practice: Practice | None) -> None:
    where = f"Openbell is running in {from_here(chosen.home)}; Ctrl-C stops everything."
    out.print(where, style="bold", soft_wrap=True)
    print_pairs(_places(chosen, settings, practice))
    out.print("\nIn a second terminal:")
    if chosen.home != PROJECT_ROOT / "var":
        out.print(f"  export OPENBELL_HOME={from_here(chosen.home)}", soft_wrap=True)
    out.print(f"  {openbell()} trigger 1 --follow", soft_wrap=True)


def _places(
    chosen: EmbeddedSet, settings: Settings, practice: Practice | None
) -> Iterator[tuple[str, str]]:
    gateway = settings.ibkr.base_url
    if practice is not None:
        gateway += ", the sandbox: no real market, no real money"
        yield "market time", _market_time(settings, practice)
    yield "gateway", gateway
    yield "account", settings.ibkr.account_id or "none; set OPENBELL_IBKR__ACCOUNT_ID"
    yield "orders", "none, every run is dry" if practice is None else "on paper, by --no-dry-run"
    if chosen.mlflow_url:
        yield "MLflow", chosen.mlflow_url
    yield "Flower", f"{chosen.flower_url}  login {chosen.flower_login}"
    yield "logs", from_here(chosen.home / "run" / "logs")


def _market_time(settings: Settings, practice: Practice) -> str:
    clock = (
        SystemClock()
        if settings.replay_clock is None
        else ReplayClock.from_file(settings.replay_clock)
    )
    now = clock.market_now().astimezone(pytz.timezone("America/New_York"))
    text = f"{now:%a %Y-%m-%d %H:%M:%S %Z}, {clock.rate:g} x"
    return f"{text}; this home's clock and book go on" if practice.resumed else text


if __name__ == "__main__":
    run(up)
