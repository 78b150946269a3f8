"""What is kept is what would be computed, however objects come and go."""

from __future__ import annotations

import pytest

from fdgen.runtime.kept_results import kept_for_objects


def test_objects_are_told_apart_by_identity_and_the_rest_by_value() -> None:
    calls = []

    @kept_for_objects(1, most=100)
    def joined(words: list[str], by: str) -> str:
        calls.append(words)
        return by.join(words)

    words = ["a", "b"]
    assert [joined(words, "-"), joined(words, "-"), joined(words, "+")] == ["a-b", "a-b", "a+b"]
    assert joined(["a", "b"], "-") == "a-b"
    assert len(calls) == 3


def test_an_object_in_the_place_of_one_that_is_gone_is_another() -> None:
    @kept_for_objects(1, most=1000)
    def first(words: list[int]) -> int:
        return words[0]

    assert [first([number]) for number in range(500)] == list(range(500))


def test_no_more_are_kept_than_asked() -> None:
    calls = []

    @kept_for_objects(0, most=3)
    def halved(number: int) -> int:
        calls.append(number)
        return number // 2

    assert [halved(number) for number in (1, 2, 3, 4, 1)] == [0, 1, 1, 2, 0]
    assert calls == [1, 2, 3, 4, 1]


def test_an_error_is_raised_again() -> None:
    @kept_for_objects(1, most=3)
    def fails(words: list[str]) -> str:
        return words[0]

    nothing: list[str] = []
    for _ in range(2):
        with pytest.raises(IndexError):
            fails(nothing)
