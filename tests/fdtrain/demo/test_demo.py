"""The page in the browser: what it shows, what it refuses, what it leaves behind and what it asks of the internet."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdtrain.data.pictures import encode_png, write_png
from fdtrain.demo import storage
from fdtrain.demo.offer import Offer
from fdtrain.demo.thumbnails import thumbnails
from fdtrain.demo.visit import CANVAS_PX, Visit, read_upload, shrunk
from fdtrain.demo.words import summary_text
from fdtrain.inference.metadata import INVENTED
from fdtrain.metrics.fidelity import hole_fidelity
from fdtrain.restoration.photograph import restore_photograph
from fdtrain.run_files import folder_lock
from tests.support.browsers import PATIENCE_MS, headless_browser
from tests.support.demo_server import LowerHalf, PaintStripes, an_example, in_the_middle, offered
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


NAMED = """
from pathlib import Path
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError
from gradio.processing_utils import move_files_to_cache
from fdtrain.demo.page import build_page
from fdtrain.demo.quota import Limits, Quota
from fdtrain.demo.server import application
from tests.support.demo_server import offered

folder = Path(FOLDER)
quota = Quota(Limits(), folder)
page = build_page(offered([]), folder, quota)
application(page, css="", most_bytes=1, request_filter={"hosts": [], "quota": quota, "folder": folder})
block = next(one for one in page.blocks.values() if one.get_block_name() == "file")
LocalContext.blocks.set(page)
for name in ("secret.txt", "secret.svg"):
    (folder / name).write_text("secret")
    try:
        named = {"path": str(folder / name), "meta": {"_type": "gradio.FileData"}}
        move_files_to_cache(named, block, check_in_upload_folder=True)
    except InvalidPathError as error:
        print("not uploaded by a user" in str(error))
"""


@pytest.mark.slow
def test_gradio_itself_opens_no_file_that_is_no_visitors(tmp_path: Path) -> None:
    """Behind the filter, by gradio's own checks, which it leaves out of pages that are mounted and not launched."""
    pytest.importorskip("gradio")
    code = NAMED.replace("FOLDER", repr(str(tmp_path)))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "True\nTrue\n", done.stderr


def photo(high: int = 300, wide: int = 240, *, colour: tuple[int, int, int] = (120, 90, 60)) -> Image:
    """Return a photograph of one colour, a gradient over it."""
    picture = np.empty((high, wide, 3), np.uint8)
    picture[:] = colour
    picture[..., 2] += np.linspace(0, 60, wide).astype(np.uint8)
    return picture


