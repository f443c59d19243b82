"""From files and pixels to the tensor: every format, mode and orientation, and every refusal."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import ImageError
from edge_runtime.bundle.preprocessing import Crop, Fit, Ink, Preprocessing, Stretch
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.inputs.image import decode, image_pixels
from edge_runtime.inputs.pixels import array_pixels, read_pixels
from edge_runtime.preprocessing.image import ImageReader
from edge_runtime.preprocessing.readers import reader_of

from ...support.helpers import (
    DECODER_WARNINGS,
    DIGITS,
    GOLDEN,
    TIMEOUT,
    drawn_seven,
    encoded,
    environment,
    png_chunk,
    png_claiming,
)

Pixels = NDArray[np.uint8]
INK = Ink()
SQUARE = InputSpec(height=16, width=16)

# Ground 30, ink 220, not square, and like none of its own turns and mirror images.
PICTURE = np.full((24, 16), 30, np.uint8)
PICTURE[3:21, 4:7] = 220
PICTURE[3:6, 4:13] = 220


def prepare(pixels: Pixels, spec: InputSpec, preprocessing: Preprocessing) -> Pixels:
    return reader_of(spec, preprocessing).tensor(pixels)


def grey(pixels: Pixels) -> NDArray[np.int16]:
    return (pixels if pixels.ndim == 2 else pixels.mean(axis=2)).astype(np.int16)


def in_mode(mode: str, values: Pixels = PICTURE) -> Image.Image:
    """The grey values as an image of that mode, opaque."""
    plain = Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(values.astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(values.astype(np.int32))
    if mode == "F":
        return Image.fromarray(values.astype(np.float32))
    if mode == "LAB":
        flat = Image.new("L", plain.size, 128)
        return Image.merge("LAB", (plain, flat, flat))
    if mode == "CMYK":
        none = Image.new("L", plain.size, 0)
        return Image.merge("CMYK", (none, none, none, Image.fromarray(255 - values)))
    return plain.convert(mode)


LOSSLESS = [
    *[("PNG", mode) for mode in ("L", "LA", "P", "RGB", "RGBA", "I;16")],
    *[("TIFF", mode) for mode in ("L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "LAB")],
    *[("BMP", mode) for mode in ("L", "P", "RGB", "RGBA")],
    *[("GIF", mode) for mode in ("L", "P")],
    *[("WEBP", mode) for mode in ("RGB", "RGBA")],
]


@pytest.mark.parametrize(("format", "mode"), LOSSLESS)
def test_a_lossless_file_of_any_mode_gives_the_pixels_that_were_stored(
    format: str, mode: str
) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = decode(encoded(in_mode(mode), format, **options))
    assert pixels.dtype == np.uint8
    assert np.array_equal(grey(pixels), PICTURE)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_one_bit_images_become_black_and_white(format: str) -> None:
    pixels = decode(encoded(Image.fromarray(PICTURE > 100), format))
    assert np.array_equal(grey(pixels), np.where(PICTURE > 100, 255, 0))


@pytest.mark.parametrize(
    ("format", "mode"), [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGB")]
)
def test_a_lossy_file_gives_nearly_the_pixels_that_were_stored(format: str, mode: str) -> None:
    pixels = decode(encoded(in_mode(mode), format, quality=95))
    assert np.abs(grey(pixels) - PICTURE).max() < 25


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_red_stays_red(format: str) -> None:
    pixels = decode(encoded(Image.new("RGB", (16, 16), (200, 40, 10)), format))
    assert np.abs(pixels[8, 8].astype(int) - (200, 40, 10)).max() < 12


def test_the_first_frame_of_an_animation_is_read() -> None:
    first, second = Image.fromarray(PICTURE), Image.new("L", (16, 24), 99)
    for format in ("GIF", "TIFF"):
        data = encoded(first, format, save_all=True, append_images=[second])
        assert np.array_equal(grey(decode(data)), PICTURE)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (255, 0), (256, 1), (65535, 255)])
def test_sixteen_bit_grey_keeps_its_upper_eight_bits(value: int, expected: int) -> None:
    for format in ("PNG", "TIFF"):
        image = Image.fromarray(np.full((4, 6), value, np.uint16))
        assert (decode(encoded(image, format)) == expected).all()


@pytest.mark.parametrize(("low", "high"), [(-1.5, 2.5), (0.0, 1.0), (1000.0, 90000.0)])
def test_floats_outside_bytes_are_scaled_from_their_own_range(low: float, high: float) -> None:
    values = np.linspace(low, high, 256, dtype=np.float32).reshape(16, 16)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"))
    assert np.abs(pixels.ravel().astype(int) - np.arange(256)).max() <= 1


def test_floats_that_are_not_numbers_are_corrupt() -> None:
    values = np.full((8, 8), np.nan, np.float32)
    with pytest.raises(ImageError) as refused:
        decode(encoded(Image.fromarray(values), "TIFF"))
    assert refused.value.status == "corrupt"


def transparent(mode: str, ink: int, format: str = "PNG") -> bytes:
    """The picture's shape in opaque `ink` on a ground of the same value, fully transparent."""
    shape = np.where(PICTURE > 100, 255, 0).astype(np.uint8)
    if mode == "P":
        indexed = Image.fromarray((shape > 0).astype(np.uint8)).convert("P")
        indexed.putpalette([ink] * 6)
        return encoded(indexed, format, transparency=0)
    if mode in ("L", "RGB"):  # one colour, one step from the ink's, stands for transparent
        key = ink + 1 if ink < 255 else 254
        keyed = Image.fromarray(np.where(shape > 0, ink, key).astype(np.uint8)).convert(mode)
        return encoded(keyed, format, transparency=key if mode == "L" else (key,) * 3)
    image = Image.new(mode[:-1], (16, 24), (ink,) * (len(mode) - 1))
    image.putalpha(Image.fromarray(shape))
    return encoded(image, format)


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB"])
def test_what_is_drawn_on_a_transparent_ground_stands_out_from_it(mode: str, ink: int) -> None:
    pixels = grey(decode(transparent(mode, ink)))
    assert (pixels[PICTURE > 100] == ink).all()
    assert (pixels[PICTURE < 100] == 255 - ink).all()


