"""How much visitors may send: counted by visitor and for all, forgotten in time, whatever a file is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdtrain.demo.quota import IN_LINE_S, LEAST_COUNTED, MB, MEASURED_S, Limits, Quota, RefusedError, network_of
from fdtrain.demo.storage import KEPT_S, LOOKED_AT_S


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_visitor_has_so_much_and_gets_it_back_when_files_have_gone(tmp_path: Path) -> None:
    clock = Clock()
    quota = Quota(Limits(visitor_mb=3, all_mb=100), tmp_path, clock=clock)
    quota.charge("192.0.2.1", 2 * MB)
    clock.now_s += 60
    quota.charge("192.0.2.1", MB)
    for ask in (quota.admit, quota.charge):
        with pytest.raises(RefusedError, match="as much as one visitor may in 10 minutes") as caught:
            ask("192.0.2.1", 1)
        assert caught.value.status == 429
    quota.admit("192.0.2.2", 3 * MB)  # another one has its own
    clock.now_s += KEPT_S + LOOKED_AT_S - 60 + 2
    quota.admit("192.0.2.1", 2 * MB)
    with pytest.raises(RefusedError):
        quota.admit("192.0.2.1", 3 * MB)


def test_all_visitors_together_have_so_much(tmp_path: Path) -> None:
    quota = Quota(Limits(visitor_mb=2, all_mb=3), tmp_path)
    quota.charge("192.0.2.1", 2 * MB)
    with pytest.raises(RefusedError, match="no room for more photographs") as caught:
        quota.admit("192.0.2.2", 2 * MB)
    assert caught.value.status == 507
    quota.charge("192.0.2.2", 2 * MB, enforce=False)  # what was made already counts
    with pytest.raises(RefusedError):
        quota.admit("192.0.2.3", 1)


def test_what_lies_there_counts_whoever_it_is_of(tmp_path: Path) -> None:
    clock = Clock()
    quota = Quota(Limits(all_mb=1), tmp_path, clock=clock)
    quota.admit("192.0.2.1", MB)
    for index in range(MB // LEAST_COUNTED):
        (tmp_path / str(index)).write_bytes(b"1")  # many small files cost too
    clock.now_s += 2 * MEASURED_S
    with pytest.raises(RefusedError) as caught:
        quota.admit("192.0.2.1", 1)
    assert caught.value.status == 507


def test_a_full_disk_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = Quota(Limits(), tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 70 * MB}))
    quota.admit("192.0.2.1", MB)
    with pytest.raises(RefusedError) as caught:
        quota.admit("192.0.2.1", 10 * MB)
    assert caught.value.status == 507


def test_the_line_is_short_and_moves(tmp_path: Path) -> None:
    clock = Clock()
    quota = Quota(Limits(visitor_waiting=2, all_waiting=3), tmp_path, clock=clock)
    quota.join("192.0.2.1")
    quota.join("192.0.2.1")
    with pytest.raises(RefusedError, match="2 of your requests are in line") as caught:
        quota.join("192.0.2.1")
    assert caught.value.status == 429
    quota.join("192.0.2.2")
    with pytest.raises(RefusedError, match="Too many visitors are in line"):
        quota.join("192.0.2.3")
    quota.leave("192.0.2.1")
    quota.join("192.0.2.3")
    clock.now_s += IN_LINE_S + 1  # visitors who left are not waited for
    for _ in range(2):
        quota.join("192.0.2.1")


def test_a_visitor_is_an_address_of_ipv6_a_network() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9%eth0")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("not an address") == "not an address"
