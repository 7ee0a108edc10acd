"""Every combination of the configured mode, the strategy's word and the command line."""

from typing import Any

import pytest

from worker.errors import ConfigurationError
from worker.modes import mode_of

TABLE = [
    # configured, strategy.dry_run, --dry-run wish, mode (None: refused)
    ("dry", True, None, "dry"),
    ("dry", True, True, "dry"),
    ("dry", True, False, None),
    ("dry", False, None, None),
    ("dry", False, True, "dry"),
    ("dry", False, False, None),
    ("paper", True, None, "dry"),
    ("paper", True, True, "dry"),
    ("paper", True, False, "paper"),
    ("paper", False, None, "paper"),
    ("paper", False, True, "dry"),
    ("paper", False, False, "paper"),
    ("live", True, None, "dry"),
    ("live", True, True, "dry"),
    ("live", True, False, None),
    ("live", False, None, None),
    ("live", False, True, "dry"),
    ("live", False, False, None),
]


@pytest.mark.parametrize(("configured", "strategy_is_dry", "wish", "expected"), TABLE)
def test_mode_of_every_combination(
    configured: Any, strategy_is_dry: bool, wish: bool | None, expected: str | None
) -> None:
    if expected is None:
        with pytest.raises(ConfigurationError):
            mode_of(configured, strategy_is_dry, wish)
    else:
        assert mode_of(configured, strategy_is_dry, wish) == expected
