"""Read a camera without falling behind: the newest frame is classified, older ones are dropped.

A camera delivers at its own pace. A loop that classifies every frame in turn is later and later
as soon as a frame takes longer than the camera's interval. Here a thread takes frames as they
come and keeps the newest only, so a prediction is never older than one frame and one prediction.

    python camera_loop.py --fps 30 --frames 150

The camera is drawn, so that this runs anywhere. For a real one, give `Newest` your own frames:

    capture = cv2.VideoCapture(0)

    def frames():
        while (answer := capture.read())[0]:
            yield answer[1][:, :, ::-1]  # OpenCV's BGR as RGB
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_runtime import Classifier, EdgeRuntimeError

Frame = NDArray[np.uint8]


class Newest:
    """The newest frame of a source that is read in a thread of its own."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.delivered = self.dropped = 0
        self._frame: Frame | None = None
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(frames,), daemon=True).start()

    def _read(self, frames: Iterable[Frame]) -> None:
        try:
            for frame in frames:
                with self._changed:
                    self.delivered += 1
                    self.dropped += self._frame is not None
                    self._frame = frame
                    self._changed.notify()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()

    def __iter__(self) -> Iterator[Frame]:
        """Wait for a frame that was not given yet, until the source ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or self._ended)
                frame, self._frame = self._frame, None
            if frame is None:
                return
            yield frame


def drawn_camera(fps: float, count: int) -> Iterator[Frame]:
    """Frames of 640x480 in RGB, a one on paper that moves, one each 1/fps seconds."""
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / fps - time.monotonic()))
        image = Image.new("RGB", (640, 480), (233, 228, 215))
        left = 200 + 100 * np.sin(number / 15)
        ImageDraw.Draw(image).line((left + 30, 120, left, 360), (40, 45, 70), 22)
        yield np.asarray(image)


def main() -> None:
    """Classify the drawn camera's frames, and say how the loop kept up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--model", help="a bundle; default: the digits model of the runtime")
    options = parser.parse_args()

    if options.fps <= 0 or options.frames < 1:
        parser.error("--fps and --frames must be above 0")
    try:
        classifier = Classifier(options.model)
    except EdgeRuntimeError as error:
        parser.error(str(error))
    classifier.predict(next(drawn_camera(options.fps, 1)))  # what is slow the first time only
    camera = Newest(drawn_camera(options.fps, options.frames))
    start = time.monotonic()
    label, predictions = "", 0
    for frame in camera:
        prediction = classifier.predict(frame)
        predictions += 1
        if prediction.label != label:
            label = prediction.label
            print(f"{time.monotonic() - start:7.3f} s  {label}  {prediction.score:.2f}")
    seconds = time.monotonic() - start
    print(
        f"{camera.delivered} frames in {seconds:.1f} s ({camera.delivered / seconds:.0f} a second):"
        f" {predictions} read, {camera.dropped} dropped"
    )


if __name__ == "__main__":
    main()
