"""The page that a trader reads after a run."""

from tests.support.records import full_record, steps
from tests.support.values import run
from worker.joined.page import summary_page
from worker.models.record import Record

WHOLE = """# momentum: done

**Sandbox.** No broker and no money were involved; prices are drawn within the day.

|  |  |
| --- | --- |
| Run | `20130227-143000-1-aaaaaaaa` |
| Mode | paper |
| Slot | `manual:1`, due 2013-02-27 14:30:00 UTC, market time |
| Account | paper, proved |
| Symbols | AAPL, MSFT |
| Strategy | 1, `{digest}` |
| Version | 0.1.0 |

## Signals

| Symbol | Signal | Confidence | Price | By | Why |
| --- | --- | --- | --- | --- | --- |
| AAPL | **BUY** | 80% | 430.00 | rules | It stands above its average \\| and $430 &lt; $431. |
| MSFT | **SELL** | 60% | 430.00 | rules | It stands above its average \\| and $430 &lt; $431. |

## Orders

| Symbol | Outcome | Order | Limit | State | Filled | Average | Owns | Reason |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| AAPL | placed | BUY 11 | 431.25 | FILLED | 11 | 430.50 | 0 → 11 | filled |
| MSFT | denied | SELL |  |  |  |  |  | the strategy owns none of it |

## Checks

| Symbol |  | Check | Why |
| --- | --- | --- | --- |
| AAPL | passed | MAX_ORDER_VALUE | passed |

## Fills

| At, market time | Symbol | Fill | Price | Commission |
| --- | --- | --- | --- | --- |
| 2013-02-27 14:30:00 UTC | AAPL | BUY 11 | 430.50 | 1.00 |

## Steps

| Step | State | Began, wall clock | Seconds | Error |
| --- | --- | --- | --- | --- |
| start_tracking | done | 2013-02-27 14:30:00 UTC | 1.5 |  |

## Remarks

- MSFT: its bars are not on record: it is missing
"""


def test_the_page_of_a_whole_run() -> None:
    missing = ("MSFT: its bars are not on record: it is missing",)
    record = full_record(steps=steps(1), missing=missing)
    assert summary_page(record) == WHOLE.format(digest=record.run.strategy.digest)


def test_the_page_of_a_run_that_failed_early_says_what_failed() -> None:
    failed = run(failure="validate_environment: Redis does not answer")
    page = summary_page(Record(run=failed, version="0.1.0"))
    assert page.startswith(
        "# momentum: failed\n\nvalidate_environment: Redis does not answer\n\n|  |  |\n"
    )
    assert "| Account | not proved |" in page
    assert "##" not in page
