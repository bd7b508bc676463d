"""Fixtures that many test files share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("hypermm", deadline=None)  # a busy machine is no failure
settings.load_profile("hypermm")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with recorded markets and payloads; tests that need it skip where it is not set."""
    value = os.environ.get("HYPERMM_DATA")
    if not value:
        pytest.skip(
            "HYPERMM_DATA is not set: it names the folder with recorded markets and payloads"
        )
    path = Path(value)
    if not path.is_dir():
        pytest.skip(f"HYPERMM_DATA is not a folder: {value}")
    return path
