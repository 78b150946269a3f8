"""The page in a real browser: wall, filters, keyboard, phone, marks, two versions, and the page that is kept.

The browser is the one that FDTRAIN_TEST_BROWSER names, or Chromium or Chrome where it is installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdgen.browser.answers import Answers
from fdgen.browser.saved_page import saved_page
from fdgen.browser.server import serving
from fdgen.browser.version import PICTURES, Version, columns_of
from tests.support.browsers import PATIENCE_MS, headless_browser

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

SEEN = """() => {
  const pictures = [...document.querySelectorAll('#wall img')];
  return pictures.length > 0 && pictures.every(one => one.naturalWidth > 0);
}"""
IN_ORDER = """() => {
  const tiles = [...document.querySelectorAll('.tile')].sort((a, b) => a.dataset.number - b.dataset.number);
  return tiles.map(one => one.dataset.key);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with headless_browser() as found:
        yield found


def opened(browser: playwright.Browser, address: str, width: int = 1280, **options: object) -> playwright.Page:
    """Open a page that may complain of nothing, and ask nobody but its own server."""
    context = browser.new_context(viewport={"width": width, "height": 844}, has_touch=width < 600, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.complaints = []
    own = (address, "data:", "blob:")
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith(own) else page.complaints.append(f"asked for {one.url}"))
    page.goto(address)
    page.wait_for_function(SEEN)
    return page


def closed(page: playwright.Page) -> None:
    assert page.complaints == []
    page.context.close()


def count(page: playwright.Page) -> str:
    return str(page.locator("#count").inner_text())


def test_filters_and_search_show_what_fits(browser: playwright.Browser, address: str, version: Version) -> None:
    columns = columns_of(version.table)
    kinds = [set(columns["kinds"]["names"][code]) for code in columns["kinds"]["codes"]]
    page = opened(browser, address)
    assert count(page) == f"{len(version)} samples"
    page.get_by_role("checkbox", name="mask").check()
    fits = sum("mask" in worn for worn in kinds)
    assert 0 < fits < len(version)
    assert count(page) == f"{fits} of {len(version)} samples"
    for name in ("hand", "sunglasses"):  # counts beside a filter are of what its own choice would add
        number = page.locator("#facet-kind .option", has_text=name).locator(".number").inner_text()
        assert int(number) == sum(name in worn for worn in kinds)
    page.reload()  # the address says what was asked for
    page.wait_for_function(SEEN)
    assert count(page) == f"{fits} of {len(version)} samples"
    page.get_by_role("button", name="Clear all").click()
    page.keyboard.press("/")
    page.keyboard.type(columns["key"][7][:12])
    page.wait_for_function("() => document.querySelector('#count').textContent.includes(' of ')")
    keys = [one.get_attribute("data-key") for one in page.locator(".tile").all()]
    assert columns["key"][7] in keys
    assert all(str(key).startswith(columns["key"][7][:12]) for key in keys)
    closed(page)


def test_the_wall_is_sorted(browser: playwright.Browser, address: str, version: Version) -> None:
    columns = columns_of(version.table)
    page = opened(browser, address)
    page.locator("#sort").select_option("coverage")
    page.locator("#direction").click()
    shown = page.evaluate(IN_ORDER)
    coverage = dict(zip(columns["key"], columns["coverage"], strict=True))
    values = [coverage[key] for key in shown]
    assert values == sorted(values, reverse=True)
    assert values[0] == max(coverage.values())
    closed(page)


def test_all_by_the_keyboard(browser: playwright.Browser, address: str, version: Version) -> None:
    keys = columns_of(version.table)["key"]
    page = opened(browser, address)
    page.keyboard.press("ArrowRight")  # into the wall
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    dialog = page.locator("#sample")
    assert dialog.locator("h2").inner_text() == keys[1]
    assert dialog.locator(".mark-this").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    assert dialog.locator("h2").inner_text() == keys[2]
    dialog.locator(".facts section").first.wait_for()
    assert f"fdgen replay {keys[2]} --dataset" in dialog.locator(".facts").inner_text()
    page.keyboard.press("m")
    page.keyboard.press("s")  # the slider, which takes the arrows
    page.keyboard.press("ArrowLeft")
    assert dialog.locator(".stage + input").input_value() == "49"
    assert dialog.locator("h2").inner_text() == keys[2]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.closest('.tile').dataset.key") == keys[2]
    assert page.locator("#marks-button").inner_text() == "Marks 2"
    page.reload()
    page.wait_for_function(SEEN)
    assert page.locator("#marks-button").inner_text() == "Marks 2"
    closed(page)


def test_marks_are_written_as_settings_that_training_takes(
    browser: playwright.Browser, address: str, version: Version, tmp_path: Path
) -> None:
    schema = pytest.importorskip("fdtrain.config.schema")
    keys = columns_of(version.table)["key"]
    page = opened(browser, address)
    for number in (0, 3):
        page.locator(f".tile[data-number='{number}']").hover()
        page.locator(f".tile[data-number='{number}'] .mark").click()
    page.locator("#marks-button").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Leave them out of training").click()
    waiting.value.save_as(tmp_path / "marks.toml")
    config = schema.FitConfig.load("tiny", tmp_path / "marks.toml")
    assert sorted(config.data.without_samples or ()) == sorted([keys[0], keys[3]])
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Keys alone").click()
    waiting.value.save_as(tmp_path / "marks.txt")
    assert sorted((tmp_path / "marks.txt").read_text(encoding="utf-8").split()) == sorted([keys[0], keys[3]])
    closed(page)


def test_on_a_phone_nothing_is_wider_than_the_window(browser: playwright.Browser, address: str) -> None:
    page = opened(browser, address, 390)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    assert not page.locator("#filters").is_visible()
    page.locator("#open-filters").click()
    page.get_by_role("checkbox", name="mask").check()
    assert page.evaluate(fits)
    page.locator("#close-filters").click()
    assert page.locator("#open-filters").inner_text() == "Filters · 1"
    page.locator(".tile .face").first.tap()
    page.locator("#sample .facts section").first.wait_for()
    assert page.evaluate("document.querySelector('#sample .body').scrollWidth <= innerWidth")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert 23 <= float(page.locator(".stage + input").input_value()) <= 27
    closed(page)


def test_each_picture_of_a_sample_is_saved_as_it_is(
    browser: playwright.Browser, address: str, version: Version
) -> None:
    page = opened(browser, address)
    page.locator(".tile .face").nth(3).click()
    page.locator("#sample .facts section").first.wait_for()
    key = page.locator("#sample h2").inner_text()
    row = next(row for row in range(len(version)) if version.key(row) == key)
    for name in ("clean", "occluded", "mask"):
        with page.expect_download() as waiting:
            page.locator(".saves").get_by_role("link", name=name, exact=True).click()
        assert waiting.value.suggested_filename == f"{key}.{name}.png"
        assert Path(waiting.value.path()).read_bytes() == version.read(row, [PICTURES[name]])[PICTURES[name]]
    closed(page)


def test_rejects_are_listed(browser: playwright.Browser, address: str, version: Version) -> None:
    page = opened(browser, address)
    page.get_by_role("button", name="Rejects").click()
    page.locator("#rejects tbody tr").first.wait_for()
    assert page.locator("#rejects tbody tr").count() == len(version.rejects())
    closed(page)


def test_two_versions_side_by_side(browser: playwright.Browser, version: Version) -> None:
    with serving(Answers(version, version), port=0) as address:
        page = opened(browser, address)
        assert page.locator(".tile").first.locator("img").count() == 2
        assert page.locator("#facet-change .number").inner_text() == str(len(version))
        page.locator(".tile .face").first.click()
        page.locator("#sample .facts section").first.wait_for()
        assert page.locator(".stage .tag.left").inner_text() == "Occluded before"
        page.keyboard.press("Escape")
        page.get_by_role("button", name="What changed").click()
        assert "equal, byte by byte" in page.locator("#changes").inner_text()
        closed(page)


def test_a_page_that_is_kept_asks_for_nothing(browser: playwright.Browser, version: Version, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(saved_page(version, [2, 5, 9]), encoding="utf-8")
    page = opened(browser, file.as_uri(), offline=True)
    assert count(page) == "3 samples"
    page.locator(".tile .face").nth(1).click()
    page.locator("#sample .facts section").first.wait_for()
    assert page.locator("#sample h2").inner_text() == version.key(5)
    assert page.locator(".stage img").first.evaluate("one => one.naturalWidth") == version.facts()["size_px"]
    closed(page)


def test_a_sample_that_is_damaged_says_so(browser: playwright.Browser, built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "set")
    version = Version.open(tmp_path / "set")
    shard = tmp_path / "set" / "shards" / f"{version.table['shard'][0].as_py()}.tar"
    content = bytearray(shard.read_bytes())
    content[version.table["occluded_png_offset"][0].as_py() + 40] ^= 1
    shard.write_bytes(content)
    with serving(Answers(version), port=0) as address:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.locator(".tile[data-number='0'] .damaged").wait_for()
        assert page.locator(".damaged").count() == 1
        page.close()


def test_on_paper_there_is_a_grid(browser: playwright.Browser, address: str, version: Version) -> None:
    page = opened(browser, address)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#paper figure").count() == len(version)
    assert page.locator("#paper figure").first.is_visible()
    assert not page.locator("#samples").is_visible()
    closed(page)
