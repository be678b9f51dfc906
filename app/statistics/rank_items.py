"""Many ranks at once: the body of POST /v1/salaries/rank, checked, and its items by question.

Items that ask about the same records are answered together, so that a thousand cost few statements.
One bad item refuses the request: a client that corrects it sends it all again anyway, and a list
with holes is easily taken for a whole one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictFloat,
    StrictInt,
    model_validator,
)

from app.core.errors import Refused
from app.domain.nearest import nearest
from app.statistics.basis import Basis, BasisParameters
from app.statistics.filters import LISTS, Filters
from app.statistics.rank import parse_amount
from app.statistics.reading import parse_question

MAX_ITEMS: Final = 1_000
MAX_QUESTIONS: Final = 20
MAX_ERRORS: Final = 50
LONGEST_ECHO: Final = 60
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WHOLE_ANSWER: Final = ("format",)
"""Parameters that an answer has, and an item has not."""

_EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {"id": "a-1", "amount": 125000, "role": "django-developer", "level": "senior"},
        {
            "id": "a-2",
            "amount": 5400,
            "currency": "EUR",
            "pay_period": "month",
            "role": ["django-developer", "python-developer"],
            "region": "DE",
        },
    ]
}


def _shape_schema(schema: dict[str, Any]) -> None:
    """What the validator takes beyond the fields: lists, and not the parameters of an answer."""
    for name in _WHOLE_ANSWER:
        schema["properties"].pop(name, None)
    for name in LISTS:
        schema["properties"][name]["anyOf"] = [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "null"},
        ]
    # The validator takes unknown members, so that the error about one can name the nearest.
    schema["additionalProperties"] = False


def _number_or_text(given: Any) -> int | float | str:
    """What an amount may be in JSON. Raises ValueError."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError("it is a number such as 85000 or 42.5, or the text of one")
    return given


class RankItem(BasisParameters):
    """An amount, and the records it is compared with: filters and basis as in a query string."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_shape_schema)

    id: Annotated[str, Field(max_length=200)] | StrictInt | None = Field(
        default=None, description="Of your choice; comes back in the item's row."
    )
    amount: Annotated[
        int | float | str,
        PlainValidator(_number_or_text, json_schema_input_type=StrictInt | StrictFloat | str),
    ] = Field(description="The amount, in `currency` per `pay_period`.")

    @model_validator(mode="before")
    @classmethod
    def _join_lists(cls, given: Any) -> Any:
        """Lists of codes as a query string has them. Raises ValueError."""
        if not isinstance(given, dict):
            return given
        for name in _WHOLE_ANSWER:
            if name in given:
                raise ValueError(f"{name} is a parameter of the request, not of an item")
        joined = {}
        for name in LISTS:
            codes = given.get(name)
            if isinstance(codes, list):
                if not codes or not all(
                    isinstance(code, str) and "," not in code for code in codes
                ):
                    raise ValueError(f"{name} is a code or a list of codes, and not an empty one")
                joined[name] = ",".join(codes)
        return {**given, **joined}


_MEMBERS: Final[Mapping[str, str]] = {
    name: member.alias or name
    for name, member in RankItem.model_fields.items()
    if name not in _WHOLE_ANSWER
}
"""What an item may have: attributes, and their names in JSON."""
_ASKED: Final = tuple(name for name in _MEMBERS if name not in {"id", "amount"})


class RankRequest(BaseModel):
    """Amounts to rank."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    items: list[RankItem] = Field(
        min_length=1,
        max_length=MAX_ITEMS,
        description=f"Up to {MAX_ITEMS} amounts, about at most {MAX_QUESTIONS} different sets of "
        "records.",
    )


@dataclass(slots=True)
class Errors:
    """What is wrong with items: at most MAX_ERRORS are told."""

    found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether looking for more is of no use."""
        return len(self.found) >= MAX_ERRORS

    def add(self, place: int, error: Refused) -> None:
        """Note an error of the item at `place`, counted from 0."""
        name = error.members.get("parameter")
        where = f"items.{place}" + (f".{name}" if name else "")
        told = {"in": "body", "name": where, "item": place, "code": error.problem_code}
        close = error.members.get("nearest")
        self.found.append(
            {**told, "message": error.detail, **({"nearest": close} if close else {})}
        )

    def check(self) -> None:
        """Raise Refused (422) with all of them, if there are any."""
        if not self.found:
            return
        first, count = self.found[0], len(self.found)
        more = "" if count == 1 else f" ({count}{' or more' if self.is_full else ''} errors in all)"
        raise Refused(
            f"Nothing was ranked. {first['name']}: {first['message']}{more}",
            code="invalid_items",
            errors=sorted(self.found, key=lambda told: int(told["item"])),
        )


@dataclass(frozen=True, slots=True)
class RankQuestion:
    """The items about the same records on the same basis: their places and amounts."""

    filters: Filters
    basis: Basis
    places: list[int] = field(default_factory=list)
    amounts: list[Fraction] = field(default_factory=list)


def parse_items(items: Sequence[RankItem]) -> list[RankQuestion]:
    """The items by question, in the order of their first items.

    Raises Refused (422) naming every bad item as far as that goes without the database, and for
    more than MAX_QUESTIONS.
    """
    errors = Errors()
    questions: dict[tuple[Filters, Basis], RankQuestion] = {}
    parsed: dict[tuple[str | None, ...], tuple[Filters, Basis] | Refused] = {}
    for place, item in enumerate(items):
        asked = tuple(getattr(item, name) for name in _ASKED)
        if asked not in parsed:
            parsed[asked] = _parsed(item)
        key, amount = parsed[asked], _amount(item.amount)
        for error in (*_unknown_members(item), key, amount):
            if isinstance(error, Refused) and not errors.is_full:
                errors.add(place, error)
        if not isinstance(key, Refused) and isinstance(amount, Fraction):
            question = questions.setdefault(key, RankQuestion(*key))
            question.places.append(place)
            question.amounts.append(amount)
        if errors.is_full:
            break
    errors.check()
    _check_number(questions)
    return list(questions.values())


def _unknown_members(item: RankItem) -> Iterator[Refused]:
    for name in item.model_extra or ():
        close = nearest(name, _MEMBERS.values())
        yield Refused(
            f"It is not known here. Nearest: {', '.join(close)}.",
            code="unknown_parameter",
            parameter=_SURROGATE.sub("\ufffd", name[:LONGEST_ECHO]),
            nearest=close,
        )


def _not_text(name: str, given: str | None) -> Refused | None:
    """The error about half of a surrogate pair, which JSON can write and no text has."""
    if given is None or not _SURROGATE.search(given):
        return None
    return Refused(
        "It holds half of a surrogate pair; take it out.", code="invalid_text", parameter=name
    )


def _parsed(item: RankItem) -> tuple[Filters, Basis] | Refused:
    for name in _ASKED:
        if error := _not_text(_MEMBERS[name], getattr(item, name)):
            return error
    try:
        return parse_question(item)
    except Refused as error:
        return error


def _amount(given: float | str) -> Fraction | Refused:
    try:
        return parse_amount(given if isinstance(given, str) else repr(given))
    except Refused as error:
        return error


def _check_number(questions: Mapping[Any, RankQuestion]) -> None:
    if len(questions) > MAX_QUESTIONS:
        raise Refused(
            f"The items are about {len(questions)} different sets of records (filters, currency "
            f"and the like); one request takes {MAX_QUESTIONS}. Send the items of some of them "
            "in a request of their own.",
            code="too_many_questions",
            questions=len(questions),
        )
