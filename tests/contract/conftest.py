"""These tests are about every route, that of events too."""

import pytest


@pytest.fixture
def listening() -> bool:
    """The application hears of writes."""
    return True
