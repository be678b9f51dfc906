"""These tests are about events."""

import pytest


@pytest.fixture
def listening() -> bool:
    """The application hears of writes."""
    return True