@pytest.mark.parametrize(("high", "wide"), [(300, 240), (100, 400), (900, 900), (2000, 1300), (9, 1000)])
def test_what_is_not_painted_is_no_stroke(high: int, wide: int) -> None:
    mask = np.zeros((high, wide), np.uint8)
    mask[high // 3 : high // 2 + 1, wide // 3 : wide // 2] = 255
    visit = Visit.of(photo(high, wide), "x").found(mask)
    assert visit.canvas().shape == (CANVAS_PX, CANVAS_PX, 3)
    assert visit.layer().any()
    strokes = visit.strokes([visit.layer()])
    assert strokes.shape == (high, wide)
    assert not strokes.any()


def test_painted_and_erased_places_are_strokes() -> None:
    mask = np.zeros((400, 200), np.uint8)
    mask[200:300, 50:150] = 255
    visit = Visit.of(photo(400, 200), "x").found(mask)
    layer = visit.layer()
    layer[:200, 200:600] = (255, 0, 0, 200)  # paints the rows above 100, wherever the photograph is
    layer[500:] = 0  # erases those below 250
    layer[300, 300] = (255, 0, 0, 10)  # what a soft edge leaves
    strokes = visit.strokes([layer])
    assert (strokes[:100] == 1).all()
    assert (strokes[250:300, 50:150] == -1).all()
    strokes[:100] = strokes[250:300, 50:150] = 0
    assert not strokes.any()
    assert (visit.strokes([]) == np.where(mask > 0, -1, 0)).all()


def test_a_large_photograph_is_shown_smaller() -> None:
    assert shrunk(photo(3000, 1500)).shape == (1024, 512, 3)
    assert shrunk(photo(50, 40)).shape == (50, 40, 3)


def uploads(folder: Path) -> dict[str, Path]:
    """Write files that a page must refuse."""
    files = {
        "not-a-picture.jpg": b"this is no picture",
        "paper.pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
        "cut.png": encode_png(photo())[:400],
        "empty.png": b"",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    PIL.Image.new("1", (10_000, 10_000)).save(folder / "huge.png")
    return {name: folder / name for name in (*files, "huge.png")}


def test_uploads_that_are_refused(tmp_path: Path) -> None:
    words = {"huge.png": "has 100, and this page takes up to 50 megapixels"}
    for name, path in uploads(tmp_path).items():
        with pytest.raises(PictureError, match=f"^{name} .*{words.get(name, '')}") as caught:
            read_upload(path)
        assert str(tmp_path) not in caught.value.message
        assert caught.value.hint
    write_png(tmp_path / "good.png", photo())
    np.testing.assert_array_equal(read_upload(tmp_path / "good.png"), photo())


def test_an_upload_whose_header_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(photo())[:8] + bytes(40))
    with pytest.raises(PictureError, match=r"^a\.png is damaged"):
        read_upload(path)


def test_words_on_a_result() -> None:
    done = restore_photograph(photo(), in_the_middle(photo()), PaintStripes(), 32, masker=LowerHalf(), with_grain=False)
    words = summary_text(done, 0.25, 1.5)
    assert "**1 face restored** of 1 found, in 1.50 s" in words
    assert "find faces 0.25 s · align 0." in words
    assert "· paste 0." in words
    told = summary_text(done, 0.25, 1.5, by="a `b`", truth_db=18.04)
    assert "**1 face restored** by `a b`, of 1 found, in 1.50 s" in told
    assert "PSNR is 18.0 dB where the occluder was drawn" in told
    none = restore_photograph(photo(), [], PaintStripes(), 32, masker=LowerHalf())
    assert "No face was found" in summary_text(none, 0.1, 0.1)


def test_thumbnails_are_small_and_show_what_was_given() -> None:
    own = thumbnails(Visit.of(photo(1600, 900), "<me>"))
    [uri] = re.findall(r'src="data:image/webp;base64,([^"]+)"', own)
    assert _decoded(uri).shape == (240, 135, 3)
    assert "&lt;me&gt;, 900 × 1600 px" in own
    example = an_example()
    both = thumbnails(Visit.of(example.occluded_HWC, example.name, example=example))
    shown = [_decoded(uri) for uri in re.findall(r'base64,([^"]+)', both)]
    whole = [shrunk(picture, 240).astype(int) for picture in (example.occluded_HWC, example.clean_HWC)]
    assert [abs(one - other).mean() < 4 for one, other in zip(shown, whole, strict=True)] == [True, True]
    assert abs(shown[0] - whole[1]).mean() > 6


def _decoded(uri: str) -> Image:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(uri))))


def test_models_are_offered_by_names_of_their_own() -> None:
    offer = offered(["two-models"])
    assert offer.names == ["stripes", "a black one"]
    assert offer.model("a black one").file_part == "a-black-one"
    assert offer.model(None).name == "stripes"
    with pytest.raises(ValueError, match="a name of their own"):
        Offer([*offer.models, offer.models[0]])
    with pytest.raises(ValueError, match="a name of their own"):
        Offer([])


def test_the_folder_is_private_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "folder_in_memory", lambda: tmp_path)
    with storage.private_folder() as (folder, in_memory):
        assert in_memory
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "upload").mkdir()
        (folder / "upload" / "face.png").write_bytes(b"face")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_goes_and_nothing_else(tmp_path: Path) -> None:
    left, used, other = (tmp_path / name for name in (f"{storage.PREFIX}left", f"{storage.PREFIX}used", "other"))
    for folder in (left, used, other):
        folder.mkdir()
        (folder / "face.png").write_bytes(b"face")
    (left / ".lock").touch()
    with folder_lock(used):
        storage.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([used.name, other.name])


