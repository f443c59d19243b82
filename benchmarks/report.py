"""What was measured, as tables and a chart: report.py performance.json writes both again."""

from __future__ import annotations

import json
import statistics
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from . import calls
from .programs import DECODE, EDGE, EDGE_INT8, EDGE_ONE, FLOOR, OPENCV, OPENCV_INT8, PLAIN

Rounds = dict[str, list[float]]
"""By name, what was measured in each round."""

START_ONE = "edge-runtime predict ONE.png"
START_BARE = "script: numpy, onnxruntime, Pillow, one image"
START_HELP = "edge-runtime --help"
START_CLICK = 'python -c "import click"'
START_EDGE = "start-up: edge-runtime, 64 images"
START_PLAIN = "start-up: Pillow + onnxruntime, 64 images"
START_OPENCV = "start-up: OpenCV + onnxruntime, 64 images"
MEMORY_FEW = "edge-runtime, few images"
MEMORY_MANY = "edge-runtime, many images in folders of 1,000"
MEMORY_FLAT = "edge-runtime, many images in one folder"
MEMORY_ONE = "edge-runtime, few images, 1 worker"
MEMORY_PLAIN = "Pillow + onnxruntime script, few images"

_FASTER = {
    "small": ((1.15, EDGE, OPENCV), (4, EDGE, PLAIN), (1.4, EDGE_INT8, OPENCV_INT8)),
    "photos": ((3, EDGE, PLAIN),),
    "large": ((4, EDGE, PLAIN),),
    "own": ((0.85, EDGE, FLOOR), (2, EDGE, OPENCV)),
    "scenes": ((1.2, EDGE, OPENCV),),
}
"""How many times as fast a program is to be as another one, by the name of the batch."""

BEGIN, END = "<!-- measured by make bench -->", "<!-- end -->"


class Batch(TypedDict):
    """One set of images."""

    about: str
    count: int
    seconds: Rounds
    right: dict[str, float]
    """Share of the images whose digit was read, by program."""
    as_full_size: float
    """Share of edge-runtime's labels that full-size decoding gives too."""


class Training(TypedDict):
    """One training, or one epoch of it."""

    program: str
    epochs: int
    training: float
    """Seconds from the first step to the end of the last epoch."""
    whole: float
    """Seconds of the whole process."""
    accuracy: float
    """On the test digits, a share in [0, 1]."""


class _Facts(TypedDict):
    date: str
    platform: str
    processor: str
    cpus: int
    libraries: dict[str, str]
    rounds: int
    skipped: list[str]


class Results(_Facts, total=False):
    """performance.json; a part that was not run is absent."""

    batches: dict[str, Batch]
    calls: Rounds  # microseconds
    starts: Rounds  # seconds
    memory: Rounds  # bytes
    memory_images: list[int]
    same_bytes: bool
    training: list[Training]


@dataclass(frozen=True)
class Target:
    """A figure that is wanted, and what was seen."""

    what: str
    wanted: str
    seen: str
    met: bool


def ratio(rounds: Rounds, above: str, below: str) -> float:
    """The median of the ratios within each round."""
    pairs = zip(rounds[above], rounds[below], strict=True)
    return statistics.median(a / b for a, b in pairs)


def targets(results: Results) -> Iterator[Target]:
    """Every wanted figure whose part was run."""
    for name, batch in results.get("batches", {}).items():
        seconds, about = batch["seconds"], batch["about"]
        for times, program, other in _FASTER.get(name, ()):
            if other not in seconds:
                continue
            what = f"{about}: {program} beside {other}"
            yield _at_least(what, times, ratio(seconds, other, program))
        what = f"{about}: rate of {results['cpus']} workers beside 1"
        yield _at_least(what, 1.8, ratio(seconds, EDGE_ONE, EDGE))
    if "calls" in results:
        for call, most in ((calls.READY, 1.3), (calls.PREPARED, 2.5)):
            what = f"{call}, beside the bare call"
            yield _at_most(what, most, ratio(results["calls"], call, calls.RUN))
    if "starts" in results:
        starts = results["starts"]
        what = f"`{START_ONE}`, beside the bare script"
        yield _at_most(what, 1.05, ratio(starts, START_ONE, START_BARE))
        pairs = zip(starts[START_HELP], starts[START_CLICK], strict=True)
        more = statistics.median(a - b for a, b in pairs)
        what = f"`{START_HELP}` after `{START_CLICK}`"
        yield Target(what, "<= 0.15 s", f"{more:.2f} s", more <= 0.15)
    if "memory" in results:
        few, many = results["memory_images"]
        for name in (MEMORY_MANY, MEMORY_FLAT):
            what = f"peak memory, {_named(name, few, many)}, beside {few:,}"
            yield _at_most(what, 1.05, ratio(results["memory"], name, MEMORY_FEW))
        what = "peak memory of 1 worker beside the script"
        yield _at_most(what, 1.5, ratio(results["memory"], MEMORY_ONE, MEMORY_PLAIN))
    if "same_bytes" in results:
        same = results["same_bytes"]
        what = "the same bytes from 1 and 2 workers and batches of 1, 32 and 256"
        yield Target(what, "yes", "yes" if same else "no", same)


def _at_least(what: str, wanted: float, seen: float) -> Target:
    return Target(what, f">= {wanted:g}x", f"{seen:.2f}x", seen >= wanted)


def _at_most(what: str, wanted: float, seen: float) -> Target:
    return Target(what, f"<= {wanted:g}x", f"{seen:.2f}x", seen <= wanted)