def test_a_fully_transparent_image_is_blank() -> None:
    pixels = decode(encoded(Image.new("RGBA", (9, 9), (7, 80, 200, 0)), "PNG"))
    assert len(np.unique(pixels)) == 1


STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_an_image_is_turned_upright_as_its_exif_orientation_says(
    format: str, orientation: int
) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](PICTURE)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored.convert("RGB"), format, exif=exif, quality=95)
    pixels = grey(decode(data))
    assert pixels.shape == PICTURE.shape
    assert np.abs(pixels - PICTURE).max() < 25
    with Image.open(BytesIO(data)) as image:
        assert np.array_equal(grey(read_pixels(image)), pixels)


@pytest.mark.filterwarnings(DECODER_WARNINGS)
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage and more",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0x\0\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    ],
    ids=["bare", "text", "far offset", "cut table", "a letter", "orientation 99"],
)
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_broken_exif_leaves_the_pixels_as_they_are_stored(format: str, exif: bytes) -> None:
    data = encoded(Image.fromarray(PICTURE).convert("RGB"), format, exif=exif, quality=95)
    assert np.abs(grey(decode(data)) - PICTURE).max() < 25


def test_a_large_jpeg_is_decoded_upright_and_no_smaller_than_it_need_be() -> None:
    tall = Image.fromarray(PICTURE).resize((2400, 3600))
    pixels = decode(encoded(tall, "JPEG"))
    height, width = pixels.shape
    assert 200 <= width < 400
    assert height / width == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    ("how", "decoded"),
    [
        (Fit(oversampling=1.0), (75, 100)),  # becomes 60x80 in the tensor
        (Fit(oversampling=1.5), (150, 200)),
        (Stretch(oversampling=1.0), (150, 200)),  # keeps 80 pixels a side, turned or not
        (Crop(oversampling=1.0), (150, 200)),
        (Crop(oversampling=4.0), (300, 400)),
        (Stretch(), (300, 400)),
    ],
    ids=str,
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_jpeg_is_decoded_at_the_fraction_that_the_input_needs(
    how: Preprocessing, decoded: tuple[int, int], turned: bool
) -> None:
    photo = Image.fromarray(PICTURE).resize((400, 300))
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 8
        photo = photo.transpose(Image.Transpose.ROTATE_270)
    data = encoded(photo, "JPEG", exif=exif)
    reader = reader_of(InputSpec(height=70, width=80), how)
    assert reader.decode(data).shape == decoded
    assert reader.read(BytesIO(data)).shape == decoded
    assert np.array_equal(reader.tensor(data), reader.tensor(reader.decode(data)))
    assert isinstance(reader, ImageReader)
    shown = reader.placed(BytesIO(data))
    assert shown.pixels.shape == (300, 400)
    assert np.array_equal(shown.tensor, reader.tensor(data))


