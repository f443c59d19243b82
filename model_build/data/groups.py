"""Groups of examples that a split must not divide: bursts, scenes, people."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BuildError
from .sources.base import Files, Finding, Source
from .split import Indices

BY_PATH = ("folder", "prefix")
"""Values of `--group-by` that a file's path answers; any other names a column of a .csv."""


def group_names(source: Source, by: str) -> list[str]:
    """The group that each example belongs to.

    by: a column of the table; `folder`, the folder that a file is in; or `prefix`, its name up to
    the last space, `_`, `-` or `.` before the ending. Raises BuildError where the data has no such
    thing.
    """
    if by in source.columns:
        return [value or f"\0{place}" for place, value in enumerate(source.columns[by])]
    examples = source.examples
    if by in BY_PATH and isinstance(examples, Files):
        find = os.path.dirname if by == "folder" else _prefix
        return [find(path) for path in examples.paths]
    columns = ", ".join(source.columns)
    known = ["folder", "prefix"] if isinstance(examples, Files) else []
    known += [f"a column of the table ({columns})"] if columns else []
    advice = f"give {' or '.join(known)}" if known else "leave it out"
    raise BuildError(f"--group-by {by}: {source.about} have no such groups; {advice}")


def _prefix(path: str) -> str:
    """`walk1` of `street/walk1_03.jpg`; a name of one word is a group of its own."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.sub(r"[ _.-][^ _.-]*\Z", "", stem)


def numbered(names: Sequence[str]) -> Indices:
    """(N,) the same whole number from 0 for the same name."""
    _, numbers = np.unique(np.array(names), return_inverse=True)
    return numbers.astype(np.int64)


def joined(groups: Indices, sets: Sequence[Indices]) -> Indices:
    """(N,) numbers of groups after the members of each set were put into one."""
    if not sets:
        return groups
    one = np.concatenate([np.repeat(members[:1], len(members)) for members in sets])
    return connected(groups, one, np.concatenate(sets))


def connected(groups: Indices, one: Indices, other: Indices) -> Indices:
    """(N,) numbers of groups after each of `one`, by position, was joined with that of `other`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(groups)
    # Each group is a node behind those of the examples.
    ends = (
        np.concatenate([one, np.arange(count)]),
        np.concatenate([other, count + groups]),
    )
    links: Any = coo_array((np.ones(len(ends[0]), bool), ends), shape=(2 * count, 2 * count))
    _, numbers = connected_components(links, directed=False)
    found: NDArray[np.int64] = np.unique(numbers[:count], return_inverse=True)[1]
    return found


def check_groups(by: str, names: Sequence[str], source: Source, kept: Indices) -> None:
    """Raise BuildError for a class with fewer groups than the parts it is to be divided into."""
    groups: dict[str, set[str]] = defaultdict(set)
    for place in kept:
        if source.parts[place] in ("", "train"):
            groups[source.labels[place]].add(names[place])
    needed = parts_to_make(source)
    for label, found in sorted(groups.items()):
        if len(found) < needed:
            count = f"1 group ({next(iter(found))})" if len(found) == 1 else f"{len(found)} groups"
            raise BuildError(
                f"--group-by {by}: class {label!r} has {count}, at least {needed} are needed (to"
                " train, to choose and to test); group by something smaller"
            )


def divided_groups(
    by: str, names: Sequence[str], parts: NDArray[np.str_], kept: Indices
) -> Iterator[Finding]:
    """Groups that the data's owner has put into more than one part."""
    found: dict[str, set[str]] = defaultdict(set)
    for place in kept:
        found[names[place]].add(parts[place])
    divided = tuple(sorted(name for name, sides in found.items() if len(sides) > 1))
    if divided:
        count = f"{len(divided)} {'group' if len(divided) == 1 else 'groups'}"
        yield Finding(f"{count} by {by} in more than one part, kept as divided", divided)


def parts_to_make(source: Source) -> int:
    """The parts into which the examples are divided, without those that their owner made."""
    own = {part for part in source.parts if part}
    return 1 + ("test" not in own) + ("validation" not in own)
