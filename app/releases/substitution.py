"""The audit by substitution: what follows from published counts one after the other?

For lattices too large for `kernel`: an equation with one atom left gives that atom, which is then
known in all other equations, and so on. Exact, in time proportional to the entries; but what only
several equations at once determine is not found.
"""

import numpy as np

from app.releases.kernel import System
from app.releases.universe import Flags, Ints


def known_atoms(system: System) -> Flags:
    """Per atom: whether substitution gives its count."""
    equation = system.equation.astype(np.int64)
    order = np.argsort(system.atom, kind="stable")
    by_atom = equation[order]
    starts = np.searchsorted(system.atom[order], np.arange(system.atoms + 1))
    left = np.bincount(equation, minlength=system.equations)
    # With one atom left, the sum of the numbers of those left is its number.
    total = np.bincount(equation, weights=system.atom, minlength=system.equations)
    known = np.zeros(system.atoms, dtype=bool)
    while len(found := _new_atoms(total[left == 1], known)):
        known[found] = True
        touched, atom = _entries_of(found, starts, by_atom)
        np.subtract.at(left, touched, 1)
        np.subtract.at(total, touched, atom)
    return known


def _new_atoms(numbers: "np.typing.NDArray[np.float64]", known: Flags) -> Ints:
    atoms = np.unique(np.rint(numbers).astype(np.int64))
    return atoms[~known[atoms]]


def _entries_of(atoms: Ints, starts: Ints, by_atom: Ints) -> tuple[Ints, Ints]:
    """The equations that hold each of these atoms, and the atom beside each."""
    lengths = starts[atoms + 1] - starts[atoms]
    first = np.repeat(starts[atoms] - np.cumsum(lengths) + lengths, lengths)
    return by_atom[first + np.arange(int(lengths.sum()))], np.repeat(atoms, lengths)
