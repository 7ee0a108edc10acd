"""Where a person looks further."""

from collections.abc import Iterator, Sequence

from scripts.console import celery, from_here, openbell, out, print_pairs
from scripts.demonstration.runs import Progress
from scripts.demonstration.setting import Setting
from tasks.chain import task_ids

DECIDING = ("generate_signal", "place_orders")


def show_further(setting: Setting, progress: Sequence[Progress], *, stay: bool) -> None:
    out.print("\nWhere to look further", style="bold")
    print_pairs(_places(setting, progress))
    out.print()
    if stay:
        out.print("Everything stays up; Ctrl-C stops it.", style="bold")
        return
    out.print("Everything stops now. Its pages and these runs come back with")
    out.print(f"  {openbell()} up --sandbox --home {setting.parts.home}", soft_wrap=True)


def _places(setting: Setting, progress: Sequence[Progress]) -> Iterator[tuple[str, str]]:
    parts = setting.parts
    yield "the story of a run", f"export OPENBELL_HOME={parts.home}"
    for one in progress:
        if one.row is not None:
            yield f"  {one.shown.label}", f"{openbell()} runs show {one.row.run_id}"
    yield "Flower", f"{parts.flower_url}/tasks  login {parts.flower_login}"
    yield "MLflow", str(parts.mlflow_url)
    for one in progress:
        if one.run is not None and one.run.tracking is not None and one.run.tracking.run_id:
            link = f"{parts.mlflow_url}/#/runs/{one.run.tracking.run_id}"
            yield f"  {one.shown.label}", link
    yield from _results(progress)
    yield "logs", from_here(parts.home / "run" / "logs")


def _results(progress: Sequence[Progress]) -> Iterator[tuple[str, str]]:
    """The results that Celery keeps of the paper run's deciding steps, if it came to them."""
    for one in progress:
        if one.row is None or one.row.mode != "paper":
            continue
        ids = task_ids(one.row.run_id)
        for name in DECIDING:
            step = one.step(name)
            if step is not None and step.state == "done":
                yield f"result of {name}", f"{celery()} -A worker result {ids[f'tasks.{name}']}"
