"""A look at every example before training: what cannot be used is left out and named."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime import InputError
from edge_runtime.bundle.preprocessing import Preprocessing, Whole
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.inputs.formats import PLURALS
from edge_runtime.preprocessing.base import Reader
from edge_runtime.preprocessing.readers import reader_of
from edge_runtime.system.cpus import available_cpus

from ..errors import BuildError
from .groups import joined, parts_to_make
from .near_duplicates import MOST, near_duplicates, perceptual_hash
from .sources.base import Examples, Finding, Source
from .split import Indices
from .store import TensorStore

FEW = 20
"""Examples of a class below which its readings are a guess."""
UNBALANCED = 1.5
"""The largest class over the smallest, above which the rarer ones weigh more in training."""

TINY = 16
"""How many times smaller than the median an example is suspicious."""

_CHUNK = 32


@dataclass(frozen=True)
class Seen:
    """One example, opened and prepared."""

    digest: bytes = b""
    """Of its tensor; examples that look the same to the network share it."""
    extent: float = 0.0
    """Pixels, values, or of a sound seconds."""
    flat: bool = False
    """Whether it is of one value."""
    error: str = ""
    """Why it cannot be used; "" when it can."""
    phash: bytes = b""
    """Of an image, its perceptual hash, if it has one."""


@dataclass(frozen=True)
class Judged:
    """What the examples are good for."""

    kept: Indices
    """Positions of those that are used."""
    groups: Indices
    """(N,) whole numbers from 0; examples of one group lie on one side of the split."""
    near: tuple[Indices, ...]
    """Positions of images that are nearly the same, a group each."""
    findings: tuple[Finding, ...]
    """What their owner should know."""


def look(
    examples: Examples,
    spec: InputSpec,
    preprocessing: Preprocessing,
    stores: Sequence[TensorStore],
    progress: Callable[[int], object] = lambda done: None,
) -> list[Seen]:
    """Open every example once, keep its tensor in each of `stores`, and say what was seen.

    The first store is of `spec`; the others may be of other sizes.
    """

    hashed = preprocessing.reads == "image" and len(examples) <= MOST

    def chunk(start: int) -> list[Seen]:
        places = range(start, min(start + _CHUNK, len(examples)))
        return [_look(examples, place, spec, preprocessing, stores, hashed) for place in places]

    seen: list[Seen] = []
    with ThreadPoolExecutor(available_cpus()) as pool:
        for part in pool.map(chunk, range(0, len(examples), _CHUNK)):
            seen += part
            progress(len(seen))
    return seen


def _look(
    examples: Examples,
    place: int,
    spec: InputSpec,
    how: Preprocessing,
    stores: Sequence[TensorStore],
    hashed: bool,
) -> Seen:
    reader = reader_of(spec, how)
    try:
        example = examples[place]
        tensor = _tensor(examples, place, reader, example)
    except InputError as error:
        return Seen(error=f"{error.status}: {error}")
    if how.knows_blank and not tensor.any():
        return Seen(error="blank: shows nothing")
    stores[0].write(place, tensor)
    for store in stores[1:]:
        other = reader_of(store.spec, how)
        store.write(place, _tensor(examples, place, other, example))
    digest = hashlib.blake2b(tensor.tobytes(), digest_size=16).digest()
    flat = bool(tensor.min() == tensor.max())
    phash = perceptual_hash(example) if hashed and not flat else b""
    return Seen(digest, _extent(example, how), flat, phash=phash)


def _tensor(examples: Examples, place: int, reader: Reader, example: Any) -> NDArray[np.uint8]:
    """The tensor of an example, of which an image is decoded as the device decodes it."""
    own = isinstance(reader.preprocessing, Whole)
    return reader.tensor(examples.decoded(place, reader) if own else example)


def _extent(example: Any, how: Preprocessing) -> float:
    if how.reads == "sound":
        return len(example.samples) / float(example.rate)
    return float(math.prod(example.shape[:2]))


def judge(source: Source, seen: Sequence[Seen], groups: Indices) -> Judged:
    """Which examples are used, which belong together, and what their owner should know.

    groups: (N,) whole numbers from 0; examples with the same one belong together in any case.
    An own test part is measured as it is: copies are taken out of the training side instead.
    Raises BuildError when what is left cannot train a classifier.
    """
    findings = list(source.findings)
    names = [source.examples.name(place) for place in range(len(seen))]
    broken = [place for place, one in enumerate(seen) if one.error]
    if broken:
        findings.append(
            Finding(
                f"{_count(len(broken), source.reads)} unreadable, left out",
                tuple(f"{names[place]} ({seen[place].error})" for place in broken),
            )
        )
    dropped = set(broken)
    for finding, places in _same(source, seen, names):
        findings.append(finding)
        dropped.update(places)
    kept = np.array([place for place in range(len(seen)) if place not in dropped], np.int64)
    findings += _strangers(source, kept, names)
    trained = _trained(source, kept)
    kept = np.array([place for place in kept if source.labels[place] in trained], np.int64)
    findings += _suspicious(seen, kept, names, source.reads)
    findings += _balance(source, kept)
    near, groups, about = _near(source, seen, kept, names, groups)
    return Judged(kept, groups, tuple(near), (*findings, *about))


def _same(
    source: Source, seen: Sequence[Seen], names: Sequence[str]
) -> Iterator[tuple[Finding, list[int]]]:
    """Examples that give the same tensor: under two labels, in two parts, or simply twice.

    Files of the same bytes are told from those that become the same when they are prepared.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place, one in enumerate(seen):
        if not one.error:
            groups[one.digest].append(place)
    copies: list[list[int]] = []
    alike: list[list[int]] = []
    for first, *others in groups.values():
        if others:
            equal = all(source.examples.equal(first, other) for other in others)
            (copies if equal else alike).append([first, *others])
    yield from _repeated(source, copies, names, "of the same bytes")
    yield from _repeated(source, alike, names, "with the same content once prepared")


