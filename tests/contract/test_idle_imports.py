"""What the service imports at start decides what it weighs when idle."""

import subprocess
import sys

HEAVY = ("polars", "numpy", "rapidfuzz", "pycountry", "currency_converter", "pyarrow", "pandas")
SCRIPT = f"""
import sys
import app.serve
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_heavy_libraries_load_on_first_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
