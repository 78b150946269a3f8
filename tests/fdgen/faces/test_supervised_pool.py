"""A photograph that hangs or kills workers costs itself alone, and an accident of the machine costs nothing."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fdgen.faces.supervised_pool
from fdgen.cards.card import write_card
from fdgen.contract.records import Reject, Triplet
from fdgen.errors import FdError
from fdgen.faces.folders import Face
from fdgen.faces.sources import Source
from fdgen.faces.supervised_pool import SupervisedPool
from fdgen.pipeline.builder import Progress
from fdgen.recipe.schema import Recipe
from fdgen.verification.verifier import verify
from fdgen.versions.lock import read_lock
from fdgen.versions.reproduction import reproduce
from tests.support.fake_build import COUNT, FACES, STEPS, FakeFaces, detect, digests, generate, rejects_of, run
from tests.support.pool_work import crash, hang, nothing, wait_for_ever, work

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

LIMIT_S = 1.0
"""Ten times that is what a worker has to start, on a machine that does other things too."""

POISONED = FACES.source(17).path
"""Of a photograph that gives a sample in an undisturbed build."""


def generate_and_crash(face: Face, recipe: Recipe, library: Any, variant: int = 0, **options: Any) -> Triplet | Reject:
    if face.source.path == POISONED:
        crash()
    return generate(face, recipe, library, variant, **options)


def generate_and_hang(face: Face, recipe: Recipe, library: Any, variant: int = 0, **options: Any) -> Triplet | Reject:
    if face.source.path == POISONED:
        hang()
    return generate(face, recipe, library, variant, **options)


def detect_and_crash(faces: Any, wanted: Any, **options: Any) -> Any:
    if any(source.path == POISONED for source in wanted):
        crash()
    return detect(faces, wanted, **options)


def detect_and_hang(faces: Any, wanted: Any, **options: Any) -> Any:
    if any(source.path == POISONED for source in wanted):
        hang()
    return detect(faces, wanted, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "at", "reason", "how"),
    [
        (dataclasses.replace(STEPS, generate=generate_and_crash), "sample", "crashed-worker", "died (SIGSEGV)"),
        pytest.param(
            dataclasses.replace(STEPS, generate=generate_and_hang),
            "sample",
            "took-too-long",
            "made no progress for",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            dataclasses.replace(STEPS, detect=detect_and_crash),
            "landmarks",
            "crashed-worker",
            "died (SIGSEGV)",
            marks=pytest.mark.slow,
        ),
        (dataclasses.replace(STEPS, detect=detect_and_hang), "landmarks", "took-too-long", "made no progress for"),
    ],
)
def test_a_poisoned_photograph_is_rejected_and_remembered(
    tmp_path: Path, steps: Any, at: str, reason: str, how: str
) -> None:
    """Also by a build that is finished, by one that is resumed, and by one from the card."""
    faces, out, said = FakeFaces.of(30), tmp_path / "set", []
    run(out, faces, workers=2, steps=steps, time_limit_s=LIMIT_S, on_setback=said.append)
    named = [row for row in rejects_of(out) if row["source"] == POISONED]
    assert [row["reason"] for row in named] == [reason]
    assert len(said) == 2
    assert how in said[0]
    assert said[0].endswith(f"at {POISONED}, which has one more try")
    assert said[1].endswith(f"at {POISONED}, which is left out")
    dataset = json.loads((out / "dataset.json").read_text())
    assert [(row["source"], row["at"], row["reason"]) for row in dataset["given_up"]] == [(POISONED, at, reason)]
    assert verify(out) == []
    assert not list(out.rglob("*.tmp"))

    before = digests(out)
    run(out, faces)  # the same build, where nothing hangs any more: it is what it was
    assert digests(out) == before
    receipt = next(path for path in sorted(out.glob("shards/*.json")) if POISONED in path.read_text() or at != "sample")
    receipt.unlink()
    run(out, faces, workers=2)
    assert digests(out) == before

    write_card(out, tmp_path / "card")
    assert read_lock(tmp_path / "card").facts["given_up"] == dataset["given_up"]
    rebuilt = reproduce(tmp_path / "card", faces, tmp_path / "again", workers=1, steps=STEPS)  # type: ignore[arg-type]
    assert rebuilt.same
    assert rejects_of(tmp_path / "again") == rejects_of(out)


@pytest.mark.slow
def test_other_numbers_of_workers_reject_the_same(tmp_path: Path) -> None:
    steps = dataclasses.replace(STEPS, generate=generate_and_crash, detect=detect_and_crash_too)
    for workers in (2, 3):
        run(tmp_path / str(workers), FACES, count=COUNT, workers=workers, steps=steps)
    assert digests(tmp_path / "2") == digests(tmp_path / "3")


def detect_and_crash_too(faces: Any, wanted: Any, **options: Any) -> Any:
    if any(source.path == FACES.source(29).path for source in wanted):
        crash()
    return detect(faces, wanted, **options)


# Accidents


def strike(number: signal.Signals, seconds: float) -> Callable[[], None]:
    """Begin to send a signal to one worker after the other; return what ends that."""
    ended = threading.Event()

    def go_on() -> None:
        struck: set[int] = set()
        while not ended.wait(seconds):
            for child in multiprocessing.active_children():
                if child.pid is not None and child.pid not in struck and len(struck) < 2:
                    struck.add(child.pid)
                    os.kill(child.pid, number)
                    break

    thread = threading.Thread(target=go_on)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_struck_from_outside_changes_no_byte(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("FAKE_BUILD_DELAY_S", "0.05")
    said: list[str] = []
    struck: list[int] = []

    def strike_once(progress: Progress) -> None:
        if progress.done >= 5 and not struck:
            struck.extend(child.pid for child in multiprocessing.active_children()[:1] if child.pid is not None)
            os.kill(struck[0], number)

    options = {"time_limit_s": LIMIT_S, "on_setback": said.append, "on_progress": strike_once}
    run(tmp_path / "set", FACES, count=COUNT, workers=2, **options)
    assert struck
    assert [sentence.split(" at ")[0].split(" between ")[0] for sentence in said] in (
        ["a worker died (SIGKILL)"],
        [f"a worker made no progress for {LIMIT_S:g} s"],
        [f"a worker made no progress for {3 * LIMIT_S:g} s"],
        [f"a worker made no progress for {10 * LIMIT_S:g} s"],
    )
    assert not any("left out" in sentence for sentence in said)
    assert digests(tmp_path / "set") == digests(built)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.6, 1.2, 2.0])
def test_workers_that_are_struck_at_any_moment_change_no_byte(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, seconds: float
) -> None:
    monkeypatch.setenv("FAKE_BUILD_DELAY_S", "0.02")
    said: list[str] = []
    end = strike(number, seconds)
    try:
        run(tmp_path / "set", FACES, count=COUNT, workers=2, time_limit_s=LIMIT_S, on_setback=said.append)
    finally:
        end()
    assert not any("left out" in sentence for sentence in said)
    assert digests(tmp_path / "set") == digests(built)


# The pool alone

SOURCES = [(Source(f"{number}.jpg", f"{number:064}"), 0) for number in range(4)]


def test_a_task_goes_on_without_each_photograph_that_is_given_up() -> None:
    with SupervisedPool(1, nothing, (), limit_s=None) as pool:
        assert pool.submit(work, "both", SOURCES).result(60)[0] == [1, 2]
        assert len(pool.setbacks()) == 4
        assert pool.submit(work, "none", SOURCES).result(60)[0] == []
        assert pool.setbacks() == []


def test_what_is_raised_and_what_is_large_arrives() -> None:
    with SupervisedPool(1, nothing, (), limit_s=60) as pool:
        with pytest.raises(FdError, match="a sentence") as caught:
            pool.submit(work, "raise", SOURCES).result(60)
        assert caught.value.hint == "a hint"
        assert "in work" in str(caught.value.__cause__)  # where in the worker
        assert len(pool.submit(work, "large", SOURCES).result(60)) == 5_000_000
        with pytest.raises(AttributeError):
            pool.submit(lambda *_: None, "none", SOURCES).result(60)


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(FdError, match="more than 0 seconds, got 0"):
        SupervisedPool(1, nothing, (), limit_s=0)


def test_a_crew_that_is_dismissed_at_work_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fdgen.faces.supervised_pool, "GRACE_S", 0.5)
    with SupervisedPool(1, nothing, (), limit_s=None) as pool:
        future = pool.submit(wait_for_ever, "", SOURCES)
        while not future.running():
            time.sleep(0.01)
        (child,) = wait_for_a_child()
    assert not child.is_alive()


def wait_for_a_child() -> list[Any]:
    while not (children := multiprocessing.active_children()):
        time.sleep(0.01)
    return children