def _repeated(
    source: Source, groups: Sequence[list[int]], names: Sequence[str], how: str
) -> Iterator[tuple[Finding, list[int]]]:
    """What is to be said of such groups, and which examples of them are left out."""
    disputed: list[list[int]] = []
    leaked: dict[str, list[int]] = defaultdict(list)
    twice: list[int] = []
    for places in groups:
        mine = [place for place in places if source.parts[place] != "test"]
        held = [place for place in places if source.parts[place] == "validation"]
        if len({source.labels[place] for place in places}) > 1:
            disputed.append(places)
        elif len(mine) < len(places):
            leaked["test"] += mine
        elif held and len(held) < len(places):
            leaked["val"] += [place for place in places if place not in held] + held[1:]
        else:
            twice += places[1:]
    if disputed:
        count = _count(sum(map(len, disputed)), source.reads)
        about = f"{count} {how} under more than one class, left out of training"
        items = tuple(" = ".join(names[place] for place in places) for places in disputed)
        left_out = [p for places in disputed for p in places if source.parts[p] != "test"]
        yield Finding(about, items), left_out
    for part, places in leaked.items():
        if places:
            about = f"{_count(len(places), source.reads)} to train that {part} holds as well"
            about += f" ({how}), left out of training"
            yield Finding(about, tuple(names[place] for place in places)), places
    if twice:
        about = f"{_count(len(twice), source.reads)} {how} as another of the same class, left out"
        yield Finding(about, tuple(names[place] for place in twice)), twice


def _near(
    source: Source, seen: Sequence[Seen], kept: Indices, names: Sequence[str], groups: Indices
) -> tuple[list[Indices], Indices, list[Finding]]:
    """Images that are nearly the same; the groups with those joined; what is to be said of them."""
    labels, parts = np.array(source.labels), np.array(source.parts)
    _, classes = np.unique(labels[kept], return_inverse=True)
    near = [kept[i] for i in near_duplicates([seen[place].phash for place in kept], classes)]
    if not near:
        return near, groups, []
    mine = kept[(parts[kept] != "test") & (parts[kept] != "validation")]
    together = joined(groups, near)
    few = {
        label
        for label in set(labels[mine])
        if len(set(together[mine[labels[mine] == label]])) < parts_to_make(source)
    }
    together = joined(groups, [places for places in near if not few & set(labels[places])])
    disputed: list[Indices] = []
    divided: dict[str, list[Indices]] = defaultdict(list)
    for places in near:
        sides = set(parts[places])
        if len(set(labels[places])) > 1:
            disputed.append(places)
            continue
        for part in ("test", "validation"):
            if part in sides and len(sides) > 1:
                divided[part].append(places)
                break
        else:
            divided["" if not few & set(labels[places]) else "few"].append(places)
    return near, together, [*_told(source.reads, names, disputed, divided)]


