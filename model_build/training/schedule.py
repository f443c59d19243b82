"""The learning rate of each step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

_WARM_UP = 0.05  # share of the steps


@keras.saving.register_keras_serializable("model_build")
class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A linear rise over the first 5 % of the steps, then half a cosine down to a floor."""

    def __init__(self, highest: float, floor: float, steps: int) -> None:
        """floor: share of `highest` below which the rate does not fall."""
        self.highest, self.floor, self.steps = highest, floor, steps

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0."""
        place = tf.cast(step, tf.float32) / self.steps
        fall = 0.5 * (1 + tf.cos(np.pi * (place - _WARM_UP) / (1 - _WARM_UP)))
        rate = tf.where(place < _WARM_UP, place / _WARM_UP, tf.maximum(fall, self.floor))
        return self.highest * rate

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"highest": self.highest, "floor": self.floor, "steps": self.steps}
