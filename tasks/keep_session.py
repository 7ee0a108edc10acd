"""Upkeep: keep the broker's session alive, whatever else happens."""

from celery import shared_task

from worker.errors import OpenbellError
from worker.runtime import Services, services


@shared_task(name="tasks.keep_session")  # type: ignore[untyped-decorator]
def keep_session() -> str:
    """Tickle the gateway once; a login that is needed is an alert, sent once until it is back."""
    s = services()
    with s.turn("keep_session") as mine:
        return _tickle(s) if mine else "another does"


def _tickle(s: Services) -> str:
    try:
        session = s.broker.tickle()
    except OpenbellError as error:
        s.tell_once("warning", "session", "The broker's session is not there", error.sentence)
        return error.sentence
    if not session.healthy:
        s.tell_once("warning", "session", "The broker's session is not healthy", session.message)
        return "not healthy"
    s.forget("session")
    return "healthy"
