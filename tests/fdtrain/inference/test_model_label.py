"""What is said of a model: its name, how it was trained, whether it is a toy; and of files that say nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from fdtrain.demo.words import header
from fdtrain.inference.model_label import MOST_CHARACTERS, ModelLabel, toy_note
from tests.support.micro import micro

TOY = ModelLabel("starter", "restore", "tiny", 64, "learned from three faces")
TOY_MASK = ModelLabel("starter-mask", "mask", "mask-96", 96, "learned from three faces")
MINE = ModelLabel("mine", "restore", "modern-64", 64)


def test_a_note_names_the_toys_alone_and_how_to_train_real_ones() -> None:
    assert toy_note([]) is None
    assert toy_note([MINE]) is None
    one, both = toy_note([MINE, TOY]), toy_note([TOY, TOY_MASK])
    assert one is not None
    assert one.startswith("starter is a toy that learned from three faces: ")
    assert one.endswith("`fdtrain fit --data PAIRS --out RUN` with `--preset modern-64`")
    assert both is not None
    assert both.startswith("starter and starter-mask are toys that learned from three faces: ")
    assert both.endswith("with `--preset modern-64` and `--preset mask-96`")
    assert "\n" not in one + both


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        ("", None),
        (7, None),
        (["a"], None),
        ("saw nobody", "saw nobody"),
        ("two\nlines\x1b[31m\x00and red", "two lines [31m and red"),
        ("long " * 1000, ("long " * 1000)[:MOST_CHARACTERS]),
    ],
)
def test_what_a_file_says_is_one_short_line(tmp_path: Any, value: object, said: str | None) -> None:
    facts = {"config": micro(tmp_path).as_dict(), "toy": value}
    assert ModelLabel.of_facts(tmp_path / "face.safetensors", facts).toy == said


def test_the_page_names_its_models_and_says_which_are_toys() -> None:
    told = header([TOY, TOY_MASK])
    assert "<strong>Toy weights.</strong> starter and starter-mask are toys" in told
    assert "<code>--preset modern-64</code>" in told
    assert "Faces are restored by starter (preset tiny, 64 px); masks are predicted by starter-mask" in told
    real = header([MINE])
    assert "Faces are restored by mine (preset modern-64, 64 px)" in real
    assert "toy" not in real.lower()


def test_the_page_takes_no_html_from_a_file() -> None:
    told = header([ModelLabel("<b>", "restore", "<i>", 64, "<script>alert(1)</script>")])
    assert "<script" not in told
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in told
    assert "&lt;b&gt; (preset &lt;i&gt;" in told
