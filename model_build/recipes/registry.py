"""The recipe for what a user names with `--data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError

if TYPE_CHECKING:
    from .generic.recipe import DataOptions
    from .recipe import Recipe

BUILT_IN = ("digits",)
"""Data sets that are known by name."""


def recipe_for(data: str, options: DataOptions | None = None) -> Recipe:
    """The recipe of a built-in data set, or of the data at a path.

    Raises BuildError for options that a built-in data set does not take.
    """
    # Recipes load Keras; what is built in is known without.
    from .digits.recipe import DigitsRecipe
    from .generic.recipe import DataOptions, GenericRecipe

    options = options or DataOptions()
    if data not in BUILT_IN:
        return GenericRecipe(Path(data), options)
    if options != DataOptions():
        raise BuildError(
            f"--size, --channels, --augment and --group-by are for data other than the {data}"
        )
    return DigitsRecipe()
