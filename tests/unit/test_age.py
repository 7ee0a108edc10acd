"""How old a figure is: nobody knows of one from the future."""

from datetime import datetime, timedelta

import pytest

from tests.support.market import NOW
from worker.risk.figures import age

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (None, None),
        (NOW, timedelta()),
        (NOW - SECOND, SECOND),
        (NOW + 2 * SECOND, timedelta()),
        (NOW + 2 * SECOND + timedelta(microseconds=1), None),
        (NOW + timedelta(days=365), None),
    ],
)
def test_an_age_is_never_negative_and_the_future_has_none(
    then: datetime | None, expected: timedelta | None
) -> None:
    assert age(then, NOW) == expected
