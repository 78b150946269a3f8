"""How fast `fdgen browse` is over a dataset, in a headless browser: first wall, filters, sorting, scrolling, memory.

    python -m tests.benchmarks.bench_browse FOLDER

Prints JSON. Seconds are by the clock, and, since another program may hold the machine, by the CPU: of the server, and
of the main thread of the page.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright import sync_api as playwright

from tests.support.browsers import browser_options, find_browser

PROGRAM = "from fdcli.fdgen.main import main; main()"

SEEN = """() => {
  const seen = [...document.querySelectorAll('.tile img')].filter(one => one.getBoundingClientRect().top < innerHeight);
  return seen.length > 0 && seen.every(one => one.naturalWidth > 0) ? performance.now() : 0;
}"""

ACT = """async ([selector, value]) => {
  const one = document.querySelector(selector), begun = performance.now();
  if (value === null) one.click();
  else { one.value = value; one.dispatchEvent(new Event(one.matches('select') ? 'change' : 'input')); }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
  return [performance.now() - begun, document.querySelector('#count').textContent];
}"""

SCROLL = """async () => {
  const box = document.querySelector('#samples'), end = box.scrollHeight, frames = [];
  let last = performance.now();
  for (let y = 0; y < end; y += end / 150) {
    box.scrollTop = y;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  frames.sort((a, b) => a - b);
  return [frames[75], document.querySelectorAll('.tile').length];
}"""

ACTS = (
    ("a kind", "#facet-kind .option:nth-child(2) input", None),
    ("a split", "#facet-split .option:nth-child(3) input", None),
    ("clear", "#clear", None),
    ("coverage from 25 %", "#facet-coverage .low", "0.25"),
    ("clear", "#clear", None),
    ("search 0012", "#words", "0012"),
    ("clear", "#clear", None),
    ("sort by coverage", "#sort", "coverage"),
    ("sort by light", "#sort", "light_deg"),
)


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("dataset", type=Path)
    dataset = parser.parse_args().dataset
    begun_s = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, "browse", str(dataset), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = (server.stdout.readline() if server.stdout else "").strip()
            found: dict[str, Any] = {"address_s": time.perf_counter() - begun_s, "address_cpu_s": cpu_s(server.pid)}
            found |= in_browser(address, server.pid)
        finally:
            server.terminate()
    print(json.dumps(found, indent=2))


def in_browser(address: str, pid: int) -> dict[str, Any]:
    """Measure the page."""
    found: dict[str, Any] = {}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=browser_options())
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def page_cpu_s() -> float:
            metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            return float(metrics["TaskDuration"])

        before_s, before_page_s = cpu_s(pid), page_cpu_s()
        page.goto(address, wait_until="commit")
        found["first_wall_s"] = page.wait_for_function(SEEN, polling=20).json_value() / 1000
        found["first_wall_server_cpu_s"] = cpu_s(pid) - before_s
        found["first_wall_page_cpu_s"] = page_cpu_s() - before_page_s
        found["acts"] = []
        for name, selector, value in ACTS:
            before_page_s = page_cpu_s()
            taken_ms, count = page.evaluate(ACT, [selector, value])
            act = {"act": name, "shown_s": taken_ms / 1000, "page_cpu_s": page_cpu_s() - before_page_s, "count": count}
            found["acts"].append(act)
            page.wait_for_function(SEEN)
        frame_ms, tiles = page.evaluate(SCROLL)
        found |= {"scroll_median_frame_s": frame_ms / 1000, "tiles": tiles, "server_peak_mb": peak_mb(pid)}
        browser.close()
    return found


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """Return the most memory that a process had, in MB of 2**20 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
