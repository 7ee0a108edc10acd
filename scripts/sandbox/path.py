"""How the price moves within a day: drawn, not recorded.

The file knows four prices a day. Between them the sandbox draws a path, the same one whenever the
same seed, symbol and date are asked for: it starts at the open, ends at the close, touches high and
low at some minute each, and never leaves them. Anyone who sees it is told that it is drawn.
"""

import random
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise

from scripts.sandbox.prices import Day

LABEL = "Drawn by the sandbox between real daily prices"
LIVELINESS = 0.6  # of a random walk that would span the day's range


@dataclass(frozen=True)
class Path:
    """Knots by minute, in cents; `volumes` counts the shares traded up to each knot."""

    knots: tuple[int, ...]
    volumes: tuple[int, ...]
    highs: tuple[int, ...]  # highest knot so far
    lows: tuple[int, ...]
    spreads: tuple[int, ...]  # in cents, by minute
    bid_sizes: tuple[int, ...]
    ask_sizes: tuple[int, ...]

    @property
    def minutes(self) -> int:
        return len(self.knots) - 1

    def price(self, second: float) -> int:
        """In cents, `second` seconds after the open; before and after it is open and close."""
        minute, part = self._locate(second)
        return _between(self.knots, minute, part)

    def volume(self, second: float) -> int:
        minute, part = self._locate(second)
        return _between(self.volumes, minute, part)

    def high(self, second: float) -> int:
        return max(self.highs[self._locate(second)[0]], self.price(second))

    def low(self, second: float) -> int:
        return min(self.lows[self._locate(second)[0]], self.price(second))

    def spread(self, second: float) -> int:
        return self.spreads[self._locate(second)[0]]

    def sizes(self, second: float) -> tuple[int, int]:
        minute = self._locate(second)[0]
        return self.bid_sizes[minute], self.ask_sizes[minute]

    def _locate(self, second: float) -> tuple[int, int]:
        whole = min(max(int(second), 0), self.minutes * 60)
        return min(whole // 60, self.minutes), whole % 60


def draw(seed: str, symbol: str, day: Day, minutes: int) -> Path:
    digest = sha256(f"{seed}:{symbol}:{day.day.isoformat()}".encode()).digest()
    # Not for secrets: the same day must look the same on every machine.
    source = random.Random(int.from_bytes(digest))  # noqa: S311
    knots = _knots(source, day, minutes)
    marks = minutes + 1
    return Path(
        knots=knots,
        volumes=_volumes(source, day.volume, minutes),
        highs=tuple(accumulate(knots, max)),
        lows=tuple(accumulate(knots, min)),
        spreads=tuple(source.choice((1, 1, 2, 3)) for _ in range(marks)),
        bid_sizes=tuple(source.randint(1, 20) * 100 for _ in range(marks)),
        ask_sizes=tuple(source.randint(1, 20) * 100 for _ in range(marks)),
    )


def _knots(source: random.Random, day: Day, minutes: int) -> tuple[int, ...]:
    anchors = {0: day.open, minutes: day.close}
    for extreme in (day.high, day.low):
        if extreme not in (day.open, day.close):
            free = [minute for minute in range(1, minutes) if minute not in anchors]
            anchors[source.choice(free)] = extreme
    step = LIVELINESS * (day.high - day.low) / minutes**0.5
    knots = [day.open]
    for (start, first), (end, last) in pairwise(sorted(anchors.items())):
        knots += _bridge(source, first, last, end - start, step, day)
    return tuple(knots)


def _bridge(
    source: random.Random, first: int, last: int, count: int, step: float, day: Day
) -> list[int]:
    """A random walk tied down at both ends and mirrored at the day's high and low."""
    walk = list(accumulate(source.gauss(0, step) for _ in range(count)))
    inner = (
        first + (last - first) * k / count + walk[k - 1] - walk[-1] * k / count
        for k in range(1, count)
    )
    return [_mirrored(round(price), day.low, day.high) for price in inner] + [last]


def _mirrored(price: int, low: int, high: int) -> int:
    if price > high:
        price = 2 * high - price
    elif price < low:
        price = 2 * low - price
    return min(max(price, low), high)


def _volumes(source: random.Random, total: int, minutes: int) -> tuple[int, ...]:
    """Busier near the open and the close, as on an exchange; the last knot is the day's total."""
    weights = [
        (1 + 3 * (2 * minute / minutes - 1) ** 2) * (0.5 + source.random())
        for minute in range(minutes)
    ]
    whole = sum(weights)
    sums = [int(total * part / whole) for part in accumulate(weights)]
    return (0, *sums[:-1], total)


def _between(values: tuple[int, ...], minute: int, part: int) -> int:
    if part == 0:
        return values[minute]
    return values[minute] + round((values[minute + 1] - values[minute]) * part / 60)
