"""The fast path for plain JPEGs gives what Pillow gives, or leaves the file to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import ImageError
from edge_runtime.inputs import image
from edge_runtime.inputs.jpeg import Room, draft_room, fraction, plain_jpeg

COLOUR = np.random.default_rng(0).integers(0, 256, (60, 81, 3), np.uint8)
MOST = 10**6


def whole(width: int, height: int) -> float:
    return 1.0


def quarter(width: int, height: int) -> float:
    return 4.5


def encoded(mode: str = "RGB", **options: Any) -> bytes:
    stream = BytesIO()
    Image.fromarray(COLOUR).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def by_pillow(data: bytes, room: Room, monkeypatch: pytest.MonkeyPatch) -> object:
    """What is made of the file without the fast path: bytes of its pixels, or the error."""
    with monkeypatch.context() as patch:
        patch.setattr(image, "plain_jpeg", lambda *_: None)
        return outcome(data, room)


def outcome(data: bytes, room: Room) -> object:
    try:
        pixels = image.decode(data, MOST, room)
    except ImageError as error:
        return error.status, str(error)
    return pixels.shape, pixels.tobytes()


PLAIN = {
    "grey": encoded("L"),
    "colour": encoded(),
    "full chroma": encoded(subsampling=0),
    "optimised": encoded(optimize=True, quality=30),
    "restarts": encoded(restart_marker_blocks=3),
    "comment": encoded(comment=b"plain"),
    "tables of its own": encoded(qtables=[list(range(1, 65)), list(range(1, 65))]),
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("room", [whole, quarter, draft_room])
def test_a_plain_file_becomes_what_pillow_makes_of_it(
    data: bytes, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plain_jpeg(data, MOST, room)
    assert found is not None
    assert outcome(data, room) == by_pillow(data, room, monkeypatch)


OTHERS = {
    "EXIF": encoded(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    "a colour profile": encoded(icc_profile=b"profile"),
    "progressive": encoded(progressive=True),
    "CMYK": encoded("CMYK"),
    "PNG": b"\x89PNG\r\n\x1a\n",
    "nothing": b"",
    "cut in the header": encoded()[:100],
    "cut in the pixels": encoded()[:-500],
    "no scan": b"\xff\xd8\xff\xd9",
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_every_other_file_is_left_to_pillow(data: bytes) -> None:
    assert plain_jpeg(data, MOST, whole) is None


def test_more_pixels_than_allowed_are_left_to_pillow() -> None:
    assert plain_jpeg(encoded(), COLOUR.size // 3, whole) is not None
    assert plain_jpeg(encoded(), COLOUR.size // 3 - 1, whole) is None


def damaged(count: int) -> Iterator[bytes]:
    chance = random.Random(0)
    for _ in range(count):
        data = bytearray(chance.choice([*PLAIN.values()]))
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data) if chance.random() < 0.5 else 30)] = chance.randrange(
                256
            )
        yield bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])


def test_damage_has_the_outcome_that_it_has_with_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = set()
    for data in damaged(400):
        if data:
            found = outcome(data, quarter)
            assert found == by_pillow(data, quarter, monkeypatch)
            outcomes.add(type(found[0]))  # type: ignore[index]
    assert outcomes == {str, tuple}


@pytest.mark.parametrize(
    ("size", "room", "factor"),
    [((500, 375), 5.3, 4), ((500, 375), 0.7, 1), ((500, 375), 8.0, 8), ((900, 3), 9.0, 2)],
)
def test_a_fraction_is_one_that_there_is_room_for(
    size: tuple[int, int], room: float, factor: int
) -> None:
    assert fraction(*size, lambda width, height: room) == factor
