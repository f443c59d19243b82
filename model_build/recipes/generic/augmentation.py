"""Augmentation: each batch moved and changed anew, as suits images, sounds or series.

Acts on input tensors, never in the exported graph. Random numbers come from a seed for each
step, so that a training that was interrupted goes on with the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Augment = Callable[[Any, Any], Any]
"""From (N, height, width, channels) float32 of 0..255 and a (2,) int32 seed to the same shape."""


def _warp(images: Any, seed: Any, fill: str = "NEAREST") -> Any:
    """Turned by up to 12 degrees, leaned, zoomed by up to 15 % and moved by up to a tenth."""
    count = tf.shape(images)[0]
    high, wide = images.shape[1], images.shape[2]
    u = tf.random.stateless_uniform((6, count), seed, -1.0, 1.0)
    angle, lean = 0.21 * u[0], 0.12 * u[1]
    across, down = tf.exp(0.15 * u[2] + 0.08 * u[3]), tf.exp(0.15 * u[2] - 0.08 * u[3])
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a, b = cosine * across, (lean * cosine - sine) * across
    c, d = sine * down, (lean * sine + cosine) * down
    middle_x, middle_y = (wide - 1) / 2, (high - 1) / 2
    right = middle_x - a * middle_x - b * middle_y + 0.1 * wide * u[4]
    below = middle_y - c * middle_x - d * middle_y + 0.1 * high * u[5]
    return _transformed(images, [a, b, right, c, d, below], fill)


def _photo(images: Any, seed: Any) -> Any:
    """Warped, mirrored at the edges, and under other light: brightness, contrast, tint."""
    images = _warp(images, seed, "REFLECT")
    shape = (2, tf.shape(images)[0], 1, 1, 1)
    u = tf.random.stateless_uniform(shape, seed + 1, -1.0, 1.0)
    tint_shape = (tf.shape(images)[0], 1, 1, images.shape[3])
    tint = tf.random.stateless_uniform(tint_shape, seed + 2, 0.9, 1.1)
    middle = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    lit = (images - middle) * tf.exp(0.3 * u[0]) + middle * tf.exp(0.25 * u[1]) * tint
    return tf.clip_by_value(lit, 0.0, 255.0)


def _mirror(images: Any, seed: Any) -> Any:
    """As `photo`, and half of them mirrored left to right."""
    images = _photo(images, seed)
    toss = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed + 3)
    return tf.where(toss < 0.5, tf.reverse(images, axis=[2]), images)


def _sound(images: Any, seed: Any) -> Any:
    """A spectrogram moved by up to a tenth of its time and a band or so, drawn out by up to 15 %,
    fainter or fuller, with noise, and with a stretch of time and some bands wiped out.
    """
    count, high, wide = tf.shape(images)[0], images.shape[1], images.shape[2]
    u = tf.random.stateless_uniform((8, count), seed, -1.0, 1.0)
    zero = tf.zeros_like(u[0])
    drawn = tf.exp(0.15 * u[0])
    right = (wide - 1) / 2 * (1 - drawn) + 0.1 * wide * u[1]
    images = _transformed(images, [drawn, zero, right, zero, zero + 1, 0.04 * high * u[2]])
    noise = tf.random.stateless_normal(tf.shape(images), seed + 1)
    level = 12.0 * tf.abs(u[3])[:, None, None, None]
    images = images * tf.exp(0.15 * u[4])[:, None, None, None] + 20.0 * u[5][:, None, None, None]
    images = tf.clip_by_value(images + level * noise, 0.0, 255.0)
    time = tf.range(wide, dtype=tf.float32)[None, None, :, None] / wide
    band = tf.range(high, dtype=tf.float32)[None, :, None, None] / high
    when = tf.abs(time - 0.5 - 0.5 * u[6][:, None, None, None])
    where = tf.abs(band - 0.5 - 0.5 * u[7][:, None, None, None])
    return tf.where((when < 0.06) | (where < 0.06), 0.0, images)


def _series(images: Any, seed: Any) -> Any:
    """Moved in time by up to a tenth, drawn out by up to 15 %, scaled by up to 15 %, with noise."""
    count, wide = tf.shape(images)[0], images.shape[2]
    u = tf.random.stateless_uniform((5, count), seed, -1.0, 1.0)
    zero = tf.zeros_like(u[0])
    drawn = tf.exp(0.15 * u[0])
    right = (wide - 1) / 2 * (1 - drawn) + 0.1 * wide * u[1]
    images = _transformed(images, [drawn, zero, right, zero, zero + 1, zero])
    middle = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    scaled = (images - middle) * tf.exp(0.15 * u[2])[:, None, None, None] + middle
    noise = tf.random.stateless_normal(tf.shape(images), seed + 1)
    return tf.clip_by_value(scaled + 4.0 * tf.abs(u[3])[:, None, None, None] * noise, 0.0, 255.0)


def _transformed(images: Any, rows: list[Any], fill: str = "NEAREST") -> Any:
    """Each image's pixel (x, y) from (a x + b y + right, c x + d y + below); rows: those six."""
    zero = tf.zeros_like(rows[0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*rows, zero, zero], axis=1),
        output_shape=tf.constant(list(images.shape[1:3])),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill,
    )


def _none(images: Any, seed: Any) -> Any:
    return images


AUGMENTATIONS: dict[str, dict[str, Augment]] = {
    "image": {"photo": _photo, "warp": _warp, "mirror": _mirror, "none": _none},
    "sound": {"sound": _sound, "none": _none},
    "series": {"series": _series, "none": _none},
}
"""By what the model reads and the names of `--augment`; the first is the usual one."""


def augmented(
    tensors: NDArray[np.uint8], augment: Augment, copies: int, seed: int
) -> NDArray[np.uint8]:
    """`copies` augmented copies of each of the (N, height, width, channels) tensors, one after the
    other: (copies * N, height, width, channels) uint8.
    """
    step = 256
    made: list[NDArray[np.uint8]] = [np.zeros((0, *tensors.shape[1:]), np.uint8)]
    for copy in range(copies):
        for start in range(0, len(tensors), step):
            images = tf.constant(tensors[start : start + step].astype(np.float32))
            place = tf.constant([seed, 4 * (copy * len(tensors) + start)], tf.int32)
            made.append(np.rint(np.asarray(augment(images, place))).astype(np.uint8))
    return np.concatenate(made)
