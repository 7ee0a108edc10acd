"""The doctor's look at every part but the gateway."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis

from scripts.access import impatient_redis
from scripts.console import openbell
from scripts.doctor_findings import Finding, ok, problem, warning
from scripts.strategies import denied_symbols
from worker.errors import ConfigurationError, OpenbellError
from worker.http import Tls, make_client

if TYPE_CHECKING:
    from worker.models.strategy import Strategy
    from worker.runtime import Services

PATIENCE_SECONDS = 3.0
FLOWER_URL, FLOWER_PASSWORD = "OPENBELL_FLOWER_URL", "OPENBELL_FLOWER_PASSWORD"
FLOWER_USER = "openbell"


def parts(s: "Services") -> Iterator[Finding]:
    """One after the other; each says something, whatever state the others are in."""
    yield configuration(s)
    yield from strategies(s)
    yield calendar(s)
    kept = journal(s)
    yield kept
    yield store(s)
    answers = redis_server(s)
    yield answers
    if answers.verdict != "problem":
        yield from workers()
        yield beat()
        if kept.verdict != "problem":
            yield from deaf_queues(s)
    yield from flower(s)
    yield mlflow(s)
    yield model(s)
    yield alerts(s)


def home(s: "Services") -> Iterator[Finding]:
    """Only where it is not there: whatever looks into it must not make it."""
    folder = s.settings.home
    if not folder.is_dir():
        yield problem(
            "home",
            f"{folder} does not exist: nothing is kept there",
            f"correct OPENBELL_HOME, or make it with {openbell()} up",
        )


def configuration(s: "Services") -> Finding:
    from worker.running_set import running_set

    settings = s.settings
    file = os.environ.get("OPENBELL_CONFIG") or settings.config_dir / "trading_workflow.yaml"
    told = running_set(settings.home, os.environ)
    running = ", with what runs in it" if told else ""
    return ok("configuration", f"{file}; mode {settings.mode}; home {settings.home}{running}")


def strategies(s: "Services") -> Iterator[Finding]:
    problems = s.strategies.problems()
    for sentence in problems:
        yield problem("strategies", sentence)
    enabled = _enabled(s)
    if not problems and not enabled:
        yield warning("strategies", "none is enabled: nothing can run")
    elif not problems:
        names = ", ".join(f"{one.id} {one.name}" for one in enabled)
        yield ok("strategies", f"{len(enabled)} enabled: {names}")
    for one in enabled:
        try:
            s.mode_of(one, None)
        except ConfigurationError as error:
            yield problem("strategies", f"each start of {one.id} {one.name} is refused: {error}")
        for denied in denied_symbols(one, s.settings, s.strategies.place_of):
            yield problem("strategies", denied)


def calendar(s: "Services") -> Finding:
    now = s.clock.market_now()
    replayed = ""
    if s.settings.replay_clock is not None:
        replayed = f"; market time is replayed: {s.local(now)}, {s.clock.rate:g} x"
    try:
        running, coming = s.calendar.hours_at(now), s.calendar.next_hours(now)
    except OpenbellError as error:
        return problem("calendar", error.sentence)
    name = s.settings.market.calendar
    if running is not None:
        return ok("calendar", f"{name} is open until {s.local(running.closes_at)}{replayed}")
    return ok("calendar", f"{name} is closed; it opens {s.local(coming.opens_at)}{replayed}")


def journal(s: "Services") -> Finding:
    from sqlalchemy import make_url

    from scripts.access import require_journal

    try:
        require_journal(s)
    except OpenbellError as error:
        return problem("journal", error.sentence)
    url = make_url(s.settings.journal_url)
    sqlite = url.get_backend_name() == "sqlite"
    place = f"SQLite, {url.database}" if sqlite else url.render_as_string()
    statuses = [row.status for row in s.runs.unfinished()]
    never = statuses.count("created")
    left = f", {never} written down and not started" if never else ""
    return ok("journal", f"{place}; runs under way: {len(statuses) - never}{left}")


def store(s: "Services") -> Finding:
    address = s.settings.store_address
    if "://" not in address and not Path(address).is_dir():  # to try it would make it
        return ok("store", f"{address} does not exist yet; the first run makes it")
    try:
        s.store.probe()
    except OpenbellError as error:
        return problem("store", error.sentence)
    return ok("store", f"{address} takes and gives")


def redis_server(s: "Services") -> Finding:
    place = "it"
    try:
        with impatient_redis(s) as client:
            pool = client.connection_pool.connection_kwargs
            place = f"{pool.get('host', 'localhost')}:{pool.get('port', 6379)}"
            info: Any = client.info()
    except redis.AuthenticationError:
        return problem("redis", f"{place} refuses the password", "correct OPENBELL_REDIS_URL")
    except (redis.RedisError, OSError) as error:
        return problem(
            "redis",
            f"{place} does not answer ({type(error).__name__})",
            f"start it, or {openbell()} up, or point OPENBELL_REDIS_URL at it",
        )
    except ValueError as error:
        return problem("redis", f"OPENBELL_REDIS_URL cannot be read ({error})")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return warning(
            "redis",
            f"{place} drops keys when it is full (maxmemory-policy {policy}), messages among them",
            "set maxmemory-policy noeviction",
        )
    name = "Valkey" if "valkey_version" in info else "Redis"
    return ok("redis", f"{name} {info.get('valkey_version', info.get('redis_version'))}, {place}")


def workers() -> Iterator[Finding]:
    from scripts.consumers import consumers, every_queue

    needed = every_queue()
    found = consumers(needed)
    if found is None:
        yield problem("workers", "they cannot be asked: Redis does not take the question")
        return
    there = {queue: found.queues[queue] for queue in sorted(needed & found.queues.keys())}
    missing = sorted(needed - there.keys())
    if missing:
        names = ",".join(missing)
        yield problem(
            "workers",
            f"no worker consumes {', '.join(missing)}",
            f"{openbell()} up, or celery -A worker worker -Q {names}",
        )
    if there:
        yield ok("workers", "; ".join(f"{queue}: {', '.join(who)}" for queue, who in there.items()))


def beat() -> Finding:
    from scripts.consumers import beats

    found = beats()
    if not found:
        return problem(
            "beat",
            "none answers: nothing starts by schedule, and no upkeep is done",
            f"{openbell()} up, or celery -A worker beat",
        )
    return ok("beat", ", ".join(found))


def deaf_queues(s: "Services") -> Iterator[Finding]:
    """What Beat found out: a worker may be there, and take nothing."""
    from scripts.consumers import every_queue

    for queue in sorted(every_queue()):
        if s.beacons.is_lit(f"told:queue:{queue}"):
            yield problem(
                "workers",
                f"nothing is taken from {queue}, whoever is there",
                f"restart the worker of {queue}",
            )


def flower(s: "Services") -> Iterator[Finding]:
    """Only where somebody said where it is."""
    from worker.running_set import running_set

    known = running_set(s.settings.home, os.environ) | dict(os.environ)
    url, password = known.get(FLOWER_URL), known.get(FLOWER_PASSWORD)
    if not url:
        return
    login = httpx.BasicAuth(FLOWER_USER, password) if password else None
    answer = _get(url, "/", auth=login)
    if isinstance(answer, str):
        yield warning("flower", f"{url}: {answer}")
    elif answer.status_code == 401:
        yield warning("flower", f"{url} wants another login", f"correct {FLOWER_PASSWORD}")
    elif answer.is_success:
        yield ok("flower", f"{url}{f', login {FLOWER_USER}' if password else ''}")
    else:
        yield warning("flower", f"{url} answers {answer.status_code}")


def mlflow(s: "Services") -> Finding:
    """Whatever it is, a run trades on without it."""
    wanted = s.settings.mlflow
    if not wanted.enabled:
        return ok("mlflow", "not used (mlflow.enabled: false); runs are in the journal alone")
    uri = wanted.tracking_uri
    if not uri:
        return warning(
            "mlflow", "no server is named: runs are in the journal alone", "set MLFLOW_TRACKING_URI"
        )
    if not uri.startswith(("http://", "https://")):
        return ok("mlflow", f"{uri}, which is no server; it was not asked")
    answer = _get(uri, "/version")
    if isinstance(answer, str):
        return warning("mlflow", f"{uri}: {answer}; runs go on untracked", "start it")
    if not answer.is_success:
        return warning("mlflow", f"{uri} answers {answer.status_code}; runs go on untracked")
    return ok("mlflow", f"{uri}, MLflow {answer.text.strip()[:20]}")


def model(s: "Services") -> Finding:
    asking = [one.name for one in _enabled(s) if one.signal.analyst == "model"]
    signal = s.settings.signal
    if not signal.base_url:
        if not asking:
            return ok("model", "none is named, and no enabled strategy asks one")
        return problem(
            "model",
            f"none is named, and {', '.join(asking)} ask one",
            "set OPENBELL_SIGNAL__BASE_URL and OPENBELL_SIGNAL__API_KEY, or `analyst: rules`",
        )
    if unusable := s.settings.unusable_certificate("signal"):
        return problem("model", unusable)
    key = signal.api_key.get_secret_value() if signal.api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else None
    answer = _get(signal.base_url, "models", tls=signal.tls, headers=headers)
    return _judged_model(answer, signal.base_url, signal.model, bool(asking))


def alerts(s: "Services") -> Finding:
    given = s.settings.alerts
    if given.critical or given.warning or given.info:
        count = len((*given.critical, *given.warning, *given.info))
        return ok("alerts", f"to {count} address{'' if count == 1 else 'es'} and the log")
    return ok("alerts", "to the workers' log alone; OPENBELL_ALERTS__CRITICAL adds addresses")


def _judged_model(answer: httpx.Response | str, url: str, name: str, is_asked: bool) -> Finding:
    bad = problem if is_asked else warning
    if isinstance(answer, str):
        return bad("model", f"{url}: {answer}", "correct OPENBELL_SIGNAL__BASE_URL, or start it")
    if answer.status_code in (401, 403):
        fix = "correct OPENBELL_SIGNAL__API_KEY"
        return bad("model", f"{url} refuses the key ({answer.status_code})", fix)
    if answer.status_code == 404:
        return warning("model", f"{url} lists no models (404); only a run will show", None)
    if not answer.is_success:
        return bad("model", f"{url} answers {answer.status_code}")
    try:
        listed = [str(row["id"]) for row in answer.json()["data"]]
        owners = [str(row.get("owned_by")) for row in answer.json()["data"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        fix = "correct OPENBELL_SIGNAL__BASE_URL; it usually ends in /v1"
        return bad("model", f"{url} does not speak as an OpenAI-compatible endpoint does", fix)
    if any("sandbox" in owner for owner in owners):
        return ok("model", f"{url}, the sandbox's scripted analyst; no model is asked")
    if name not in listed:
        return warning("model", f"{url} does not list {name}", "correct signal.model")
    return ok("model", f"{url}, {name}")


def _get(
    base_url: str, path: str, *, tls: Tls | None = None, auth: Any = None, headers: Any = None
) -> httpx.Response | str:
    """The answer, or why there is none."""
    try:
        with make_client(
            base_url, tls=tls or Tls(), timeout_seconds=PATIENCE_SECONDS, headers=headers
        ) as client:
            return client.get(path, auth=auth)
    except httpx.TimeoutException:
        return f"no answer within {PATIENCE_SECONDS:.0f} s"
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return f"it does not answer ({error})"
    except OpenbellError as error:
        return error.sentence


def _enabled(s: "Services") -> "tuple[Strategy, ...]":
    return s.strategies.enabled()
