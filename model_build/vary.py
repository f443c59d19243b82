"""What training makes of images that are not the digits: each batch moved and lit anew.

Acts on input tensors, never in the exported graph. Random numbers come from a seed for each
step, so that a training that was interrupted goes on with the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Vary = Callable[[Any, Any], Any]
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
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, right, c, d, below, zero, zero], axis=1),
        output_shape=tf.constant([high, wide]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill,
    )


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


def _none(images: Any, seed: Any) -> Any:
    return images


VARIATIONS: dict[str, Vary] = {"photo": _photo, "mirror": _mirror, "warp": _warp, "none": _none}
"""By the names of `--augment`."""


def varied(tensors: NDArray[np.uint8], name: str, copies: int, seed: int) -> NDArray[np.uint8]:
    """`copies` variations of each of the (N, height, width, channels) tensors, one after the
    other: (copies * N, height, width, channels) uint8.
    """
    vary, step = VARIATIONS[name], 256
    made = [
        np.asarray(
            vary(
                tf.constant(tensors[start : start + step].astype(np.float32)),
                tf.constant([seed, 4 * (copy * len(tensors) + start)], tf.int32),
            )
        )
        for copy in range(copies)
        for start in range(0, len(tensors), step)
    ]
    whole = np.concatenate([np.zeros((0, *tensors.shape[1:])), *made])
    rounded: NDArray[np.uint8] = np.rint(whole).astype(np.uint8)
    return rounded
