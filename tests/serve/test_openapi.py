"""What /openapi.json says of the service is so: whatever fits its forms, and whatever does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import TOKEN, Service, app_of, running

from plait.library import Library

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def tried(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over a copy, which may be written to."""
    copy = tmp_path_factory.mktemp("tried") / "shelf"
    shutil.copytree(shelf, copy)
    with (
        Library(copy, encoder=TinyEncoder()) as opened,
        running(app_of(opened, query_mb=32, requests_per_second=1e6, burst=1_000_000)) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def described(tried: Service) -> Any:
    return schemathesis.openapi.from_url(f"{tried.url}/openapi.json", headers=HEADERS)


MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("mode", MODES)
def test_the_service_is_as_it_describes_itself(described: Any, mode: GenerationMode) -> None:
    for found in described.get_all_operations():
        operation = found.ok()
        told = operation.definition.raw
        if mode is GenerationMode.NEGATIVE and not ("parameters" in told or "requestBody" in told):
            continue  # it takes nothing that could be wrong
        cases = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def agrees(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=HEADERS, excluded_checks=[positive_data_acceptance])

        agrees()
