"""These tests are about kept answers and freshness."""

import pytest


@pytest.fixture
def listening() -> bool:
    """The application hears of writes."""
    return True