def _told(
    reads: str,
    names: Sequence[str],
    disputed: Sequence[Indices],
    divided: Mapping[str, Sequence[Indices]],
) -> Iterator[Finding]:
    """What is to be said of groups of images that are nearly the same."""
    about = {
        "": "kept on one side of the split",
        "few": "kept on both sides of the split, since most of a class are",
        "test": "in test and elsewhere, kept; the figures of test may flatter",
        "validation": "in val and elsewhere, kept; training may stop too late",
    }

    def finding(groups: Sequence[Indices], words: str) -> Finding:
        count = _count(sum(len(places) - 1 for places in groups), reads)
        pairs = [f"{names[places[0]]} = {names[p]}" for places in groups for p in places[1:]]
        return Finding(f"{count} nearly the same as another, {words}", tuple(pairs))

    if disputed:
        yield finding(disputed, "under more than one class, kept; is a label wrong?")
    for part, groups in divided.items():
        yield finding(groups, about[part])


def _strangers(source: Source, kept: NDArray[np.int64], names: Sequence[str]) -> Iterator[Finding]:
    """Examples to test or to choose by, of classes that training never sees."""
    trained = _trained(source, kept)
    strange = [place for place in kept if source.labels[place] not in trained]
    if strange:
        classes = ", ".join(sorted({source.labels[place] for place in strange}))
        yield Finding(
            f"{_count(len(strange), source.reads)} of classes with nothing to train on"
            f" ({classes}), left out",
            tuple(names[place] for place in strange),
        )


def _suspicious(
    seen: Sequence[Seen], kept: NDArray[np.int64], names: Sequence[str], reads: str
) -> Iterator[Finding]:
    flat = [place for place in kept if seen[place].flat]
    if flat:
        yield Finding(
            f"{_count(len(flat), reads)} of one value throughout, kept; are they blank by mistake?",
            tuple(names[place] for place in flat),
        )
    if not len(kept):
        return
    extents = np.array([seen[place].extent for place in kept])
    tiny = kept[extents * TINY < np.median(extents)]
    if len(tiny):
        yield Finding(
            f"{_count(len(tiny), reads)} less than a {TINY}th of the size of most, kept",
            tuple(names[place] for place in tiny),
        )


def _trained(source: Source, kept: NDArray[np.int64]) -> Counter[str]:
    """How many examples each class has that its owner put neither to test nor to choose by."""
    return Counter(
        source.labels[place] for place in kept if source.parts[place] not in ("test", "validation")
    )


def _balance(source: Source, kept: NDArray[np.int64]) -> Iterator[Finding]:
    """Raises BuildError for too few classes or images; warns of few and of unbalanced ones."""
    counts = _trained(source, kept)
    if len(counts) < 2:
        only = f"one class, {next(iter(counts))!r}" if counts else "no class"
        raise BuildError(f"{only}; a classifier needs at least 2 that can be used")
    needed = parts_to_make(source)
    for label, count in sorted(counts.items()):
        if count < needed:
            raise BuildError(
                f"class {label!r} has {_count(count, source.reads)} that can be used, at least"
                f" {needed} are needed (to train, to choose and to test); add some, or"
                " move the class away"
            )
    few = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < FEW]
    if few:
        yield Finding(
            f"{len(few)} {'class has' if len(few) == 1 else 'classes have'} fewer than {FEW}"
            f" {PLURALS[source.reads]}; expect little of the readings",
            tuple(few),
        )
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > UNBALANCED * smallest:
        yield Finding(
            f"the classes are unbalanced, {largest} of {most!r} and {smallest} of {least!r}; the"
            " rarer ones weigh more in training"
        )


def _count(count: int, reads: str) -> str:
    return f"{count:,} {reads if count == 1 else PLURALS[reads]}"