def test_old_files_go(tmp_path: Path) -> None:
    for name, age_s in (("old", 700), ("new", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "face.png").write_bytes(b"face")
        os.utime(tmp_path / name / "face.png", (time.time() - age_s,) * 2)
    storage.forget(tmp_path, storage.KEPT_S)
    assert [path.parent.name for path in tmp_path.rglob("face.png")] == ["new"]


def start(*arguments: str) -> tuple[subprocess.Popen[str], str, Path]:
    """Start to serve the page in a process of its own; return that, its address and its folder."""
    pytest.importorskip("gradio")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.demo_server", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert server.stdout is not None
    url, folder = server.stdout.readline().strip(), Path(server.stdout.readline().strip())
    assert url.startswith("http://")
    return server, url, folder


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[str, Path]]:
    """Serve the page in a process of its own; yield its address and its folder."""
    server, url, folder = start(*arguments)
    assert server.stdout is not None
    try:
        yield url, folder
        assert server.poll() is None, "the server has died"
        assert folder.is_dir()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        server.stdout.close()
    assert not folder.exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless browser, where there is one."""
    pytest.importorskip("gradio")
    with headless_browser() as found:
        yield found


class Visitor:
    """A visitor in a window of a width, who counts what the page asks of whom."""

    def __init__(self, browser: Browser, url: str, width: int = 1280) -> None:
        self.page: Page = browser.new_context(viewport={"width": width, "height": 860}).new_page()
        self.page.set_default_timeout(2 * PATIENCE_MS)  # beside other programs a canvas is drawn for half a minute
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.page.wait_for_selector("#file input[type=file]", state="attached", timeout=60_000)

    def give(self, path: Path) -> None:
        """Give a file."""
        if self.page.locator("#file [aria-label='Clear'], #file [aria-label='Remove']").count():
            self.page.locator("#file [aria-label='Clear'], #file [aria-label='Remove']").first.click()
        self.page.set_input_files("#file input[type=file]", path)

    def reads(self, words: str) -> str:
        """Wait until the page says this below the file; return all that it says there."""
        self.page.locator("#status", has_text=words).wait_for()
        return self.page.locator("#status").inner_text()

    def slider(self) -> list[Image]:
        """Return the two pictures of the slider, before and after."""
        self.page.locator("#slider img").nth(1).wait_for(state="attached", timeout=30_000)
        sources = [self.page.locator("#slider img").nth(i).get_attribute("src") for i in range(2)]
        return [self._fetched(source) for source in sources if source]

    def _fetched(self, source: str) -> Image:
        body = self.page.request.get(source).body()
        return np.asarray(PIL.Image.open(io.BytesIO(body)).convert("RGB"))

    def paint(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a line with the tool that is chosen, in shares of the canvas that is seen."""
        box = self.page.locator("#editor canvas").first.bounding_box()
        assert box is not None
        side = min(box["width"], box["height"] - 60)
        left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
        at = [(left + x * side, top + y * side) for x, y in (start, end)]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        self.page.mouse.move(*at[1], steps=12)
        self.page.mouse.up()
        self.page.wait_for_timeout(500)

    def restore_painted(self, start: tuple[float, float], end: tuple[float, float], *, more_than: float) -> None:
        """Draw a line and press the button until so much has changed: a slow canvas is ready late, and tells nobody."""
        for _ in range(8):
            self.paint(start, end)
            self.page.click("#restore button, button#restore")
            for _ in range(16):
                if self.page.locator("#slider img").count() == 2 and changed(*self.slider()) > more_than:
                    return
                self.page.wait_for_timeout(500)
        pytest.fail("nothing that was painted is replaced")


def changed(before: Image, after: Image) -> float:
    """Return the share of pixels that differ."""
    return float((before != after).any(2).mean())


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visit(browser: Browser, tmp_path: Path, width: int) -> None:
    write_png(tmp_path / "face.png", photo())
    with served() as (url, _):
        visitor = Visitor(browser, url, width)
        assert INVENTED in visitor.page.inner_text("header")
        # Upload: found, masked and restored at once.
        visitor.give(tmp_path / "face.png")
        assert "find faces" in visitor.reads("1 face restored of 1 found")
        before, after = visitor.slider()
        np.testing.assert_array_equal(before, photo())
        assert visitor.page.locator("#thumbnails img").count() == 1
        assert "face, 240 × 300 px" in visitor.page.inner_text("#thumbnails")
        first = changed(before, after)
        assert 0.02 < first < 0.5
        # The mask is saved: nothing but what it covers was replaced.
        with visitor.page.expect_download() as waiting:
            visitor.page.locator("#save-mask").click()
        waiting.value.save_as(tmp_path / "mask.png")
        assert waiting.value.suggested_filename == "face.mask.png"
        mask_HW = np.asarray(PIL.Image.open(tmp_path / "mask.png"))
        assert mask_HW.shape == photo().shape[:2]
        assert not ((before != after).any(2) & (mask_HW == 0)).any()
        # Brush: what is painted is replaced too.
        visitor.page.locator("#editor").scroll_into_view_if_needed()
        visitor.restore_painted((0.4, 0.3), (0.6, 0.45), more_than=first + 0.005)
        # Slider: it moves.
        visitor.page.locator("#slider").scroll_into_view_if_needed()
        handle = visitor.page.locator("#slider .outer")
        box = handle.bounding_box()
        assert box is not None
        visitor.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        visitor.page.mouse.down()
        visitor.page.mouse.move(box["x"] - 60, box["y"] + box["height"] / 2, steps=5)
        visitor.page.mouse.up()
        moved = handle.bounding_box()
        assert moved is not None
        assert moved["x"] < box["x"] - 30
        # The canvas fits: all of it is in the window, and as large as the window lets it be.
        canvas = visitor.page.locator("#editor canvas").first.bounding_box()
        assert canvas is not None
        assert canvas["x"] >= 0
        assert canvas["x"] + canvas["width"] <= width
        assert canvas["width"] >= min(360, width - 32)
        assert canvas["height"] == pytest.approx(canvas["width"], abs=4)
        # The page is as wide as the window, and asks nobody else.
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
        assert [one for one in visitor.asked if not one.startswith((url, "data:", "blob:"))] == []


