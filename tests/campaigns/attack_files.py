"""Write a folder of everything that a stranger could put before the runtime.

    python -m tests.campaigns.attack_files FOLDER

All of it is made here, by this code. `write` returns, for each file, the statuses that are right.
"""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, features

OK = frozenset({"ok"})
CORRUPT = frozenset({"corrupt"})
NO_IMAGE = frozenset({"not_an_image"})
TOO_LARGE = frozenset({"too_large"})
BAD = CORRUPT | NO_IMAGE
ANY_IMAGE = OK | CORRUPT

Statuses = frozenset[str]


def write(folder: Path) -> dict[bytes, Statuses]:
    """Write the files into a new folder; returns what each name, from the folder, may give."""
    folder.mkdir()
    expected: dict[bytes, Statuses] = {}
    for name, (data, statuses) in contents().items():
        (folder / name).write_bytes(data)
        expected[os.fsencode(name)] = statuses
    expected |= _odd_names(folder)
    expected |= _not_files(folder)
    return expected


def contents() -> dict[str, tuple[bytes, Statuses]]:
    """File name -> its bytes and the statuses that are right for it."""
    return {
        **_modes(),
        **_damaged(),
        **_bombs(),
        **_metadata(),
        **_phones(),
        **_animated(),
    }


def seven(side: int = 40) -> Image.Image:
    """Dark ink on white."""
    pixels = np.full((side, side), 255, np.uint8)
    pixels[side // 5 : side // 5 + 4, side // 4 : 3 * side // 4] = 20
    for row in range(side // 5, 4 * side // 5):
        column = 3 * side // 4 - (row - side // 5) // 2
        pixels[row, column - 4 : column] = 20
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png(
    width: int, height: int, data: bytes, depth: int = 8, colour: int = 0, **more: bytes
) -> bytes:
    """A PNG of any header around any data; `more`: further chunks in front of the data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *((kind.encode(), body) for kind, body in more.items())]
    parts += [(b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def zeros(count: int, level: int = 9) -> bytes:
    """That many zero bytes, deflated without ever being in memory."""
    deflate = zlib.compressobj(level)
    block = bytes(1 << 20)
    parts = [deflate.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, deflate.compress(bytes(count & ((1 << 20) - 1))), deflate.flush()])


def tiff(
    width: int, height: int, tags: dict[int, tuple[int, int, int]], body: bytes = b""
) -> bytes:
    """A little-endian TIFF with one directory: tag -> (type, count, value), and bytes behind it."""
    entries = {
        **{256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1)},
        **{262: (3, 1, 1), 273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height)},
        **{279: (4, 1, len(body))},
        **tags,
    }
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items())
    )
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + bytes(4)


def _modes() -> dict[str, tuple[bytes, Statuses]]:
    grey = seven()
    colour = grey.convert("RGB")
    alpha = Image.merge("LA", (Image.new("L", grey.size), grey.point(lambda v: 255 - v)))
    palette = colour.quantize(16)
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    real = Image.fromarray(np.asarray(grey, np.float32) / 255)
    endless = np.asarray(real).copy()
    endless[3, 3] = np.inf
    unreal = np.full_like(endless, np.nan)
    lab = Image.merge("LAB", (grey, Image.new("L", grey.size, 128), Image.new("L", grey.size, 128)))
    return {
        "1-bit.png": (encoded(grey.convert("1"), "PNG"), OK),
        "1-bit.tif": (encoded(grey.convert("1"), "TIFF", compression="group4"), OK),
        "16-bit.png": (encoded(deep, "PNG"), OK),
        "16-bit.tif": (encoded(deep, "TIFF"), OK),
        "float.tif": (encoded(real, "TIFF"), OK),
        "float-inf.tif": (encoded(Image.fromarray(endless), "TIFF"), CORRUPT),
        "float-nan.tif": (encoded(Image.fromarray(unreal), "TIFF"), CORRUPT),
        "float-huge.tif": (
            encoded(Image.fromarray(np.asarray(real) * np.float32(3e38)), "TIFF"),
            OK,
        ),
        "int32.tif": (encoded(Image.fromarray(np.asarray(grey, np.int32) - (1 << 30)), "TIFF"), OK),
        "cmyk.jpg": (encoded(colour.convert("CMYK"), "JPEG"), OK),
        "cmyk.tif": (encoded(colour.convert("CMYK"), "TIFF"), OK),
        "lab.tif": (encoded(lab, "TIFF"), OK),
        "palette.png": (encoded(palette, "PNG"), OK),
        "palette-alpha.png": (encoded(palette, "PNG", transparency=0), OK),
        "palette-alphas.png": (encoded(palette, "PNG", transparency=bytes(range(0, 256, 16))), OK),
        "palette-alpha.gif": (encoded(palette, "GIF", transparency=0), OK),
        "grey-alpha.png": (encoded(alpha, "PNG"), OK),
        "grey-alpha.tif": (encoded(alpha, "TIFF"), OK),
        "alpha.webp": (encoded(alpha.convert("RGBA"), "WEBP"), OK),
        "transparent.png": (encoded(Image.new("RGBA", (30, 30)), "PNG"), OK),
        "one-pixel.png": (encoded(Image.new("L", (1, 1)), "PNG"), OK),
        "progressive.jpg": (encoded(grey, "JPEG", progressive=True), OK),
        "wide.png": (encoded(Image.new("L", (100_000, 3), 255), "PNG"), OK),
        "wide-ink.png": (encoded(seven().resize((100_000, 40)), "PNG"), OK),
        "high.png": (encoded(Image.new("1", (2, 100_000), 1), "PNG"), OK),
        "wide.gif": (encoded(Image.new("P", (60_000, 5), 1), "GIF"), OK),
    }


def _damaged() -> dict[str, tuple[bytes, Statuses]]:
    grey = seven(64)
    files: dict[str, tuple[bytes, Statuses]] = {
        "nothing.png": (b"", frozenset({"empty"})),
        "one-byte.jpg": (b"\xff", NO_IMAGE),
        "prose.png": (b"no image at all\n" * 50, NO_IMAGE),
        "page.png": (b"<html><img src=x onerror=alert(1)>", NO_IMAGE),
        "vector.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', NO_IMAGE),
        "script.tif": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_IMAGE),
        "really-icon.png": (encoded(grey, "ICO"), NO_IMAGE),
        "really-ppm.png": (encoded(grey, "PPM"), NO_IMAGE),
        "really-jpeg2000.jpg": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), NO_IMAGE),
        "really-jpeg.png": (encoded(grey, "JPEG"), OK),
        "really-png.gif": (encoded(grey, "PNG"), OK),
        "two-in-one.png": (encoded(grey, "PNG") + encoded(grey, "JPEG"), OK),
        "no-palette.png": (png(4, 4, zlib.compress(bytes(20)), 8, 3), ANY_IMAGE),
        "no-pixels.png": (png(0, 0, zlib.compress(b"")), BAD),
        "bad-depth.png": (png(4, 4, zlib.compress(bytes(20)), 7), BAD),
        "too-little-data.png": (png(40, 40, zlib.compress(bytes(20))), CORRUPT),
        "no-zlib.png": (png(40, 40, b"\x78\x9c" + b"\xff" * 40), CORRUPT),
        "no-strips.tif": (tiff(40, 40, {273: (4, 1, 1 << 31), 279: (4, 1, 1 << 31)}), BAD),
        "loop.tif": (struct.pack("<2sHIHI", b"II", 42, 8, 0, 8), BAD),
        "many-samples.tif": (tiff(40, 40, {277: (3, 1, 60_000)}, bytes(1600)), BAD),
        "endless-tag.tif": (tiff(40, 40, {258: (3, 0xFFFFFFFF, 8)}, bytes(1600)), ANY_IMAGE | BAD),
        "rows-of-zero.tif": (tiff(40, 40, {278: (4, 1, 0)}, bytes(1600)), ANY_IMAGE | BAD),
    }
    chance = random.Random(0)
    for format, ending in (
        *(("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp")),
        *(("GIF", "gif"), ("TIFF", "tif"), ("WEBP", "webp")),
    ):
        options = {"compression": "tiff_lzw"} if format == "TIFF" else {}
        whole = encoded(grey, format, **options)
        # A GIF's first bytes are all it takes to be opened; its pixels are missing then.
        for share in (0.1, 0.5, 0.9):
            data = whole[: int(len(whole) * share)]
            files[f"cut-{share:.0%}.{ending}"] = (data, ANY_IMAGE | BAD if share > 0.8 else BAD)
        files[f"random-behind-head.{ending}"] = (
            whole[:30] + chance.randbytes(3000),
            ANY_IMAGE | BAD | TOO_LARGE,
        )
        files[f"random.{ending}"] = (chance.randbytes(5000), NO_IMAGE)
    return files


def _bombs() -> dict[str, tuple[bytes, Statuses]]:
    """Small files that ask for gigabytes."""
    side = 30_000
    giga = tiff(side, side, {259: (3, 1, 8)}, zeros(64 << 20))
    frame = struct.pack("<6sHHBBB", b"GIF89a", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    frame += struct.pack("<BHHHHB", 0x2C, 0, 0, 65_535, 65_535, 0) + b"\x08\x04\x01\x02\x03\x04\0;"
    inner = struct.pack("<6sHHBBB", b"GIF89a", 4, 4, 0x80, 0, 0) + bytes(6)
    inner += (
        struct.pack("<BHHHHB", 0x2C, 60_000, 60_000, 60_000, 60_000, 0) + b"\x08\x02\x4c\x01\0;"
    )
    canvas = b"VP8X" + struct.pack("<IB3s", 10, 0x02, b"\0\0\0") + b"\xff\x3f\0" * 2
    canvas += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    webp = b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas
    text = zeros(200 << 20)
    return {
        "bomb.png": (png(side, side, zeros(22 << 20)), TOO_LARGE),
        "bomb-of-a-million.png": (png(1_000_000, 1_000_000, zeros(1 << 20)), TOO_LARGE),
        "bomb-16-bit.png": (png(15_000, 15_000, zeros(1 << 20), 16, 6), TOO_LARGE),
        "bomb-inside.png": (png(40, 40, zeros(64 << 20)), ANY_IMAGE),
        "bomb-text.png": (
            png(40, 40, zeros(1640), zTXt=b"Comment\0\0" + text),
            ANY_IMAGE | BAD,
        ),
        "bomb-profile.png": (
            png(40, 40, zeros(1640), iCCP=b"ICC\0\0" + text),
            ANY_IMAGE | BAD,
        ),
        "bomb.tif": (giga, TOO_LARGE),
        "bomb-inside.tif": (tiff(40, 40, {259: (3, 1, 8)}, zeros(64 << 20)), ANY_IMAGE),
        "bomb.gif": (frame, TOO_LARGE),
        "bomb-frame.gif": (inner, TOO_LARGE | CORRUPT),
        "bomb.webp": (webp, TOO_LARGE | BAD),
        "bomb.bmp": (
            struct.pack(
                "<2sIIIIiiHHIIiiII", b"BM", 99, 0, 54, 40, 50_000, 50_000, 1, 8, 1, 9, 0, 0, 0, 0
            )
            + bytes(45),
            TOO_LARGE,
        ),
        "bomb.jpg": (
            encoded(seven(), "JPEG").replace(
                struct.pack(">HH", 40, 40), struct.pack(">HH", 65_000, 65_000), 1
            ),
            TOO_LARGE,
        ),
        "bomb-tile.tif": (huge_tiles(20_000), TOO_LARGE),
        "bomb-scans.jpg": (many_scans(3000), TOO_LARGE),
        "just-allowed.png": (png(8000, 7999, zeros(8001 * 7999)), OK),
        "just-allowed-alpha.png": (png(8000, 7999, zeros(32_001 * 7999), 8, 6), OK),
    }


def huge_tiles(side: int) -> bytes:
    """A small TIFF, all in one tile of that side."""
    data = zeros(64 << 10)
    tile = {322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, 8), 325: (4, 1, len(data))}
    return tiff(40, 40, {**tile, 259: (3, 1, 8)}, data)


def many_scans(count: int, side: int = 40) -> bytes:
    """A progressive JPEG whose second scan comes that many times more."""
    data = encoded(seven(side), "JPEG", progressive=True)
    start = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    end = data.index(b"\xff\xda", start + 2)
    # Huffman tables that stand between the scans belong to the later one.
    return data[:end] + data[start:end] * count + data[end:]


def _metadata() -> dict[str, tuple[bytes, Statuses]]:
    grey = seven()
    head = b"Exif\0\0"
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 8, 8)
    wild = b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x0112, 3, 1, 6) * 5
    turned = Image.Exif()
    turned[0x0112] = 6
    nonsense = Image.Exif()
    nonsense[0x0112] = 77
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
    return {
        "exif-turned.jpg": (encoded(grey, "JPEG", exif=turned), OK),
        "exif-turned.png": (encoded(grey, "PNG", exif=turned), OK),
        "exif-turned.webp": (encoded(grey, "WEBP", exif=turned), OK),
        "exif-nonsense.jpg": (encoded(grey, "JPEG", exif=nonsense), OK),
        "exif-loop.jpg": (encoded(grey, "JPEG", exif=head + loop), OK),
        "exif-wild.jpg": (encoded(grey, "JPEG", exif=head + wild), OK),
        "exif-cut.jpg": (encoded(grey, "JPEG", exif=head + b"II*\0"), OK),
        "exif-noise.jpg": (encoded(grey, "JPEG", exif=head + random.Random(1).randbytes(900)), OK),
        "exif-noise.png": (encoded(grey, "PNG", exif=random.Random(2).randbytes(900)), OK),
        "icc.jpg": (encoded(grey.convert("RGB"), "JPEG", icc_profile=profile), OK),
        "icc.png": (encoded(grey.convert("RGB"), "PNG", icc_profile=profile), OK),
        "icc-broken.jpg": (encoded(grey, "JPEG", icc_profile=b"\xff" * 200), OK),
        "icc-broken.tif": (encoded(grey, "TIFF", icc_profile=b"\xff" * 200), OK),
        "xmp.jpg": (encoded(grey, "JPEG", xmp=xmp), OK),
        "xmp-broken.jpg": (encoded(grey, "JPEG", xmp=b"\0<x:xmpmeta \xff" * 99), OK),
        "comment-of-a-terminal.jpg": (encoded(grey, "JPEG", comment=b"\x1b[2J\x1b]0;x\x07"), OK),
    }


def _phones() -> dict[str, tuple[bytes, Statuses]]:
    """HEIC and AVIF, which not every device reads."""
    known = {"heic": (Path(__file__).parents[1] / "support" / "turned.heic").read_bytes()}
    if "avif" in features.get_supported():
        known["avif"] = encoded(seven(64), "AVIF")
    files: dict[str, tuple[bytes, Statuses]] = {}
    for ending, data in known.items():
        place = data.index(b"ispe") + 8
        giant = struct.pack(">II", 30_000, 30_000)
        unread = frozenset({"unreadable"}) if ending == "heic" else frozenset[str]()
        files |= {
            f"whole.{ending}": (data, OK | unread),
            f"cut.{ending}": (data[: len(data) // 2], CORRUPT | unread),
            f"giant.{ending}": (
                data.replace(data[place : place + 8], giant),
                CORRUPT | TOO_LARGE | unread,
            ),
            f"random-behind-head.{ending}": (
                data[:40] + random.Random(ending).randbytes(3000),
                CORRUPT | unread,
            ),
        }
    return files


def _animated() -> dict[str, tuple[bytes, Statuses]]:
    frames = [seven().rotate(angle, fillcolor=255) for angle in range(0, 360, 6)]
    rest: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return {
        "animated.gif": (encoded(frames[0], "GIF", **rest), OK),
        "animated.png": (encoded(frames[0], "PNG", **rest), OK),
        "animated.webp": (encoded(frames[0], "WEBP", **rest), OK),
        "pages.tif": (encoded(frames[0], "TIFF", **rest), OK),
    }


ODD_NAMES = [
    *(b"new\nline.png", b"return\r.png", b'quote".png', b"'quote'.png", b"comma,.png"),
    *(b"=1+2.png", b"+1.png", b"-1.png", b"@SUM(A1).png", b"--help.png", b"tab\t.png"),
    *(b"\xff\xfe.png", b"half\xc3.png", "\U0001f9a4.png".encode(), "e\u0301.png".encode()),
    *("\u202egnp.png".encode(), "\u2028.png".encode(), b"\x1b[2J.png", b"\x7f.png", b" .png"),
    *(b"$(touch x).png", b"`x`.png", b"%s%n.png", b"\\.png", b"a" * 250 + b".png", b"*.png"),
]


def _odd_names(folder: Path) -> dict[bytes, Statuses]:
    data = encoded(seven(), "PNG")
    for name in ODD_NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(data)
    return dict.fromkeys(ODD_NAMES, OK)


def _not_files(folder: Path) -> dict[bytes, Statuses]:
    """Pipes, sockets, devices and links; those that a walk passes over are in PASSED_OVER."""
    os.mkfifo(folder / "pipe.png")
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)  # a socket's path may have only about 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind("socket.png")
    finally:
        os.chdir(here)
        os.close(here)
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "self.png").symlink_to("self.png")
    (folder / "ping.png").symlink_to("pong.png")
    (folder / "pong.png").symlink_to("ping.png")
    (folder / "nowhere.png").symlink_to("absent/file.png")
    (folder / "memory.png").symlink_to("/proc/self/mem")
    (folder / "up").symlink_to("..")
    (folder / "up.png").symlink_to(".")
    (folder / "fine.png").symlink_to("1-bit.png")
    (folder / "shut").mkdir()
    (folder / "shut" / "inside.png").write_bytes(encoded(seven(), "PNG"))
    (folder / "shut").chmod(0)
    inside = {b"shut": frozenset({"not_a_file", "permission"})}
    if os.geteuid() == 0:  # for whom no folder is shut
        inside = {b"shut/inside.png": OK}
    return {
        b"fine.png": OK,
        **dict.fromkeys((b"null.png", b"zero.png"), frozenset({"not_a_file"})),
        **dict.fromkeys((b"self.png", b"ping.png", b"pong.png"), frozenset({"unreadable"})),
        b"nowhere.png": frozenset({"not_found"}),
        b"memory.png": frozenset({"unreadable", "corrupt", "permission"}),
        **inside,
    }


PASSED_OVER = [b"pipe.png", b"socket.png", b"up", b"up.png"]
"""No rows in a folder; by name, the first two give `not_a_file`."""


if __name__ == "__main__":
    for name, statuses in sorted(write(Path(sys.argv[1])).items()):
        print(ascii(os.fsdecode(name)), *sorted(statuses))
