"""Rates are kept to the second by a clock of the test's own; places are given back; what is set is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import app_of, running

from plait.errors import InputError
from plait.library import Library
from plait.schema import Query
from plait.scoring.vectors import QueryVectors
from plait.serve.limits import InFlight, Limits, Rate
from plait.serve.refusals import Refusal
from plait.settings import Settings


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_what_comes_back() -> None:
    clock = Clock()
    rate = Rate(2.0, 3, clock=clock)
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.25
    assert rate.take("a") == 0.25  # a refused request costs nothing
    clock.now += 0.25
    assert [rate.take("a"), rate.take("a")] == [0, 0.5]
    clock.now += 1000
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 0.5]  # never more than a full bucket


def test_one_name_costs_another_nothing() -> None:
    rate = Rate(1.0, 1, clock=Clock())
    assert [rate.take("a"), rate.take("b"), rate.take("a")] == [0, 0, 1]


def test_a_flood_of_names_takes_no_more_memory_and_frees_nobody_who_still_asks() -> None:
    rate = Rate(1.0, 1, clock=Clock())
    rate.take("a")
    for number in range(10_000):
        rate.take(f"address {number}")
        assert rate.take("a") > 0
    assert len(rate._buckets) == 4096


def test_places_are_counted_of_each_and_of_all_and_given_back() -> None:
    places = InFlight(3, 2)
    with places.one("a"):
        with pytest.raises(ZeroDivisionError), places.one("a"):
            raise ZeroDivisionError
        with places.one("a"):
            with pytest.raises(Refusal) as own, places.one("a"):
                pass
            with places.one("b"), pytest.raises(Refusal) as every, places.one("c"):
                pass
    assert (own.value.status, own.value.kind) == (429, "TooMany")
    assert (every.value.status, every.value.kind) == (503, "Busy")
    assert int(own.value.headers["Retry-After"]) >= 1
    with places.one("a"), places.one("a"), places.one("c"):
        pass


def test_limits_are_as_they_are_set() -> None:
    assert Limits.of(Settings()) == Limits()
    limits = Limits.of(Settings(requests_per_minute=30, request_mb=1, upload_mb=2, request_seconds=1.5))
    assert (limits.requests_per_second, limits.burst, limits.request_seconds) == (0.5, 30, 1.5)
    assert (limits.query_mb, limits.upload_mb) == (1, 2)


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("requests_per_minute", 0, 1),
        ("request_mb", 0, 1),
        ("upload_mb", -1, 1),
        ("request_seconds", -0.5, 0),
        ("request_seconds", float("nan"), 0),
    ],
)
def test_a_limit_that_lets_nothing_pass_is_refused(name: str, value: float, least: int) -> None:
    with pytest.raises(InputError, match=f"setting {name} must be at least {least}, got {value}"):
        Limits.of(Settings(**{name: value}))  # type: ignore[arg-type]


def test_what_an_operator_sets_is_what_a_server_goes_by(shelf: Path, tmp_path: Path) -> None:
    shutil.copytree(shelf, tmp_path / "shelf")
    (tmp_path / "shelf/.plait/settings.toml").write_text("request_mb = 1\nupload_mb = 2\n")
    command = [sys.executable, "-m", "plait", "serve", "--library", str(tmp_path / "shelf"), "--port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PLAIT_REQUESTS_PER_MINUTE": "2"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url, token = process.stdout.readline().strip().split("/#token=")
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
                client.headers["Authorization"] = f"Bearer {token}"
                sizes = {"/count": 1_000_000, "/documents": 2_000_000}
                fitting = [client.post(path, content=b" " * size) for path, size in sizes.items()]
                larger = [client.post(path, content=b" " * (size + 1)) for path, size in sizes.items()]
                often = client.get("/status")
            assert [reply.status_code for reply in fitting] == [400, 400]
            assert [reply.status_code for reply in larger] == [413, 413]  # and these count for no rate
            assert (often.status_code, often.json()["kind"]) == (429, "TooMany")
            assert int(often.headers["Retry-After"]) in range(1, 32)
        finally:
            process.kill()


@dataclass(frozen=True)
class _Held(TinyEncoder):
    """Reads a query that says "wait" for as long as it is held."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def encode_query(self, query: Query) -> QueryVectors:
        if "wait" in query.texts:
            assert self.go_on.wait(20)
        return super().encode_query(query)


def _asking(text: str) -> dict[str, object]:
    return {"query": {"texts": [text]}}


def test_what_takes_too_long_is_refused_and_holds_its_place_until_it_ends(shelf: Path) -> None:
    encoder = _Held()
    with (
        Library(shelf, encoder=encoder) as library,
        running(app_of(library, request_seconds=0.3, in_flight_per_caller=1)) as service,
    ):
        while service.client.post("/search", json=_asking("valve")).status_code != 200:
            pass  # a busy machine may take longer for the first
        late = service.client.post("/search", json=_asking("wait"))
        assert (late.status_code, late.json()["kind"]) == (503, "TooLong")
        assert late.headers["Retry-After"] == "1"
        assert "longer than the 0.3 s it may take" in late.json()["detail"]
        with httpx.Client(base_url=service.url, trust_env=False) as another:
            another.headers["Authorization"] = service.client.headers["Authorization"]
            assert another.get("/status").status_code == 429  # the search still runs
            encoder.go_on.set()
            while another.get("/status").status_code == 429:
                pass
            assert another.get("/status").status_code == 200
