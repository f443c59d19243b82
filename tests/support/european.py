"""Digits as European schools teach them, drawn by a pen along lines that are written down here.

They show hands that scikit-learn's digits lack, and share no code with the training's styles. As
scans of forms often are, the images are black on white and end where the ink ends. The README's
figure is of what `python -m tests.support.european FOLDER` writes.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

Line = NDArray[np.float64]
"""(N, 2): x to the right and y downwards, in heights of the digit."""

OVERSAMPLING = 4


def digit(label: int, rng: np.random.Generator) -> Image.Image:
    """One digit, 0 black on 255 white, which touches all four borders."""
    return render(LINES[label](rng), rng)


def folders(folder: Path, count: int, seed: int = 0) -> None:
    """A folder of `count` PNG images for each digit."""
    for label in range(10):
        rng = np.random.default_rng([seed, label])
        (folder / str(label)).mkdir(parents=True)
        for number in range(count):
            digit(label, rng).save(folder / str(label) / f"{number:04}.png")


def spline(*points: tuple[float, float], steps: int = 12) -> Line:
    """A smooth line through points (Catmull-Rom)."""
    p = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, steps)[:, None]
    parts = [
        b + 0.5 * t * (c - a) + t**2 * (a - 2.5 * b + 2 * c - 0.5 * d)
        + t**3 * (1.5 * (b - c) + 0.5 * (d - a))
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]  # fmt: skip
    return np.concatenate(parts)


def arc(
    x: float, y: float, wide: float, high: float, first: float, last: float, steps: int = 40
) -> Line:
    """A part of an ellipse with half axes `wide` and `high`; degrees clockwise from the right."""
    t = np.radians(np.linspace(first, last, steps))
    return np.stack([x + wide * np.cos(t), y + high * np.sin(t)], axis=1)


def straight(*points: tuple[float, float]) -> Line:
    return np.array(points, float)


def flag(rng: np.random.Generator) -> tuple[float, float]:
    """How far the upstroke of a one goes to the left of the stem, and how far down."""
    while True:
        down, angle = rng.uniform(0.3, 0.7), np.radians(rng.uniform(30, 60))
        left = down / np.tan(angle)
        if left < 0.75:
            return float(left), float(down)


def one(rng: np.random.Generator) -> list[Line]:
    """A stem with a flag, and often a foot."""
    left, down = flag(rng)
    bow = rng.uniform(-0.12, 0.12) if rng.random() < 0.5 else 0.0
    upstroke = spline((-left, down), (-left / 2 + bow / 2, down / 2 + bow), (0, 0))
    lean = rng.normal(0, 0.03)
    lines = [upstroke, spline((0, 0), (lean, 0.5), (0, 1))]
    if rng.random() < 0.4:
        wide, slope = rng.uniform(0.6, 1.1) * left, rng.normal(0, 0.06)
        lines.append(straight((-wide, 1 - slope), (rng.uniform(0.5, 1.0) * wide, 1 + slope)))
    return lines


def seven(rng: np.random.Generator) -> list[Line]:
    """A level, wavy or hooked top, a straight or bent stem, and mostly a bar."""
    wide, foot = rng.uniform(0.4, 0.85), rng.uniform(-0.1, 0.45)
    kind = rng.integers(3)
    if kind == 0:
        top = [(0, rng.normal(0, 0.02)), (0.5 * wide, 0)]
    elif kind == 1:
        wave = rng.uniform(0.03, 0.1)
        top = [(0, wave), (0.3 * wide, -wave), (0.65 * wide, wave)]
    else:
        hook = rng.uniform(0.08, 0.38)
        top = [(rng.uniform(-0.06, 0.06), hook), (0.04, 0.02), (0.5 * wide, 0.03)]
    corner = (wide, -0.02)
    bent = rng.uniform(-0.04, 0.2) if rng.random() < 0.5 else 0.0
    below = [((wide + foot) / 2 - bent, 0.45), (foot, 1)]
    if rng.random() < 0.6:
        lines = [spline(*top, corner), spline(corner, *below)]
    else:  # round, in one stroke
        lines = [spline(*top, (0.93 * wide, 0), (0.97 * wide, 0.1), *below)]
    if rng.random() < 0.85:
        height, rise = rng.uniform(0.4, 0.75), rng.uniform(-0.02, 0.16)
        stem = lines[-1][len(lines[-1]) // 2 :]
        across = stem[abs(stem[:, 1] - height).argmin(), 0]
        left, right = rng.uniform(0.12, 0.42, 2)
        lines.append(straight((across - left, height + rise), (across + right, height - rise)))
    return lines


def zero(rng: np.random.Generator) -> list[Line]:
    first = rng.uniform(-120, -60)
    wide = rng.uniform(0.24, 0.42)
    return [arc(wide, 0.5, wide, 0.5, first, first - rng.uniform(345, 390))]


def two(rng: np.random.Generator) -> list[Line]:
    """An arch and a slanted line; the foot is level, wavy or begins with a loop."""
    wide = rng.uniform(0.5, 0.7)
    arch = arc(wide / 2, 0.28, wide / 2, 0.28, -180 + rng.uniform(-30, 20), 20)
    down = spline(tuple(arch[-1]), (0.6 * wide, 0.68), (0.02, 0.97))
    if rng.random() < 0.35:
        loop = spline((0.02, 0.97), (-0.02, 0.85), (0.18, 0.86), (0.5 * wide, 0.97), (wide, 0.96))
        return [arch, down, loop]
    rise = rng.uniform(-0.05, 0.05)
    return [arch, down, spline((0.02, 0.97), (0.5 * wide, 0.97 + rise), (wide, 0.97))]


def three(rng: np.random.Generator) -> list[Line]:
    """Mostly a flat top and a corner."""
    wide = rng.uniform(0.48, 0.66)
    if rng.random() < 0.7:
        corner = (rng.uniform(0.3, 0.5) * wide, rng.uniform(0.36, 0.44))
        start = [straight((0.02, rng.normal(0.02, 0.02)), (wide * 0.95, 0), corner)]
    else:
        corner = (0.4 * wide, 0.44)
        start = [arc(0.45 * wide, 0.22, 0.48 * wide, 0.22, -160, 80), straight(corner, corner)]
    end = rng.uniform(130, 165)
    high = (1 - corner[1]) / 2
    bowl = arc(0.45 * wide, 1 - high, 0.55 * wide, high, -85, end)
    return [*start, straight(corner, tuple(bowl[0])), bowl]


def four(rng: np.random.Generator) -> list[Line]:
    """Open, with a long stem."""
    wide, bar = rng.uniform(0.55, 0.8), rng.uniform(0.5, 0.68)
    lean = rng.uniform(0.1, 0.4)
    angle = spline((lean * wide, 0), (0.35 * lean * wide, 0.5 * bar), (0, bar))
    rise = rng.normal(0.01, 0.03)
    stem = rng.uniform(0.62, 0.8) * wide
    top = rng.uniform(0.12, 0.42)
    return [
        angle,
        straight((0, bar), (wide, bar - rise)),
        straight((stem + rng.normal(0.04, 0.03), top), (stem + rng.normal(-0.02, 0.03), 1)),
    ]


def five(rng: np.random.Generator) -> list[Line]:
    """The bar at the top often leans, or stands apart."""
    wide, high = rng.uniform(0.48, 0.66), rng.uniform(0.27, 0.33)
    stem = rng.uniform(0.02, 0.14)
    down = straight((stem, 0.06), (0.03, 1 - 1.85 * high))
    bowl = arc(0.42 * wide, 1 - high, 0.58 * wide, high, -150, rng.uniform(130, 165))
    apart = rng.uniform(0.05, 0.14) if rng.random() < 0.5 else 0.0
    rise = rng.uniform(-0.02, 0.12)
    bar = straight((stem + apart, 0.05 - apart / 3), (rng.uniform(0.85, 1.2) * wide, 0.05 - rise))
    return [down, straight(tuple(down[-1]), tuple(bowl[0])), bowl, bar]


def six(rng: np.random.Generator) -> list[Line]:
    wide, high = rng.uniform(0.24, 0.32), rng.uniform(0.2, 0.28)
    tip = (rng.uniform(1.0, 1.9) * wide, 0)
    stem = spline(tip, (0.45 * wide, 0.32), (0, 1 - high))
    return [stem, arc(wide, 1 - high, wide, high, 180, 180 - rng.uniform(340, 400))]


def eight(rng: np.random.Generator) -> list[Line]:
    """One stroke that begins, often with a curl, at the upper right."""
    wide = rng.uniform(0.22, 0.32)
    ends = (wide * rng.uniform(0.6, 1.3), rng.uniform(-0.02, 0.16))
    path = [
        (0.1 * wide, 0.01), (-0.75 * wide, 0.14), (-0.45 * wide, 0.36), (0.1 * wide, 0.48),
        (0.75 * wide, 0.64), (0.85 * wide, 0.84), (0, 0.99), (-0.9 * wide, 0.84),
        (-0.65 * wide, 0.64), (0.05 * wide, 0.46), (0.6 * wide, 0.3),
    ]  # fmt: skip
    if rng.random() < 0.6:
        start = [(wide * 0.95, 0.2), ends] if rng.random() < 0.5 else [ends]
        return [spline(*start, *path, (wide * rng.uniform(0.7, 1.2), rng.uniform(0.02, 0.16)))]
    return [spline(*path, (0.7 * wide, 0.14), path[0])]


def nine(rng: np.random.Generator) -> list[Line]:
    """One stroke that begins, often with a curl, at the upper right."""
    wide, high = rng.uniform(0.22, 0.32), rng.uniform(0.2, 0.28)
    right = 2 * wide
    loop = arc(wide, high, wide, high, -rng.uniform(20, 60), -375)
    foot = (rng.uniform(0.3, 1.9) * wide, 1.0)
    bend = (right - rng.uniform(0, 0.05), 0.6)
    stem = spline((right, high * 0.9), bend, foot)
    lines = [loop, straight(tuple(loop[-1]), (right, high * 0.9)), stem]
    if rng.random() < 0.5:
        lines.append(spline(tuple(loop[0]), (right * 1.05, 0.02), (right * 1.1, high * 0.7)))
    return lines


LINES: tuple[Callable[[np.random.Generator], list[Line]], ...] = (
    zero, one, two, three, four, five, six, seven, eight, nine,
)  # fmt: skip


def render(lines: list[Line], rng: np.random.Generator) -> Image.Image:
    """Draw the lines in a hand of its own, with a round pen, and cut the image to the ink."""
    height = rng.uniform(16, 80)
    pen = max(1.5, height * rng.uniform(0.04, 0.17))
    shear, turn = rng.normal(0.1, 0.2), rng.normal(0, 0.1)
    wide = np.exp(rng.normal(0, 0.2))
    hand = np.array([[1, -shear], [0, 1]]) @ np.diag([wide, 1])
    hand = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ hand
    phase = rng.uniform(0, 2 * np.pi, 4)
    scale = (height - pen) * OVERSAMPLING
    placed = []
    for line in lines:
        x, y = line.T
        wobble = [
            0.012 * np.sin(7 * y + phase[0]) + 0.008 * np.sin(15 * x + phase[1]),
            0.012 * np.sin(7 * x + phase[2]) + 0.008 * np.sin(15 * y + phase[3]),
        ]
        placed.append((line + np.transpose(wobble)) @ hand.T * scale)
    low = np.concatenate(placed).min(axis=0) - pen * OVERSAMPLING
    high = np.concatenate(placed).max(axis=0) + pen * OVERSAMPLING
    size = [int(side) // OVERSAMPLING + 2 for side in high - low]
    image = Image.new("L", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING), 255)
    draw, radius = ImageDraw.Draw(image), pen * OVERSAMPLING / 2
    for line in placed:
        points = [tuple(point) for point in (line - low).tolist()]
        draw.line(points, fill=0, width=round(2 * radius))
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    grey = np.asarray(image.resize((size[0], size[1]), Image.Resampling.BOX), float)
    ragged = rng.normal(0, rng.uniform(0, 60), grey.shape)
    ragged[(grey == 0) | (grey == 255)] = 0
    black = Image.fromarray(np.where(grey + ragged < 128, 0, 255).astype(np.uint8))
    black = black.crop(ImageOps.invert(black).getbbox())
    if rng.random() < 0.3:  # scanned into a square frame
        black = black.resize([max(black.size)] * 2, Image.Resampling.NEAREST)
    return black


if __name__ == "__main__":
    folders(Path(sys.argv[1]), 200)
