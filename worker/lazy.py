"""A part that is made when it is first asked for, once, whichever thread asks."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Part = TypeVar("Part")
_LOCK = threading.RLock()


class lazy(Generic[Part]):
    def __init__(self, make: Callable[[Any], Part]) -> None:
        self._make, self._name = make, make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[Part]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Part: ...
    def __get__(self, instance: object | None, owner: type) -> "Part | lazy[Part]":
        if instance is None:
            return self
        parts = instance.__dict__
        if self._name not in parts:
            with _LOCK:
                if self._name not in parts:
                    parts[self._name] = self._make(instance)
        made: Part = parts[self._name]
        return made
