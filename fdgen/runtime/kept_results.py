"""Results that are kept for the objects they were computed from: objects that never change, and have no hash."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kept_for_objects(n_objects: int, *, most: int) -> Callable[[_Function], _Function]:
    """Keep what a function returns for its first `n_objects` arguments, by identity, and for its other ones.

    The others are distinguished by value. All are given by place. Nothing may change the objects or what is returned.
    Once `most` results are kept, all are forgotten.

    >>> @kept_for_objects(1, most=10)
    ... def doubled(numbers: list[int]) -> list[int]:
    ...     return [2 * number for number in numbers]
    >>> numbers = [1, 2]
    >>> doubled(numbers) is doubled(numbers), doubled(numbers) is doubled([1, 2])
    (True, False)
    """

    def keep(function: _Function) -> _Function:
        kept: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}

        @functools.wraps(function)
        def recalled(*arguments: Any) -> Any:
            objects = arguments[:n_objects]
            key = (*map(id, objects), *arguments[n_objects:])
            entry = kept.get(key)
            if entry is None:
                if len(kept) >= most:
                    kept.clear()
                # The objects are kept too: another that came after one of them could else have its id.
                entry = kept[key] = objects, function(*arguments)
            return entry[1]

        return cast("_Function", recalled)

    return keep
