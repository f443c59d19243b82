"""What a bundle says of the data it was trained on: the scan, near duplicates, doubtful labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import rc_context

from ..data.dataset import Dataset
from ..label_review import LabelReview
from .figures import draw_sheet, sheet_line
from .fonts import choose_fonts

SCAN_NAME = "data_report.txt"
REVIEW_NAME = "label_review.csv"
REVIEW_SHEET, NEAR_SHEET = "label_review.png", "near_duplicates.png"
COLUMNS = ("path", "part", "label", "score", "other_label", "other_score", "doubtful")
MOST_ROWS = 10_000
"""More of the labels than the most doubtful so many are not listed: nobody looks at more."""
_SHOWN = 32
"""Examples of a contact sheet."""


def write(folder: Path, dataset: Dataset, review: LabelReview | None) -> str:
    """Write the reports and the contact sheets into a bundle; returns what the card says of them.

    review: None where labels were not judged.
    """
    said = []
    if dataset.findings:
        lines = [finding.line(len(finding.items)) + "\n" for finding in dataset.findings]
        (folder / SCAN_NAME).write_text("".join(lines), "utf-8", "backslashreplace")
        said.append(f"What the scan of the data found is in `{SCAN_NAME}`.\n")
    if dataset.near_duplicates:
        _draw_near_duplicates(folder / NEAR_SHEET, dataset)
        said.append(f"Images that are nearly the same:\n\n![Near duplicates]({NEAR_SHEET})\n")
    if review is not None:
        with open(
            *(folder / REVIEW_NAME, "w"), encoding="utf-8", errors="backslashreplace", newline=""
        ) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows(_rows(dataset, review))
        said.append(
            f"Labels to look at: {review.count:,} of {len(review.positions):,}. The features of the"
            " network, judged by other\nexamples than the one in question, say another class."
            f" `{REVIEW_NAME}` has the most doubtful\nlabels first.\n"
        )
        if review.count:
            _draw_review(folder / REVIEW_SHEET, dataset, review)
            said.append(f"![Labels to look at]({REVIEW_SHEET})\n")
    return "".join(f"\n{text}" for text in said)


def _rows(dataset: Dataset, review: LabelReview) -> Iterator[tuple[str, ...]]:
    names = dataset.class_names
    part = {
        int(position): name
        for name, positions in (
            ("train", dataset.train),
            ("val", dataset.validation),
            ("test", dataset.test),
        )
        for position in positions
    }
    for place, position in enumerate(review.positions[:MOST_ROWS]):
        yield (
            dataset.images.name(position),
            part[int(position)],
            names[dataset.labels[position]],
            f"{review.scores[place]:.4f}",
            names[review.others[place]],
            f"{review.other_scores[place]:.4f}",
            "yes" if review.doubtful[place] else "no",
        )


def _draw_review(path: Path, dataset: Dataset, review: LabelReview) -> None:
    shown = review.positions[: min(_SHOWN, review.count)]
    captions = [
        "\n".join(
            map(
                sheet_line,
                (
                    f"{dataset.class_names[dataset.labels[position]]}?",
                    f"{score:.2f} {dataset.class_names[other]}",
                    _end(dataset, position),
                ),
            )
        )
        for position, other, score in zip(shown, review.others, review.other_scores, strict=False)
    ]
    _draw(path, dataset, shown.tolist(), captions)


def _draw_near_duplicates(path: Path, dataset: Dataset) -> None:
    """Two of each group, side by side."""
    shown = [
        (number, int(position))
        for number, group in enumerate(dataset.near_duplicates, 1)
        for position in group[:2]
    ][:_SHOWN]
    captions = [f"{number}: {_end(dataset, position)}" for number, position in shown]
    _draw(path, dataset, [position for _, position in shown], captions)


def _draw(path: Path, dataset: Dataset, positions: list[int], captions: list[str]) -> None:
    reads = dataset.preprocessing.reads
    examples = (
        [dataset.images[position] for position in positions]
        if reads == "image"
        else dataset.tensors(np.array(positions), dataset.spec)
    )
    families, _ = choose_fonts(dataset.class_names)
    with rc_context({"font.family": families}):
        draw_sheet(path, examples, captions, reads=reads)


def _end(dataset: Dataset, position: int) -> str:
    """The end of an example's name."""
    name = dataset.images.name(position)
    return name if len(name) <= 24 else "…" + name[-23:]
