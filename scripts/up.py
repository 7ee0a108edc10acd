"""`openbell up`: everything, on this machine, until Ctrl-C."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytz
import redis
import typer

from scripts.command import run
from scripts.console import from_here, openbell_anywhere, out, print_pairs
from scripts.parts.embedded import EmbeddedSet, embedded_set
from scripts.parts.ports import Ports
from scripts.parts.practice import Practice, practice_in
from scripts.parts.program import program
from scripts.parts.running import STOPPING, Running, running
from scripts.parts.running_set import home_lock, tell_no_more
from scripts.parts.starting import StartList
from scripts.parts.stopping import Stopped
from worker.clock import ReplayClock, SystemClock
from worker.errors import ConfigurationError
from worker.journal.engine import Journal
from worker.models.strategy import Mode
from worker.schedule.strategies import StrategyFiles
from worker.settings import CERTIFIED, PROJECT_ROOT, Settings, load_settings

# The scripted analyst buys all that strategy 1 trades on this day: a first look sees orders. Eleven
# months of prices lie ahead of it, so that a home can be used again for that long.
FIRST_MOMENT = "2012-04-02T09:29:20"
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

    \b
    openbell up --sandbox
    openbell up --sandbox --at 2013-02-27T09:29:40 --home ~/practice

    Orders go only to a server that proves to be the sandbox. Before any other gateway a run
    decides and previews; what --no-dry-run would order there is denied, or refused at once where
    the mode is dry. With --sandbox runs may trade on paper there; its clock and its book are kept
    in the home and go on when it is started again.
    """
    folder = (home or Path(os.environ.get("OPENBELL_HOME") or PROJECT_ROOT / "var")).expanduser()
    with program():
        if not sandbox and (at is not None or rate is not None):
            raise ConfigurationError("--at and --rate are the sandbox's; add --sandbox")
        folder = folder.resolve()
        with home_lock(folder) as lock, Ports() as ports:
            tell_no_more(folder)  # what a killed set may have left counts for no settings
            practice = practice_in(folder, at, rate, FIRST_MOMENT) if sandbox else None
            if practice is not None:
                # The sandbox's values would cover up what is wrong here, `mode: live` above all.
                load_settings({**os.environ, "OPENBELL_HOME": str(folder)})
            stay(embedded_set(folder, ports, os.environ, practice), lock, practice)


def stay(chosen: EmbeddedSet, lock: int, practice: Practice | None) -> None:
    """Start the set, say where things are, and watch it until somebody ends it."""
    settings = load_settings(chosen.environment)
    require_sound(settings, practice)
    if "OPENBELL_REDIS_URL" not in chosen.told:
        require_redis(settings.redis_url.get_secret_value())
    starting = StartList(out, [part.name for part in chosen.parts])
    with running(chosen, lock, lambda: upgrade(settings), starting) as started:
        greet(chosen, settings, practice)
        until_stopped(started)


def require_sound(settings: Settings, practice: Practice | None) -> None:
    """What only a run would stumble over is refused before anything starts.

    Raises ConfigurationError for a strategy that cannot be read, and for a certificate; the
    sandbox makes its own when it starts.
    """
    StrategyFiles(settings.strategies_folder).all()
    for section in CERTIFIED if practice is None else ():
        if why := settings.unusable_certificate(section):
            raise ConfigurationError(why)


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
    # It may stand in another folder.
    if chosen.home != PROJECT_ROOT / "var":
        out.print(f"  export OPENBELL_HOME={chosen.home}", soft_wrap=True)
    out.print(f"  {openbell_anywhere()} trigger 1 --follow", soft_wrap=True)


def _places(
    chosen: EmbeddedSet, settings: Settings, practice: Practice | None
) -> Iterator[tuple[str, str]]:
    gateway = settings.ibkr.base_url
    if practice is not None:
        gateway += ", the sandbox: no real market, no real money"
        yield "market time", _market_time(settings, practice)
    yield "gateway", gateway
    yield "account", settings.ibkr.account_id or "none; set OPENBELL_IBKR__ACCOUNT_ID"
    yield "orders", orders(settings.mode, practice is not None)
    if chosen.mlflow_url:
        yield "MLflow", chosen.mlflow_url
    yield "Flower", f"{chosen.flower_url}  login {chosen.flower_login}"
    yield "logs", from_here(chosen.home / "run" / "logs")


def orders(mode: Mode, in_sandbox: bool) -> str:
    """Where orders go, and what comes of --no-dry-run."""
    if in_sandbox:
        return "on paper and to the sandbox alone, by --no-dry-run"
    if mode == "dry":
        return "none, every run is dry; --no-dry-run is refused (mode: dry)"
    return "by --no-dry-run, to a server that proves to be the sandbox; at any other each is denied"


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
