"""Measure how much the ink finder depends on its thresholds: `python -m docs.measure_thresholds`.

Draws photos in every condition, and blank pages, and counts how many are found rightly (the box
within a tenth of the digit's long side on every edge; nothing on a blank page) with each threshold
as it is, halved, lowered and raised by three tenths, and doubled. Takes minutes; prints the table
of docs/preprocessing.md.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.preprocessing.ink import background, clean, components, find, photo

from .drawn_photos import BLANKS, CONDITIONS, Photo, draw

EACH = 20
"""Photos of each condition; of blank pages three times as many."""
FACTORS = (0.5, 0.7, 1.4, 2.0)
THRESHOLDS = {
    photo: (
        *("INK_SHARE", "GOOD_RESIDUAL", "MAX_RESIDUAL", "MAX_INK_SHARE", "OTSU_ADVANTAGE"),
        *("MAX_STROKE", "BLACK_ADVANTAGE", "MAX_BREADTH", "MIN_EDGE_STEP", "TOP_HAT_GAIN"),
        *("EVEN_RESIDUAL", "MIN_ASYMMETRY", "NOISE_DEVIATIONS", "MIN_CONTRAST"),
    ),
    background: ("SAMPLES", "CELL"),
    components: (
        *("INK_THRESHOLD", "MIN_DIGIT_SIDE", "MIN_STROKE_SIDE", "MAX_GAP", "MAX_COMPONENTS"),
        *("INNER_WEIGHT", "SPANNING", "MAX_RULED_BREADTH", "MIN_BESIDE_RULED"),
    ),
    find: ("SHARP_SIDE", "SECOND_MARGIN"),
}


def found_rightly(drawn: Photo) -> bool:
    """True if the box is right, or a blank page is blank."""
    found = find.locate_ink(drawn.pixels)
    if found is None or drawn.box is None:
        return found is None and drawn.box is None
    side = max(drawn.box[2] - drawn.box[0], drawn.box[3] - drawn.box[1])
    return bool(np.abs(np.subtract(found.box, drawn.box)).max() <= 0.1 * side)


def counts(photos: list[Photo]) -> tuple[int, int]:
    """How many photos with a digit, and how many blank pages, are found rightly."""
    right = [(drawn.box is None, found_rightly(drawn)) for drawn in photos]
    digits = sum(good for blank, good in right if not blank)
    return digits, sum(good for blank, good in right if blank)


def main() -> None:
    """Print the table."""
    photos = [draw(condition, digit=i, seed=i) for condition in CONDITIONS for i in range(EACH)]
    photos += [draw(condition, digit=0, seed=i) for condition in BLANKS for i in range(3 * EACH)]
    for condition in (*CONDITIONS, *BLANKS):
        some = [draw(condition, digit=i, seed=i) for i in range(EACH)]
        print(f"{condition}: {sum(counts(some))} of {EACH}", flush=True)
    digits, blanks = counts(photos)
    total = sum(drawn.box is None for drawn in photos)
    print(f"as they are: {digits} of {len(photos) - total} digits, {blanks} of {total} blank")
    print("| threshold | is | " + " | ".join(f"x {factor}" for factor in FACTORS) + " |")
    print("| --- " * (2 + len(FACTORS)) + "|")
    for module, names in THRESHOLDS.items():
        for name in names:
            value = getattr(module, name)
            cells = []
            for factor in FACTORS:
                setattr(module, name, type(value)(value * factor))
                background._basis.cache_clear()
                clean._stretch_table.cache_clear()
                change = [
                    now - was for now, was in zip(counts(photos), (digits, blanks), strict=True)
                ]
                cells.append("{:+d} {:+d}".format(*change))
            setattr(module, name, value)
            background._basis.cache_clear()
            print(f"| `{name}` | {value} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