def status_of(source: Any, **limits: int) -> str:
    with pytest.raises(ImageError) as refused:
        decode(source, **limits)
    message = str(refused.value)
    assert message
    assert "\n" not in message
    return refused.value.status


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda path: None, "not_found"),
        (lambda path: path.mkdir(), "not_a_file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.write_text("no image at all, just text\n"), "not_an_image"),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(200)), "not_an_image"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "not_an_image"),
        (lambda path: path.write_bytes(png_claiming(900, 900)), "corrupt"),
        (lambda path: path.write_bytes(png_claiming(9_000, 9_000)), "too_large"),
        (lambda path: path.write_bytes(png_claiming(60_000, 60_000)), "too_large"),
        (lambda path: path.symlink_to("nowhere"), "not_found"),
        (lambda path: path.symlink_to(path.name), "unreadable"),
    ],
    ids=[
        *("absent", "folder", "no bytes", "text", "PDF", "only a signature", "header only"),
        *("81 megapixels", "a bomb", "dangling link", "link to itself"),
    ],
)
def test_each_kind_of_bad_file_has_its_status(tmp_path: Path, make: Any, status: str) -> None:
    path = tmp_path / "bad.png"
    make(path)
    assert status_of(str(path)) == status


@pytest.mark.parametrize("name", [vector["image"] for vector in DIGITS])
def test_the_first_half_of_a_file_is_corrupt(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    assert status_of(data[: len(data) // 2]) in {"corrupt", "not_an_image"}
    if len(data) > 1000 and not name.endswith(".tif"):
        assert status_of(data[: len(data) // 2]) == "corrupt"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes((GOLDEN / "7.bmp").read_bytes())
    path.chmod(0)
    assert status_of(str(path)) == "permission"


def test_names_that_no_file_can_have_are_data_and_no_crash() -> None:
    assert status_of("a\0b.png") == "unreadable"
    assert status_of("x" * 5000 + ".png") == "unreadable"


def test_the_limit_of_pixels_is_inclusive() -> None:
    data = encoded(Image.fromarray(PICTURE), "PNG")
    assert decode(data, max_pixels=24 * 16).shape == (24, 16)
    assert status_of(data, max_pixels=24 * 16 - 1) == "too_large"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [vector["image"] for vector in DIGITS])
def test_whatever_the_damage_the_answer_is_pixels_or_an_image_error(name: str) -> None:
    original = (GOLDEN / name).read_bytes()
    chance = random.Random(name)
    refused = 0
    for _ in range(120):
        data = bytearray(original)
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        try:
            assert decode(bytes(data), max_pixels=1_000_000).dtype == np.uint8
        except ImageError:
            refused += 1
    assert refused


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa"])
def test_images_of_modes_that_only_pillow_makes_are_read(mode: str) -> None:
    image = Image.fromarray(PICTURE).convert("RGBA" if mode == "RGBa" else "RGB").convert(mode)
    assert np.abs(grey(image_pixels(image)) - PICTURE).max() <= 2


def test_a_pillow_image_that_turns_out_truncated_is_an_image_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60), dtype=np.uint8)
    path = tmp_path / "cut.png"
    path.write_bytes(encoded(Image.fromarray(noise), "PNG")[:1500])
    with Image.open(path) as image, pytest.raises(ImageError) as refused:
        read_pixels(image)
    assert refused.value.status == "corrupt"


def test_an_error_about_a_path_names_it_and_a_wrong_type_is_a_type_error() -> None:
    with pytest.raises(ImageError, match=r"^nowhere/at-all\.png: "):
        read_pixels("nowhere/at-all.png")
    with pytest.raises(TypeError, match="from float; give a path"):
        read_pixels(1.5)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), np.int64),
        np.zeros((8, 8), np.complex64),
        np.full((8, 8), "a"),
        np.zeros(8, np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((0, 8), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype} {pixels.shape}",
)
def test_an_array_that_is_no_image_is_refused_with_what_it_is(pixels: Any) -> None:
    error = TypeError if pixels.dtype != np.uint8 else ValueError
    with pytest.raises(error) as refused:
        prepare(pixels, SQUARE, INK)
    what = pixels.dtype if pixels.dtype != np.uint8 else pixels.shape
    assert f"pixels {'are' if error is TypeError else 'have shape'} {what}, " in str(refused.value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_read_as_their_8_bits(dtype: Any) -> None:
    assert np.array_equal(read_pixels((PICTURE / 255).astype(dtype)), PICTURE)
    colour = np.stack([PICTURE, PICTURE // 2, PICTURE // 3], axis=-1)
    assert np.array_equal(read_pixels((colour / 255).astype(dtype)), colour)


def test_booleans_are_black_and_white() -> None:
    assert np.array_equal(read_pixels(PICTURE > 99), np.where(PICTURE > 99, 255, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.float32])
def test_numbers_with_a_scale_are_read_from_0_to_it(dtype: Any) -> None:
    sixteenths = np.arange(17, dtype=dtype).reshape(1, 17)
    expected = np.rint(np.arange(17) * 255 / 16)[None]
    assert np.array_equal(array_pixels(sixteenths, 16), expected)
    assert np.array_equal(array_pixels(PICTURE.astype(dtype), 255), PICTURE)


@pytest.mark.parametrize(
    ("pixels", "scale"),
    [(np.array([[0.0, 16.0]]), None), (np.array([[-0.5, 1.0]]), None), (np.array([[0, 17]]), 16)],
    ids=["no scale", "below 0", "above the scale"],
)
def test_numbers_beyond_their_range_are_refused_with_both(
    pixels: NDArray[Any], scale: float | None
) -> None:
    with pytest.raises(ValueError, match=r"pixels are from .* to .*, expected 0 to (1|16);"):
        array_pixels(pixels, scale)
    with pytest.raises(ImageError, match="not finite") as refused:
        array_pixels(np.where(pixels > 0, np.nan, pixels), scale)
    assert refused.value.status == "corrupt"


def test_rounding_beyond_the_range_is_taken_for_its_end() -> None:
    assert read_pixels(np.array([[-1e-7, 1 + 1e-7]])).tolist() == [[0, 255]]


def test_transparency_of_an_array_is_that_of_an_image() -> None:
    colours = np.dstack([PICTURE, PICTURE, PICTURE, np.where(PICTURE > 99, 255, 40)])
    rgba = colours.astype(np.uint8)
    expected = read_pixels(Image.fromarray(rgba))
    assert expected.shape == (*PICTURE.shape, 3)
    assert np.array_equal(read_pixels(rgba), expected)
    assert np.array_equal(read_pixels(rgba / 255), expected)


def ramp(height: int, width: int) -> Pixels:
    """Rises by 5 a column and by 1 a row: a transposed result cannot be mistaken for it."""
    return (5 * np.arange(width) + np.arange(height)[:, None]).astype(np.uint8)


def test_stretch_takes_the_whole_image_to_height_by_width() -> None:
    tensor = prepare(ramp(20, 36), InputSpec(height=10, width=6), Stretch())
    assert tensor.shape == (10, 6, 1)
    columns = 5 * (6 * np.arange(6) + 2.5)
    rows = 2 * np.arange(10) + 0.5
    assert np.abs(tensor[..., 0] - (columns + rows[:, None])).max() <= 1


def test_crop_takes_the_largest_centred_part_with_the_inputs_proportions() -> None:
    wide = prepare(ramp(20, 40), InputSpec(height=10, width=6), Crop())
    assert wide.shape == (10, 6, 1)
    columns = 5 * (14 + 2 * np.arange(6) + 0.5)
    rows = 2 * np.arange(10) + 0.5
    assert np.abs(wide[..., 0] - (columns + rows[:, None])).max() <= 1

    tall = prepare(ramp(40, 12), InputSpec(height=6, width=12), Crop())
    assert np.abs(tall[..., 0].astype(int) - ramp(40, 12)[17:23]).max() <= 1


def test_fit_keeps_the_proportions_and_fills_the_rest() -> None:
    fit = Fit(fill=7)
    wide = prepare(np.full((20, 40), 200, np.uint8), InputSpec(height=10, width=6), fit)[..., 0]
    assert (wide[3:6] == 200).all()
    assert (wide[:3] == 7).all()
    assert (wide[6:] == 7).all()
    tall = prepare(np.full((40, 20), 200, np.uint8), InputSpec(height=10, width=9), fit)[..., 0]
    assert (tall[:, 2:7] == 200).all()
    assert (tall[:, :2] == 7).all()
    assert (tall[:, 7:] == 7).all()


@pytest.mark.parametrize("how", [Fit(), Crop(), Stretch()], ids=lambda how: how.kind)
def test_an_image_of_the_inputs_size_passes_unchanged(how: Preprocessing) -> None:
    spec = InputSpec(height=24, width=16, channels=3)
    colour = np.stack([PICTURE, 255 - PICTURE, PICTURE // 2], axis=2)
    assert np.array_equal(prepare(colour, spec, how), colour)
    one = InputSpec(height=24, width=16)
    assert np.array_equal(prepare(PICTURE, one, how)[..., 0], PICTURE)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "how", [Fit(), Fit(oversampling=1.0), Crop(), Stretch(oversampling=2.0), INK], ids=str
)
def test_files_of_a_batch_become_what_each_becomes_alone(how: Preprocessing, channels: int) -> None:
    files = [encoded(in_mode(mode), format) for format, mode in LOSSLESS]
    files += [(GOLDEN / each["image"]).read_bytes() for each in DIGITS]
    exif = Image.Exif()
    exif[0x0112] = 6
    files += [
        encoded(Image.fromarray(ramp(*size)), "JPEG", exif=exif) for size in ((300, 50), (90, 200))
    ]
    reader = reader_of(InputSpec(height=20, width=20, channels=channels), how)
    decode_next = reader.batch_decoder()
    together = reader.batch([reader.prepare(decode_next(data, 10**7)) for data in files])
    for data, tensor in zip(files, together, strict=True):
        assert np.array_equal(tensor, reader.tensor(data))


def close(first: Pixels, second: Pixels, mean: float = 4.0) -> bool:
    return float(np.abs(first.astype(int) - second).mean()) < mean


@pytest.mark.parametrize("value", [0, 90, 255])
@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3), (8, 8), (1, 1), (1, 50), (50, 1)])
def test_a_blank_image_gives_zeros(shape: tuple[int, ...], value: int) -> None:
    tensor = prepare(np.full(shape, value, np.uint8), SQUARE, INK)
    assert tensor.shape == (16, 16, 1)
    assert not tensor.any()


def test_dark_on_light_and_light_on_dark_give_the_same_tensor() -> None:
    light = drawn_seven()
    reference = prepare(light, SQUARE, INK)
    assert reference.any()
    assert close(prepare(255 - light, SQUARE, INK), reference)
    faint = (230 - (light // 2)).astype(np.uint8)
    assert close(prepare(faint, SQUARE, INK), reference)


def test_colour_of_pen_and_paper_makes_no_difference() -> None:
    light = drawn_seven()
    share = light[..., None] / 255
    blue_on_cream = np.rint((1 - share) * (250, 245, 220) + share * (30, 40, 160))
    tensor = prepare(blue_on_cream.astype(np.uint8), SQUARE, INK)
    assert close(tensor, prepare(light, SQUARE, INK))


def test_where_the_digit_stands_in_the_image_makes_no_difference() -> None:
    light = drawn_seven()
    canvas = np.zeros((160, 150), np.uint8)
    canvas[70:130, 20:64] = light
    assert close(prepare(canvas, SQUARE, INK), prepare(light, SQUARE, INK), mean=8)


def test_size_makes_little_difference() -> None:
    small, large = drawn_seven(), np.asarray(Image.fromarray(drawn_seven()).resize((176, 240)))
    assert close(prepare(large, SQUARE, INK), prepare(small, SQUARE, INK), mean=12)


def test_ink_is_bright_upright_and_the_same_in_every_channel() -> None:
    tensor = prepare(255 - drawn_seven(), InputSpec(height=16, width=16, channels=3), INK)
    assert tensor.shape == (16, 16, 3)
    assert (tensor == tensor[..., :1]).all()
    ink = tensor[..., 0].astype(int)
    assert ink.max() == 255
    assert ink[:4].sum() > ink[-4:].sum(), "a seven is widest at its top"


def test_the_same_pixels_in_another_memory_layout_give_the_same_tensor() -> None:
    pixels = drawn_seven()
    turned = np.flipud(np.flipud(pixels).copy())
    for again in (np.asfortranarray(pixels), turned, pixels[..., None]):
        assert np.array_equal(prepare(again, SQUARE, INK), prepare(pixels, SQUARE, INK))


def test_a_png_with_a_text_bomb_is_no_crash() -> None:
    bomb = b"key\0\0" + zlib.compress(bytes(8 << 20))
    plain = encoded(Image.fromarray(PICTURE), "PNG")
    assert status_of(plain[:33] + png_chunk(b"zTXt", bomb) + plain[33:]) == "corrupt"


def test_only_decoders_of_the_documented_formats_are_loaded(home: Path) -> None:
    """Others cost time, and an interrupt in the middle of importing them leaves warnings."""
    code = (
        "import sys; from pathlib import Path\n"
        "from edge_runtime.inputs.image import decode\n"
        f"for path in sorted(Path({str(GOLDEN)!r}).glob('?.*')): decode(path)\n"
        "print(*(m[4:-11] for m in sys.modules if m.endswith('ImagePlugin')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=environment(home),
    )
    assert done.returncode == 0, done.stderr
    # Pillow's own short list has Ppm, which is never tried.
    assert set(done.stdout.split()) == {"Png", "Jpeg", "Bmp", "Gif", "Tiff", "WebP", "Ppm"}


PAGE = np.full((200, 300), 235, np.uint8)
PAGE[100:172, 190:242] = 235 - (drawn_seven(72, 52) // 255) * 215


def filled(pixels: Pixels) -> list[float]:
    """Left, top, right and bottom of what is more than half as light as the lightest."""
    rows, columns = np.nonzero(pixels > pixels.max() / 2)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("preprocessing", [Stretch(), Fit(), Crop(), INK])
@pytest.mark.parametrize("turned", [False, True])
def test_where_the_tensor_lies_in_the_image_is_known(
    preprocessing: Preprocessing, turned: bool
) -> None:
    page = PAGE.T if turned else PAGE
    if preprocessing != INK:
        page = np.zeros_like(page)
        page[90:110, 120:140] = 255
    reader = reader_of(SQUARE, preprocessing)
    assert isinstance(reader, ImageReader)
    found = reader.placed(page)
    assert np.array_equal(found.tensor, reader.tensor(page))
    assert np.array_equal(found.pixels, page)
    left, top, right, bottom = found.box
    scale = np.array([right - left, bottom - top] * 2) / 16
    in_page = np.array(filled(found.tensor[..., 0])) * scale + [left, top, left, top]
    ink = 255 - page if preprocessing == INK else page
    assert np.abs(in_page - filled(ink)).max() <= 1.01 * scale.max()


def test_a_tensor_and_a_blank_image_are_all_that_is_seen() -> None:
    reader = reader_of(SQUARE, INK)
    assert isinstance(reader, ImageReader)
    tensor = reader.tensor(PAGE)
    assert reader.placed(tensor).box == (0, 0, 16, 16)
    assert np.array_equal(reader.placed(tensor).tensor, tensor)
    blank = reader.placed(np.full((30, 20), 200, np.uint8))
    assert (blank.box, blank.tensor.any()) == ((0, 0, 20, 30), False)
