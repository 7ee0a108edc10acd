"""The demonstration itself: start, trigger, watch, sum up."""

from collections.abc import Sequence
from datetime import timedelta

from scripts.console import out
from scripts.demonstration.book import read_book
from scripts.demonstration.further import show_further
from scripts.demonstration.promises import Promise, Promises
from scripts.demonstration.runs import Progress, Shown, all_over, progress_of, trigger
from scripts.demonstration.setting import Setting
from scripts.demonstration.story import MODEL_STRATEGY, RULES_STRATEGY, Story
from scripts.demonstration.summary import show_account, show_promises, show_runs
from scripts.demonstration.view import RunsView
from scripts.parts.part import PartFailed
from scripts.parts.running import Running
from worker.celery import app
from worker.clock import SystemClock
from worker.runtime import Services, services

LOOK_SECONDS = 0.25
# Once it may trade, a run has this long: a lost worker's run is taken up again after two minutes.
PATIENCE = timedelta(seconds=180)
# A part may be killed and come back; one that keeps ending has failed.
DEATHS = 3


def services_of(setting: Setting) -> Services:
    """This process's services, which must be the demonstration's own."""
    app.set_current()
    s = services()
    if s.settings.home != setting.parts.home:
        raise PartFailed("demo", f"the settings are those of {s.settings.home}; nothing was done")
    return s


def play_runs(setting: Setting, started: Running, *, stay: bool) -> list[str]:
    """Trigger the runs, show them, sum up; what was promised and did not happen."""
    s = services_of(setting)
    progress = _watch(s, setting.story, _trigger(s, setting.story), started)
    found = _sum_up(s, setting, progress)
    show_further(setting, progress, stay=stay)
    return [promise.sentence for promise in found if not promise.kept]


def _trigger(s: Services, story: Story) -> list[Shown]:
    waits = story.kind != "session"
    first = Shown("strategy 1, dry", MODEL_STRATEGY, waits=waits)
    second = Shown("strategy 1, paper", MODEL_STRATEGY, waits=waits)
    third = Shown("strategy 2, by Beat", RULES_STRATEGY, by_beat=True)
    shown = [trigger(s, first, dry_run=True), trigger(s, second, dry_run=False)]
    if story.beat_due is None:
        by_hand = Shown("strategy 2, dry", RULES_STRATEGY)
        return [*shown, trigger(s, by_hand, dry_run=True)]
    return [*shown, third]


def _watch(s: Services, story: Story, shown: Sequence[Shown], started: Running) -> list[Progress]:
    """Show the runs until they are over, or held for longer than a person would watch."""
    last = max(story.release, story.beat_due or story.release, s.clock.market_now())
    if story.kind == "closed":
        last = s.clock.market_now()
    end = s.clock.wall_now() + timedelta(seconds=s.clock.wall_seconds(last - s.clock.market_now()))
    end += PATIENCE
    with RunsView(out, s, story) as view:
        while True:
            progress = [progress_of(s, one) for one in shown]
            view.show(progress)
            if _is_told(story, progress) or s.clock.wall_now() > end:
                return progress
            for name in started.require_life(DEATHS):
                out.print(f"{name} ended and is started again", style="yellow")
            SystemClock().sleep(LOOK_SECONDS)


def _is_told(story: Story, progress: Sequence[Progress]) -> bool:
    if story.kind != "closed":
        return all_over(progress)
    return all(one.is_held if one.shown.waits else one.is_over for one in progress)


def _sum_up(s: Services, setting: Setting, progress: Sequence[Progress]) -> list[Promise]:
    sandbox = setting.parts.sandbox
    assert sandbox is not None  # noqa: S101 - the demonstration always has one
    book = read_book(sandbox.url, sandbox.certificate)
    show_runs(s, progress)
    show_account(s, progress, book)
    found = Promises(s, setting.story, book, must_trade=setting.default_day).of(progress)
    show_promises(found)
    return found