def _named(name: str, few: int, many: int) -> str:
    return name.replace("few", f"{few:,}").replace("many", f"{many:,}")


def tables(results: Results) -> str:
    """All of it in Markdown."""
    libraries = ", ".join(f"{name} {version}" for name, version in results["libraries"].items())
    parts = [
        f"{results['date']}, {results['processor']}, {results['cpus']} processors,"
        f" {results['platform']}. {libraries}. Medians of {results['rounds']} rounds;"
        " ratios within a round.",
        *results["skipped"],
    ]
    rows = [[t.what, t.wanted, t.seen, "" if t.met else "short"] for t in targets(results)]
    if rows:
        parts += ["### Wanted and seen", _table(["figure", "wanted", "seen", ""], rows)]
    for batch in results.get("batches", {}).values():
        parts += [f"### {batch['count']:,} {batch['about']}", _batch_table(batch)]
        same = batch["as_full_size"]
        parts += [f"{same:.2%} of edge-runtime's labels are those of decoding at full size."]
    if "calls" in results:
        parts += ["### One image in memory", _rounds_table(results["calls"], "µs", 1, calls.RUN)]
    if "starts" in results:
        parts += ["### Whole processes", _rounds_table(results["starts"], "s", 1, START_BARE)]
    if "memory" in results:
        few, many = results["memory_images"]
        named = {_named(name, few, many): values for name, values in results["memory"].items()}
        table = _rounds_table(named, "MB", 1e-6, _named(MEMORY_PLAIN, few, many))
        parts += ["### Peak memory", "Of each process, added up.", table]
    if "training" in results:
        rows = [
            [
                *(row["program"], str(row["epochs"]), f"{row['training']:.1f}"),
                *(f"{row['whole']:.1f}", f"{row['accuracy']:.1%}"),
            ]
            for row in results["training"]
        ]
        head = ["training on the digits", "epochs", "s training", "s in all", "test accuracy"]
        parts += ["### Training", _table(head, rows)]
    return "\n\n".join(parts)


def _batch_table(batch: Batch) -> str:
    rows = []
    for name, rate in _rates(batch).items():
        right = f"{batch['right'][name]:.1%}" if name in batch["right"] else ""
        beside = ratio(batch["seconds"], name, EDGE)
        rows.append([name, _number(rate), f"{beside:.2f}x as fast", right])
    return _table(["program", "images/s", "edge-runtime is", "read right"], rows)


def _rounds_table(rounds: Rounds, unit: str, scale: float, beside: str) -> str:
    rows = []
    for name, values in rounds.items():
        value = statistics.median(values) * scale
        rows.append([name, _number(value), f"{ratio(rounds, name, beside):.2f}x"])
    return _table(["", unit, "ratio"], rows) + f"\n\nRatios to: {beside}."


def _rates(batch: Batch) -> dict[str, float]:
    """Images a second by program."""
    return {name: batch["count"] / statistics.median(s) for name, s in batch["seconds"].items()}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (max(width, 4) - 1) + ":" for width in widths[1:])]
    lines = []
    for first, *others in [head, *rows]:
        right = [cell.rjust(len(line)) for cell, line in zip(others, rule[1:], strict=True)]
        lines.append([first.ljust(widths[0]), *right])
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def chart(results: Results, path: Path) -> None:
    """Images a second as horizontal bars, a panel for each set of images."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    # Of the Okabe-Ito palette, told apart with any colour vision, and by lightness.
    colours = {EDGE: "#0072B2", EDGE_ONE: "#56B4E9", EDGE_INT8: "#56B4E9"}
    colours |= {DECODE: "#E69F00", FLOOR: "#E69F00"}
    sets = list(results["batches"].values())
    figure, panels = pyplot.subplots(
        len(sets),
        figsize=(9, 3.4 * len(sets)),
        squeeze=False,
        layout="constrained",
        gridspec_kw={"hspace": 0.12},
    )
    for axes, batch in zip(panels[:, 0], sets, strict=True):
        rates = _rates(batch)
        names = sorted(rates, key=lambda name: rates[name])
        bars = axes.barh(
            names,
            [rates[name] for name in names],
            color=[colours.get(name, "#999999") for name in names],
        )
        axes.bar_label(bars, [_number(rates[name]) for name in names], padding=4, fontsize=9)
        title = f"{batch['count']:,} {batch['about']}, images a second"
        axes.set_title(textwrap.fill(title, 60), loc="left")
        axes.margins(x=0.12)
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(left=False)
    figure.suptitle(
        f"Whole processes on {results['cpus']} cores, {results['processor']}", fontsize=10
    )
    figure.savefig(path, dpi=110, facecolor="white")
    pyplot.close(figure)


def write(results: Results, folder: Path) -> None:
    """performance.json, performance.png, and the measured part of performance.md in `folder`.

    What a person wrote in performance.md, outside the two marks, stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (folder / "performance.json").write_text(text, encoding="utf-8")
    page = folder / "performance.md"
    before, after = "# Performance\n\n", "\n"
    if page.exists():
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
    picture = ""
    if "batches" in results:
        chart(results, folder / "performance.png")
        picture = "![Images a second of each program](performance.png)\n\n"
    middle = f"{BEGIN}\n\n{picture}{tables(results)}\n\n{END}"
    page.write_text(before + middle + after, encoding="utf-8")


if __name__ == "__main__":
    kept = Path(sys.argv[1])
    write(json.loads(kept.read_text("utf-8")), kept.parent)
