"""The speed table: every network in turns, and what it says of the paper's claim."""

from __future__ import annotations

from fdtrain.training.speed import PAPERS_FOUR, fastest_of_the_papers_four, measure_speed


def test_networks_are_timed_in_turns_and_the_first_is_the_measure() -> None:
    turns: list[tuple[int, int]] = []
    facts = measure_speed(["tiny", "pix2pix-64"], repeats=2, device="cpu", on_repeat=lambda *turn: turns.append(turn))
    assert turns == [(1, 3), (2, 3), (3, 3)]
    tiny, other = facts["networks"]
    assert (tiny["network"], tiny["of_first"], tiny["size_px"]) == ("tiny", 1.0, 64)
    assert 0 < other["low"] <= other["seconds"] <= other["high"]
    assert other["parameters"] > 1e6


def test_of_a_search_a_few_steps_are_timed_and_all_are_counted() -> None:
    (row,) = measure_speed(["yeh-64"], repeats=1, device="cpu")["networks"]
    assert (row["timed_steps"], row["steps"]) == (5, 200)
    (few,) = measure_speed(["pix2pix-64"], repeats=1, device="cpu")["networks"]
    assert "steps" not in few


def test_the_papers_claim_is_put_to_the_test() -> None:
    rows = [{"network": name, "seconds": 0.2 if name == "faithful" else 0.4} for name in PAPERS_FOUR]
    assert str(fastest_of_the_papers_four(rows)).startswith("faithful is the fastest of the paper's four: faithful 200")
    rows[0]["seconds"] = 0.1
    assert str(fastest_of_the_papers_four(rows)).startswith("faithful is not the fastest")
    assert fastest_of_the_papers_four(rows[:3]) is None
