"""The audit by substitution, on equations small enough to solve by hand."""

import numpy as np
import pytest

from app.releases.kernel import Sums, System
from app.releases.substitution import known_atoms


def system_of(equations: list[set[int]], atoms: int) -> System:
    """Each equation is the set of the atoms it adds up."""
    pairs = [(atom, i) for i, members in enumerate(equations) for atom in sorted(members)]
    atom = np.array([pair[0] for pair in pairs], dtype=np.int32)
    equation = np.array([pair[1] for pair in pairs], dtype=np.int32)
    return System(
        np.arange(atoms, dtype=np.int32),
        atoms,
        atom,
        equation,
        len(equations),
        sums=Sums(equation, atom, len(equations)),
        spread=Sums(atom, equation, atoms),
    )


@pytest.mark.parametrize(
    ("equations", "known"),
    [
        ([], []),
        ([{0, 1}, {1, 2}], []),
        ([{0}, {0, 1}, {1, 2}], [0, 1, 2]),
        ([{0}, {0, 1, 2}, {2, 3}], [0]),
        ([{3}, {0, 3}, {1, 2}], [0, 3]),
        # Two equations at once would give them: what substitution does not see.
        ([{0, 1, 2}, {0, 1, 3}, {2, 3}], []),
    ],
)
def test_what_follows_one_after_the_other(equations: list[set[int]], known: list[int]) -> None:
    assert np.flatnonzero(known_atoms(system_of(equations, 4))).tolist() == known
