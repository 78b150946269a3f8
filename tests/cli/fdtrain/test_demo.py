"""`fdtrain demo`: it serves until it is stopped, and says in one sentence why it cannot."""

from __future__ import annotations

import csv
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.demo import LIMITS
from cli.fdtrain.demo_offer import EXAMPLES, drawn_examples, open_offer
from cli.fdtrain.main import program
from cli.shared.output import Voice
from docs.starter.photographs import TABLE
from fdgen.errors import FdError
from fdtrain.demo.offer import Offer
from fdtrain.demo.quota import Limits
from tests.cli.fdtrain.test_program import COMMAND
from tests.support.running import assert_refused
from tests.support.weights import write_weights

pytest.importorskip("gradio")


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


def test_help_says_what_it_must_not_be_used_for() -> None:
    told = " ".join(run("demo", "--help").stdout.split())
    assert "must not be used to identify" in told
    assert "127.0.0.1" in told


def test_it_refuses(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(
        run("demo", "--weights", "none.safetensors", "-q"), 1, "there is no file of weights none.safetensors"
    )
    assert_refused(run("demo", "--weights", weights, "--port", "70000"), 2, "70000")
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert_refused(run("demo", "--weights", weights, "-q"), 1, "the page needs gradio", "fd-stackgan[demo]")


def offer_of(*weights: Path | str, masker: Path | str | None = None) -> Offer:
    return open_offer(weights, masker, engine="auto", device="cpu", with_examples=False, voice=Voice(quiet=True))


def test_models_have_their_own_names_and_cards(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / weights.name
    other.parent.mkdir()
    shutil.copy(weights, other)
    offer = offer_of(weights, other, Path("starter"), masker=Path("starter-mask"))
    assert offer.names == [f"{weights.parent.name}/small", "other/small", "starter"]
    assert offer.finds_masks
    assert [card.title for card in offer.cards][-1] == "starter and starter-mask"
    assert "at 96 px and enlarged" in offer.cards[-1].limits
    assert offer.cards[-1].text.startswith("# starter and starter-mask")
    # What has no card says of itself what its file says.
    assert not offer.cards[0].text.startswith("---")
    assert "tiny" in offer.cards[0].text
    assert "synthetic" in offer.cards[0].limits
    with pytest.raises(FdError, match=f"{weights.name} is named twice"):
        offer_of(weights, weights)


def test_a_card_beside_a_model_is_the_one_that_is_shown(weights: Path) -> None:
    folder = weights.with_name("small-card")
    assert run("card", weights, "-q").exit_code == 0
    (folder / "README.md").write_text(
        "---\nlicense: mit\n---\n# Mine\n\n## Limits\nNone but these.\n", encoding="utf-8"
    )
    try:
        [card] = offer_of(weights).cards
    finally:
        shutil.rmtree(folder)
    assert (card.title, card.limits) == ("small", "None but these.")
    assert card.text.startswith("# Mine")


def test_examples_are_exact() -> None:
    examples = drawn_examples(Voice(quiet=True))
    assert [example.title for example in examples] == ["Face mask", "Sunglasses", "Face mask", "Scarf"]
    assert len({example.name for example in examples}) == len(examples), "they are files of that name"
    for example in examples:
        inside_HW = example.mask_HW > 0
        assert 0.02 < inside_HW.mean() < 0.35
        changed_HW = (example.occluded_HWC != example.clean_HWC).any(2)
        assert not (changed_HW & ~inside_HW).any()
        assert changed_HW[inside_HW].mean() > 0.8


def test_examples_show_nobody_of_whom_the_weights_have_seen_a_portrait() -> None:
    """Of these two people the included faces are portraits as they are; the list has others of them."""
    among = {"barack_obama": "us-congress/O000167.jpg", "joe_biden": "us-congress/B000444.jpg"}
    rows = csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())
    assert set(among.values()) <= {row["path"] for row in rows}
    assert not {face for face, *_ in EXAMPLES} & set(among)


def test_limits_are_those_of_the_library() -> None:
    assert asdict(Limits()) == LIMITS


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("visitor_gb=1", "there is no limit 'visitor_gb', did you mean 'visitor_mb'?"),
        ("visitor_mb", "is not of the form visitor_mb=N"),
        ("visitor_mb=0", "with N of at least 1"),
        ("visitor_mb=-1", "with N of at least 1"),
        ("visitor_mb=1.5", "with N of at least 1"),
    ],
)
def test_limits_that_are_none(weights: Path, limit: str, words: str) -> None:
    assert_refused(run("demo", "--weights", weights, "--limit", limit), 2, words)


@pytest.mark.slow
def test_it_serves_until_it_is_stopped(weights: Path) -> None:
    server = subprocess.Popen(
        [*COMMAND, "demo", "--weights", str(weights), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
    port = int(url.rstrip("/").rpartition(":")[2])
    taken = subprocess.run(
        [*COMMAND, "demo", "--weights", str(weights), "--port", str(port)], capture_output=True, text=True, timeout=120
    )
    assert taken.returncode == 1
    assert f"the page cannot be served on 127.0.0.1, port {port}" in taken.stderr
    server.send_signal(signal.SIGINT)
    said = server.communicate(timeout=60)[1]
    assert server.returncode == 0, said
    assert "everything that visitors sent is deleted" in said
    with socket.socket() as closed:
        assert closed.connect_ex(("127.0.0.1", port)) != 0
