"""Whether a run is dry, paper or live: dry unless everything says otherwise. Pure."""

from worker.errors import ConfigurationError
from worker.models.strategy import Mode


def still_allowed(mode: Mode, configured: Mode) -> bool:
    """Whether a run that was started in `mode` may go on under today's configuration."""
    return mode in ("dry", configured)


def mode_of(configured: Mode, strategy_is_dry: bool, dry_run_wish: bool | None) -> Mode:
    """The run's mode.

    `dry_run_wish` is the command line's `--dry-run` (True), `--no-dry-run` (False) or neither.
    Raises ConfigurationError where orders are wanted and the configuration allows none: a run
    that was meant to trade must not pass quietly as a dry one.
    """
    wants_orders = not strategy_is_dry if dry_run_wish is None else not dry_run_wish
    if not wants_orders:
        return "dry"
    if configured == "dry":
        raise ConfigurationError(
            "orders are wanted, but the configuration says `mode: dry`; "
            "set `mode: paper` (OPENBELL_MODE), or run it dry"
        )
    if configured == "live":
        raise ConfigurationError("live trading is not open in this version; set `mode: paper`")
    return configured
