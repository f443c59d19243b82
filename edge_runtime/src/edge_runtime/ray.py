"""The public name of `Predict`, the class for pipelines on Ray Data; needs the `ray` extra.

from edge_runtime.ray import Predict
"""

from .distributed.ray import Predict

__all__ = ["Predict"]
