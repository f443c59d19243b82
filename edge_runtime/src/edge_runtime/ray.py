"""Classification on Ray Data, for a pipeline of your own; needs the `ray` extra.

from edge_runtime.ray import Predict
"""

from .distributed.ray import Predict

__all__ = ["Predict"]
