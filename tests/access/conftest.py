"""These tests are about limits of kept answers."""

import pytest


@pytest.fixture
def listening() -> bool:
    """The application hears of writes."""
    return True
