"""A look at every example before training: what cannot be used is left out and named."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime import ImageError
from edge_runtime.files import available_cpus
from edge_runtime.manifest import InputSpec, Preprocessing
from edge_runtime.preprocess import prepare

from .errors import BuildError
from .pipeline import TensorStore
from .sources import Examples, Finding, Source

SIDE = 96
"""The longer side of the input, in pixels, unless the images are smaller or --size says so."""
MIN_SIDE = 8
SAMPLE = 256
"""How many examples, evenly spread, tell size and colour."""
COLOURED = 12
"""Difference of two channels, in grey levels, above which a pixel is coloured."""
FEW = 20
"""Images of a class below which its readings are a guess."""
UNBALANCED = 1.5
"""The largest class over the smallest, above which the rarer ones weigh more in training."""

_CHUNK = 32
_PART_NAMES = {"train": "train", "validation": "val", "test": "test", "": "the data"}


@dataclass(frozen=True)
class Seen:
    """One example, opened and prepared."""

    digest: bytes = b""
    """Of its tensor; examples that look the same to the network share it."""
    height: int = 0
    width: int = 0
    flat: bool = False
    """Whether it is of one value."""
    error: str = ""
    """Why it cannot be used; "" when it can."""


def choose_input(examples: Examples, size: int | None, channels: int | None) -> InputSpec:
    """The input that suits the images: their usual size up to `SIDE`, colour if they have any.

    size: what the longer side is to be instead, in pixels. channels: 1 or 3 instead.
    Raises BuildError when no image of the sample can be opened.
    """
    step = max(1, len(examples) // SAMPLE)
    shapes, coloured, opened = [], 0, 0
    for position in range(0, len(examples), step):
        try:
            pixels = examples[position]
        except ImageError:
            continue
        opened += 1
        shapes.append(pixels.shape[:2])
        if pixels.ndim == 3 and pixels.shape[2] == 3:
            spread = pixels.max(axis=2).astype(int) - pixels.min(axis=2)
            coloured += bool((spread > COLOURED).mean() > 0.01)
    if not opened:
        raise BuildError(f"none of {len(range(0, len(examples), step))} images could be opened")
    height, width = np.median(np.array(shapes), axis=0)
    scale = (size or min(SIDE, max(height, width))) / max(height, width)
    high, wide = (max(MIN_SIDE, round(side * scale)) for side in (height, width))
    return InputSpec(high, wide, channels or (3 if coloured > 0.05 * opened else 1))


def look(
    examples: Examples,
    spec: InputSpec,
    preprocessing: Preprocessing,
    store: TensorStore,
    progress: Callable[[int], object] = lambda done: None,
) -> list[Seen]:
    """Open every example once, keep its tensor in `store`, and say what was seen."""

    def chunk(start: int) -> list[Seen]:
        places = range(start, min(start + _CHUNK, len(examples)))
        return [_look(examples, place, spec, preprocessing, store) for place in places]

    seen: list[Seen] = []
    with ThreadPoolExecutor(available_cpus()) as pool:
        for part in pool.map(chunk, range(0, len(examples), _CHUNK)):
            seen += part
            progress(len(seen))
    return seen


def _look(
    examples: Examples, place: int, spec: InputSpec, how: Preprocessing, store: TensorStore
) -> Seen:
    try:
        pixels = examples[place]
        tensor = prepare(pixels, spec, how)
    except ImageError as error:
        return Seen(error=f"{error.status}: {error}")
    store.write(place, tensor)
    digest = hashlib.blake2b(tensor.tobytes(), digest_size=16).digest()
    flat = bool(tensor.min() == tensor.max())
    return Seen(digest, pixels.shape[0], pixels.shape[1], flat)


def judge(source: Source, seen: Sequence[Seen]) -> tuple[NDArray[np.int64], list[Finding]]:
    """Which examples are used, and what their owner should know.

    An own test part is measured as it is: copies are taken out of the training side instead.
    Raises BuildError when what is left cannot train a classifier.
    """
    findings = list(source.findings)
    names = [source.examples.name(place) for place in range(len(seen))]
    broken = [place for place, one in enumerate(seen) if one.error]
    if broken:
        findings.append(
            Finding(
                f"{_images(len(broken))} unreadable, left out",
                tuple(f"{names[place]} ({seen[place].error})" for place in broken),
            )
        )
    dropped = set(broken)
    for finding, places in _same(source, seen, names):
        findings.append(finding)
        dropped.update(places)
    kept = np.array([place for place in range(len(seen)) if place not in dropped], np.int64)
    findings += _strangers(source, kept, names)
    trained = {source.labels[place] for place in kept if source.parts[place] != "test"}
    kept = np.array([place for place in kept if source.labels[place] in trained], np.int64)
    findings += _suspicious(seen, kept, names)
    findings += _balance(source, kept)
    return kept, findings


def _same(
    source: Source, seen: Sequence[Seen], names: Sequence[str]
) -> Iterator[tuple[Finding, list[int]]]:
    """Examples with the same content: under two labels, in two parts, or simply twice."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for place, one in enumerate(seen):
        if not one.error:
            alike[one.digest].append(place)
    disputed: list[list[int]] = []
    leaked: dict[str, list[list[int]]] = defaultdict(list)
    twice: list[list[int]] = []
    for places in alike.values():
        if len(places) == 1:
            continue
        mine = [place for place in places if source.parts[place] != "test"]
        held = [place for place in places if source.parts[place] == "validation"]
        if len({source.labels[place] for place in places}) > 1:
            disputed.append(places)
        elif len(mine) < len(places):
            if mine:
                leaked["test"].append(mine)
        elif held and len(held) < len(places):
            leaked["val"].append([p for p in places if p not in held] + held[1:])
        else:
            twice.append(places[1:])
    if disputed:
        drop = [p for places in disputed for p in places if source.parts[p] != "test"]
        yield (
            Finding(
                f"{_images(sum(map(len, disputed)))} with the same content under more than one"
                " class, left out of training",
                tuple(" = ".join(names[p] for p in places) for places in disputed),
            ),
            drop,
        )
    for part, groups in leaked.items():
        drop = [place for places in groups for place in places]
        about = f"{_images(len(drop))} to train that {part} holds as well, left out of training"
        yield Finding(about, tuple(names[p] for p in drop)), drop
    if twice:
        drop = [place for places in twice for place in places]
        about = f"{_images(len(drop))} with the content of another of the same class, left out"
        yield Finding(about, tuple(names[p] for p in drop)), drop


