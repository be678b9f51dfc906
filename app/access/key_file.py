"""A key in a file that only its owner can read, from its first byte on."""

import os
import secrets
from pathlib import Path
from typing import Final

from app.core.errors import WrongSetting

MODE: Final = 0o600
LONGEST: Final = 1000


def read_key_file(path: Path) -> str | None:
    """The key in the file, None without a file; a mode wider than 600 is narrowed.

    Raises WrongSetting where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            os.fchmod(file.fileno(), MODE)
            return file.read(LONGEST).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WrongSetting(f"{path} cannot be used: {error.strerror}") from error


def write_key_file(path: Path, key: str) -> None:
    """Put `key` in the file at once and whole, replacing what was there.

    Raises WrongSetting where that is not possible.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(key + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise WrongSetting(f"{path} cannot be written: {error.strerror}") from error
