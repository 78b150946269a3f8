"""Plans: whatever is rejected, the count is made where the faces allow it, and nobody is passed over in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fdgen.pipeline.face_queue
from fdgen.contract.records import SPLITS, Reject
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.pipeline.face_queue import AtOnce, FaceQueue, Looked
from fdgen.pipeline.plan import Planner, ShardPlan, split_rule
from fdgen.recipe.schema import Recipe
from tests.support.fake_build import FakeFaces

RECIPE = Recipe.load(
    "default", ["shards.samples=4", "splits.mode=source", "splits.train=1", "splits.val=0", "splits.test=0"]
)
FOUND: Landmarks = object()  # type: ignore[assignment]


class Elsewhere:
    """Looks at photographs in small batches, several at once; they are finished when they are waited for, backwards."""

    batch, in_flight = 3, 4

    def __init__(self, look: Callable[[Sequence[Source]], Looked]) -> None:
        self.look = look
        self.asked = 0
        self._running: list[tuple[Sequence[Source], Future[Looked]]] = []

    def ask(self, batch: Sequence[Source]) -> Future[Looked]:
        self.asked += len(batch)
        future = Finished(self.finish)
        self._running.append((batch, future))
        assert len(self._running) <= self.in_flight
        return future

    def finish(self) -> None:
        """Finish the batch that was asked for last, and so on, as other processes may."""
        batch, future = self._running.pop()
        future.set_result(self.look(batch))

    def take(self, batch: Sequence[Source], future: Future[Looked]) -> Looked:
        return future.result()


class Finished(Future[Looked]):
    """A future that has others finish until it is finished itself, once it is waited for."""

    def __init__(self, finish: Callable[[], None]) -> None:
        super().__init__()
        self._finish = finish

    def result(self, timeout: float | None = None) -> Looked:
        while not self.done():
            self._finish()
        return super().result(timeout)


def outcome(
    n_faces: int, faceless: set[int], refused: set[tuple[int, int]], count: int | None, looking: Any = AtOnce
) -> tuple[object, ...]:
    """Run all rounds: the shards, the keys made, the candidates tried, the faces passed over."""
    faces = FakeFaces.of(n_faces)
    numbers = {source.sha256: number for number, source in enumerate(faces.sources())}

    def look(batch: Sequence[Source]) -> dict[str, Landmarks | Reject]:
        return {
            s.sha256: Reject(s.path, s.sha256, 0, "no-face", "") if numbers[s.sha256] in faceless else FOUND
            for s in batch
        }

    queue = FaceQueue(faces.sources(), RECIPE.seed, looking(look))
    planner = Planner(RECIPE, queue, split_rule(RECIPE.splits, faces.sources()), count)
    shards, made, tried = [], [], []
    while planner.wants_more():
        plans = whole_round(planner)
        shards += plans
        candidates = [candidate for plan in plans for candidate in plan.candidates]
        tried += candidates
        good = [c for c in candidates if (numbers[c.source.sha256], c.variant) not in refused]
        made += [c.key for c in good]
        for plan in plans:
            planner.note(plan.name, {c.key for c in good})
        planner.end_round()
    return shards, made, tried, list(planner.passed_over())


def whole_round(planner: Planner) -> list[ShardPlan]:
    """Return the shards of a round, waiting for whatever it waits for."""
    plans = []
    for plan in planner.next_round():
        if isinstance(plan, ShardPlan):
            plans.append(plan)
        else:
            plan.result()
    return plans


cases = {
    "n_faces": st.integers(1, 12),
    "faceless": st.sets(st.integers(0, 11), max_size=8),
    "refused": st.sets(st.tuples(st.integers(0, 11), st.integers(0, 4)), max_size=25),
    "count": st.none() | st.integers(1, 40),
}


@given(**cases)
def test_rounds_make_the_count_or_exhaust_the_faces(
    n_faces: int, faceless: set[int], refused: set[tuple[int, int]], count: int | None
) -> None:
    shards, made, tried, passed_over = outcome(n_faces, faceless, refused, count)
    usable = n_faces - len(faceless & set(range(n_faces)))
    assert len(made) == len(set(made))
    assert len(tried) == len(set(tried))
    if count is None:
        assert len(tried) == usable
        assert len(passed_over) == n_faces - usable
    elif len(made) < count:
        last = tried[len(tried) - usable :]
        assert not {c.key for c in last} & set(made)  # everybody was refused in a row
    else:
        assert len(made) == count
    # Candidates come in one fixed order: variant 0 of everybody, then variant 1, without a gap.
    by_variant = [c.variant for c in sorted(tried, key=lambda c: c.variant)]
    assert by_variant == [number // usable for number in range(len(tried))] if usable else not tried
    names = [shard.name for shard in shards]
    assert names == [f"train-{number:05d}" for number in range(len(names))]
    assert all(1 <= len(shard.candidates) <= 4 for shard in shards)
    assert len({shard.digest() for shard in shards}) == len(shards)
    # Everybody before the last face that was used was either used or listed.
    listed = {c.source.sha256 for c in tried} | {reject.source_sha256 for reject in passed_over}
    order = [source.sha256 for source in sorted(FakeFaces.of(n_faces).sources(), key=order_key)]
    used = [order.index(c.source.sha256) for c in tried]
    assert not used or set(order[: max(used) + 1]) <= listed


def order_key(source: Source) -> str:
    return fdgen.pipeline.face_queue.rank(RECIPE.seed, source.sha256)


@given(**cases, spare=st.sampled_from([1.0, 1.5, 4.0]), at_once=st.sampled_from([1, 3, 100]))
def test_how_far_one_looks_ahead_changes_nothing(
    n_faces: int, faceless: set[int], refused: set[tuple[int, int]], count: int | None, spare: float, at_once: int
) -> None:
    usual = outcome(n_faces, faceless, refused, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fdgen.pipeline.face_queue, "SPARE", spare)
        patch.setattr(fdgen.pipeline.face_queue, "MOST_AT_ONCE", at_once)
        assert outcome(n_faces, faceless, refused, count) == usual


@given(**cases)
def test_looking_elsewhere_meanwhile_changes_nothing(
    n_faces: int, faceless: set[int], refused: set[tuple[int, int]], count: int | None
) -> None:
    case = n_faces, faceless, refused, count
    assert outcome(*case, looking=Elsewhere) == outcome(*case)


def test_shards_are_planned_while_later_faces_are_looked_at() -> None:
    faces = FakeFaces.of(200)
    looking = Elsewhere(lambda batch: {source.sha256: FOUND for source in batch})
    planner = Planner(
        RECIPE, FaceQueue(faces.sources(), RECIPE.seed, looking), split_rule(RECIPE.splits, faces.sources()), 100
    )
    events = ["shard" if isinstance(plan, ShardPlan) else plan.result() and "wait" for plan in planner.next_round()]
    assert events.count("shard") == 25
    assert events.index("shard") < 6  # four faces make a shard
    assert "wait" in events[events.index("shard") :]
    assert planner.looked_at <= planner.to_look_at <= 110


@pytest.mark.parametrize("count", [1, 30, 100])
def test_no_more_is_looked_at_than_is_needed_and_a_few(count: int) -> None:
    faces = FakeFaces.of(500)
    looking = Elsewhere(lambda batch: {source.sha256: FOUND for source in batch})
    planner = Planner(
        RECIPE, FaceQueue(faces.sources(), RECIPE.seed, looking), split_rule(RECIPE.splits, faces.sources()), count
    )
    whole_round(planner)
    assert looking.asked <= count * 1.02 + 9


@given(seed=st.integers(0, 99), fractions=st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(1, 10)))
def test_splits_have_their_shares_and_do_not_depend_on_the_seed(seed: int, fractions: tuple[int, int, int]) -> None:
    shares = [number / sum(fractions) for number in fractions]
    overrides = [f"splits.{split}={share!r}" for split, share in zip(SPLITS, shares, strict=True)]
    recipe = Recipe.load("default", [*overrides, f"seed={seed}"])
    sources = list(FakeFaces.of(400).sources())
    rule = split_rule(recipe.splits, sources)
    splits = [rule.split_of(source) for source in sources]
    for split, share in zip(SPLITS, shares, strict=True):
        assert abs(splits.count(split) / 400 - share) < 0.12
        assert share > 0 or split not in splits
    people = {source.identity: split for source, split in zip(sources, splits, strict=True)}
    assert all(people[source.identity] == split for source, split in zip(sources, splits, strict=True))


def test_a_few_unknown_people_are_told_of() -> None:
    sources = list(FakeFaces.of(10).sources())
    sources[3] = dataclasses.replace(sources[3], identity=None)
    rule = split_rule(Recipe.load().splits, sources)
    assert rule.basis == "identity"
    assert "1 of 10 photographs have none" in rule.note


def test_official_splits_count_only_if_everybody_has_one() -> None:
    sources = list(FakeFaces.of(10, official=True).sources())
    assert split_rule(Recipe.load().splits, sources).basis == "official"
    sources[3] = dataclasses.replace(sources[3], split=None)
    assert split_rule(Recipe.load().splits, sources).basis == "identity"