def _strangers(source: Source, kept: NDArray[np.int64], names: Sequence[str]) -> Iterator[Finding]:
    """Test images of classes that training never sees."""
    trained = {source.labels[place] for place in kept if source.parts[place] != "test"}
    strange = [place for place in kept if source.labels[place] not in trained]
    if strange:
        classes = ", ".join(sorted({source.labels[place] for place in strange}))
        yield Finding(
            f"{_images(len(strange))} to test of classes with nothing to train on"
            f" ({classes}), left out",
            tuple(names[place] for place in strange),
        )


def _suspicious(
    seen: Sequence[Seen], kept: NDArray[np.int64], names: Sequence[str]
) -> Iterator[Finding]:
    flat = [place for place in kept if seen[place].flat]
    if flat:
        yield Finding(
            f"{_images(len(flat))} of one value throughout, kept; are they blank by mistake?",
            tuple(names[place] for place in flat),
        )
    areas = np.array([seen[place].height * seen[place].width for place in kept])
    if not len(kept):
        return
    tiny = kept[areas * 64 < np.median(areas)]
    if len(tiny):
        yield Finding(
            f"{_images(len(tiny))} less than an eighth as large as most, kept",
            tuple(f"{names[p]} ({seen[p].width}x{seen[p].height})" for p in tiny),
        )


def _balance(source: Source, kept: NDArray[np.int64]) -> Iterator[Finding]:
    """Raises BuildError for too few classes or images; warns of few and of unbalanced ones."""
    side = [place for place in kept if source.parts[place] != "test"]
    counts = Counter(source.labels[place] for place in side)
    if len(counts) < 2:
        only = f"one class, {next(iter(counts))!r}" if counts else "no class"
        raise BuildError(f"{only} with images that can be used; a classifier needs at least 2")
    own = {part for part in source.parts if part}
    needed = 1 + ("test" not in own) + ("validation" not in own)
    for label, count in sorted(counts.items()):
        if count < needed:
            raise BuildError(
                f"class {label!r} has {_images(count)} that can be used, at least {needed} are"
                " needed (to train, to choose and to test); add some, or move the class away"
            )
    few = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < FEW]
    if few:
        yield Finding(
            f"{len(few)} classes have fewer than {FEW} images; expect little of their readings",
            tuple(few),
        )
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > UNBALANCED * smallest:
        yield Finding(
            f"the classes are unbalanced, {largest} of {most!r} and {smallest} of {least!r}; the"
            " rarer ones weigh more in training"
        )


def _images(count: int) -> str:
    return f"{count:,} image{'s' if count != 1 else ''}"
