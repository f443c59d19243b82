"""The limit: decode.py FOLDER PROCESSES reads and decodes every image with Pillow, no more."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor

from PIL import Image


def decode(files: list[str]) -> int:
    """Decode them all and count them."""
    for file in files:
        with Image.open(file) as image:
            image.load()
    return len(files)


if __name__ == "__main__":
    folder, processes = sys.argv[1], int(sys.argv[2])
    files = [os.path.join(folder, file) for file in sorted(os.listdir(folder))]
    size = max(1, min(256, len(files) // (8 * processes)))
    with ProcessPoolExecutor(processes) as pool:
        print(sum(pool.map(decode, [files[i : i + size] for i in range(0, len(files), size)])))