@pytest.mark.slow
def test_what_cannot_be_used_gets_a_message_and_the_server_lives(browser: Browser, tmp_path: Path) -> None:
    write_png(tmp_path / "face.png", photo())
    with served() as (url, _):
        for name, path in uploads(tmp_path).items():
            visitor = Visitor(browser, url)
            visitor.give(path)
            if name == "paper.pdf":  # the page's own list of types
                visitor.page.get_by_text("Invalid file type").first.wait_for(timeout=20_000)
                path = path.rename(tmp_path / "paper.jpg")
                visitor.give(path)
            assert visitor.reads(path.name[:1].upper() + path.name[1:])
            visitor.page.context.close()
        visitor = Visitor(browser, url)
        visitor.give(tmp_path / "face.png")
        visitor.reads("1 face restored")


@pytest.mark.slow
def test_several_visitors_at_once(browser: Browser, tmp_path: Path) -> None:
    colours = [(40, 40, 40), (120, 60, 30), (200, 180, 90), (200, 180, 90)]
    with served() as (url, _):
        visitors = [Visitor(browser, url) for _ in colours]
        files = {colour: tmp_path / f"face{colour[0]}.png" for colour in colours}
        for colour, file in files.items():
            write_png(file, photo(colour=colour))
        for visitor, colour in zip(visitors, colours, strict=True):  # two of them send the same file
            visitor.give(files[colour])
        for visitor, colour in zip(visitors, colours, strict=True):
            visitor.reads("1 face restored")
            np.testing.assert_array_equal(visitor.slider()[0], photo(colour=colour))


@pytest.mark.slow
def test_without_a_masker_visitors_paint(browser: Browser, tmp_path: Path) -> None:
    write_png(tmp_path / "face.png", photo())
    with served("no-masker") as (url, _):
        visitor = Visitor(browser, url)
        visitor.give(tmp_path / "face.png")
        visitor.page.locator("button#restore:enabled, #restore button:enabled").wait_for(timeout=60_000)
        visitor.page.click("#restore button, button#restore")
        visitor.reads("Nothing is red yet")
        visitor.restore_painted((0.4, 0.4), (0.6, 0.5), more_than=0.005)
        visitor.reads("1 face restored")


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["predicted", "no-masker"])
def test_an_example_by_two_models(browser: Browser, masks: str) -> None:
    """By keyboard: the example is restored at once, with or without a mask network; the other model does it again."""
    example = an_example()
    with served("example", "two-models", masks) as (url, _):
        visitor = Visitor(browser, url, 390)
        assert "A square, drawn." in visitor.page.inner_text("#examples-credit")
        visitor.page.locator("#example-1").focus()
        visitor.page.keyboard.press("Enter")
        told = visitor.reads("1 face restored")
        assert "by stripes" in told
        before, after = visitor.slider()
        np.testing.assert_array_equal(before, example.occluded_HWC)
        hole_HW = (before != after).any(2)
        psnr_db = float(re.findall(r"PSNR is ([\d.]+) dB", told)[0])
        assert psnr_db == pytest.approx(hole_fidelity(after, example.clean_HWC, example.mask_HW).psnr, abs=0.051)
        if masks == "no-masker":  # what was drawn is the mask
            assert not (hole_HW & (example.mask_HW == 0)).any()
            assert (hole_HW & (example.mask_HW > 0)).sum() > 0.3 * (example.mask_HW > 0).sum()
        assert visitor.page.locator("#thumbnails img").count() == 2
        # The other model, on the same mask.
        visitor.page.get_by_label("a black one").check()
        visitor.reads("by a black one")
        with visitor.page.expect_download() as waiting:
            visitor.page.locator("#save").click()
        assert waiting.value.suggested_filename == "example-square.a-black-one.restored.png"
        black = np.asarray(PIL.Image.open(waiting.value.path()).convert("RGB"))
        assert black[170, 120].max() < before[170, 120].min()
        # Limits of the models, and the whole card, are there to open; nothing was asked of anybody else.
        cards = visitor.page.locator("#cards")
        cards.get_by_role("button", name="Limits and model cards").click()
        cards.get_by_text("It paints stripes.").first.wait_for()
        cards.get_by_role("button", name="The whole card of stripes").click()
        cards.get_by_text("Licence").wait_for()
        assert [one for one in visitor.asked if not one.startswith((url, "data:", "blob:"))] == []
