"""The recipe for what a user names with `--data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import ARCHITECTURES, AUTO
from ..errors import BuildError

if TYPE_CHECKING:
    from .generic.recipe import DataOptions
    from .recipe import Recipe

BUILT_IN = ("digits",)
"""Data sets that are known by name."""


def check_data(data: str, *, options: bool = False, architecture: str | None = None) -> None:
    """Raise BuildError for data that is neither known nor there; loads nothing heavy.

    options: any DataOptions are given, which a built-in data set does not take; nor does it take
    an `architecture` that is pretrained.
    """
    if data not in BUILT_IN:
        from ..data.sources.detect import check_there

        check_there(Path(data))
    elif options:
        raise BuildError(
            f"--size, --channels, --augment and --group-by are for data other than the {data}"
        )
    elif architecture not in (None, AUTO, *ARCHITECTURES):
        raise BuildError(
            f"--architecture {architecture}: for photos of one's own, not for the {data}; choose"
            f" {', '.join(ARCHITECTURES)}"
        )


def recipe_for(data: str, options: DataOptions | None = None) -> Recipe:
    """The recipe of a built-in data set, or of the data at a path. Raises BuildError."""
    # Recipes load Keras; what is built in is known without.
    from .digits.recipe import DigitsRecipe
    from .generic.recipe import DataOptions, GenericRecipe

    options = options or DataOptions()
    if data not in BUILT_IN:
        return GenericRecipe(Path(data), options)
    check_data(data, options=options != DataOptions())
    return DigitsRecipe()
