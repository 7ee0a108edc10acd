"""What a drill will do: a pure function of its seed and the number of its runs."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import count, product
from typing import Literal

from scripts.drilling.kinds import (
    KINDS,
    LONG_STOP_SECONDS,
    SHORT_STOP_SECONDS,
    WEIGHTS,
    Group,
    Kind,
)
from worker.models.base import Value

# A day of the market: orders of unknown fate block their symbols until it ends.
RUNS_A_DAY, RUNS_A_WAVE = 48, 4
# From so many runs on every kind is there. Whoever dies in an order's conversation keeps all others
# from it for 30 s: with more harm than this, runs would do little else than wait.
RUNS_FOR_ALL, RUNS_AN_INJECTION, RUNS_A_FURTHER_INJECTION = 100, 2, 10
RUNS_OF_ENCORE = 16
STRATEGIES = (1, 2, 3, 4, 5, 6, 7, 8)
SHARE_OF_DOUBLES = 0.25
SHARE_OF_LONG_STOPS = 0.3
LOCKED_SECONDS = (3.0, 12.0)
DELAY_SECONDS = (0.5, 4.0)

Side = Literal["BUY", "SELL"]
SIDES: tuple[Side, ...] = ("BUY", "SELL")
# A wave's side and strategies.
Trading = tuple[Side, tuple[int, ...]]


class Injection(Value):
    """`nth`: which order of the wave, or time at the point, it waits for. `after_seconds`: when the
    drill does what is its own to do, once the wave has begun; `seconds`: how long that lasts."""

    id: str
    kind: str
    nth: int = 1
    after_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def what(self) -> Kind:
        return KINDS[self.kind]


class Wave(Value):
    """Runs that start at once, one for each of `strategies`, while the analyst says `side`."""

    number: int
    side: Side
    strategies: tuple[int, ...]
    injections: tuple[Injection, ...]


class Day(Value):
    waves: tuple[Wave, ...]


class Plan(Value):
    """`encore`: a further day without harm of its own, for what has not fired until then."""

    seed: int
    runs: int
    days: tuple[Day, ...]
    encore: Day | None

    @property
    def injections(self) -> tuple[Injection, ...]:
        return tuple(each for day in self.days for wave in day.waves for each in wave.injections)

    def planned(self) -> Counter[str]:
        """How often each kind is planned."""
        return Counter(each.kind for each in self.injections)


def plan_of(seed: int, runs: int) -> Plan:
    """The same for the same arguments, on every machine."""
    chance = random.Random(f"{seed}/{runs}")  # noqa: S311 - no secret
    waves, a_day = _waves(chance, runs), RUNS_A_DAY // RUNS_A_WAVE
    days = [waves[first : first + a_day] for first in range(0, len(waves), a_day)]
    dealt = _deal(_deck(chance, _size(runs)), [_runs_of(day) for day in days])
    numbers, ids = count(1), count(1)
    planned = tuple(
        Day(waves=tuple(_day(chance, numbers, ids, day, kinds)))
        for day, kinds in zip(days, dealt, strict=True)
    )
    encore = None
    if runs >= RUNS_FOR_ALL:
        encore = Day(waves=tuple(_day(chance, numbers, ids, _waves(chance, RUNS_OF_ENCORE), [])))
    return Plan(seed=seed, runs=runs, days=planned, encore=encore)


def _day(
    chance: random.Random,
    numbers: Iterator[int],
    ids: Iterator[int],
    waves: list[Trading],
    kinds: list[Kind],
) -> Iterator[Wave]:
    """What blocks a symbol for the rest of the day comes last."""
    heavy_last = sorted(kinds, key=lambda kind: WEIGHTS.index(kind.weight))
    shares = _deal(heavy_last, [_runs_of([wave]) for wave in waves])
    for (side, strategies), share in zip(waves, shares, strict=True):
        injections = tuple(_injections(chance, ids, share))
        yield Wave(number=next(numbers), side=side, strategies=strategies, injections=injections)


def _runs_of(waves: list[Trading]) -> int:
    return sum(len(strategies) for _, strategies in waves)


def _size(runs: int) -> int:
    """How many injections so many runs can bear."""
    if runs < RUNS_FOR_ALL:
        return max(1, runs // RUNS_AN_INJECTION)
    return len(KINDS) + (runs - RUNS_FOR_ALL) // RUNS_A_FURTHER_INJECTION


def _waves(chance: random.Random, runs: int) -> list[Trading]:
    """One half of the strategies buys, then the other; then the first sells, then the other. Now
    and then a strategy has two runs at once."""
    waves: list[Trading] = []
    left = runs
    while left:
        shuffled = chance.sample(STRATEGIES, len(STRATEGIES))
        halves = shuffled[:RUNS_A_WAVE], shuffled[RUNS_A_WAVE:]
        for side, half in product(SIDES, halves):
            chosen = list(half)
            if chance.random() < SHARE_OF_DOUBLES:
                chosen[0] = chosen[1]
            if left:
                waves.append((side, tuple(sorted(chosen[:left]))))
            left -= min(left, RUNS_A_WAVE)
    return waves


def _deck(chance: random.Random, size: int) -> list[Kind]:
    """Kinds in the order in which they are dealt: every one before any comes again, and every group
    from the beginning."""
    deck: list[Kind] = []
    while len(deck) < size:
        groups: dict[Group, list[Kind]] = {}
        for kind in KINDS.values():
            groups.setdefault(kind.group, []).append(kind)
        placed: list[tuple[float, float, Kind]] = []
        for members in groups.values():
            chance.shuffle(members)
            placed += [(i / len(members), chance.random(), kind) for i, kind in enumerate(members)]
        deck += [kind for _, _, kind in sorted(placed, key=lambda each: each[:2])]
    return deck[:size]


def _deal(kinds: list[Kind], runs: list[int]) -> list[list[Kind]]:
    """Neighbours together, to each share as many as its runs are of all."""
    total, given, done = sum(runs), 0, 0
    shares = []
    for some in runs:
        done += some
        end = round(len(kinds) * done / total)
        shares.append(kinds[given:end])
        given = end
    return shares


def _injections(
    chance: random.Random, ids: Iterator[int], kinds: list[Kind]
) -> Iterator[Injection]:
    """Those of one wave. Each that acts on orders takes another order; what acts at a question
    brings one."""
    orders = count(1)
    for kind in kinds:
        for each in ([KINDS["ask"]] if kind.asks else []) + [kind]:
            on_orders = each.group in ("request", "fate") and not each.asks
            yield Injection(
                id=f"{next(ids):04d}",
                kind=each.name,
                nth=next(orders) if on_orders else 1,
                after_seconds=round(chance.uniform(*DELAY_SECONDS), 1),
                seconds=_seconds(chance, each),
            )


def _seconds(chance: random.Random, kind: Kind) -> float:
    if kind.group == "stop":
        long = chance.random() < SHARE_OF_LONG_STOPS
        return LONG_STOP_SECONDS if long else SHORT_STOP_SECONDS
    if kind.group == "lock":
        return round(chance.uniform(*LOCKED_SECONDS), 1)
    return 0.0
