"""The code's own version, written beside what it records."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def code_version() -> str:
    try:
        return version("openbell")
    except PackageNotFoundError:
        return "unknown"
