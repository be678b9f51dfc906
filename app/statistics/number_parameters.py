"""Numbers in query strings, as every client writes them."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _plainly_written(given: Any) -> Any:
    """What was given. Raises ValueError for 1_000: only Python takes that for a number."""
    if isinstance(given, str) and "_" in given:
        raise ValueError("a number has no underscores")
    return given


WholeNumber = Annotated[int, BeforeValidator(_plainly_written)]
Number = Annotated[float, BeforeValidator(_plainly_written)]
