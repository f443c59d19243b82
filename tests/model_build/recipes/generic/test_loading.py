"""Which data is refused before it is looked through."""

import numpy as np
import pytest

from model_build.errors import BuildError

from ....support import drawn_data


def labelled(path, *names):
    """A few images in an array, of classes with these names."""
    labels = np.array(names).repeat(4)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8)).astype(np.uint8)
    np.savez(path, x=images, y=labels)
    return path


def refusal(load_own, path):
    """The one line that refuses the data."""
    with pytest.raises(BuildError) as refused:
        load_own(path)
    assert str(refused.value).startswith(f"--data {path}: ")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_class_named_as_the_answer_for_low_scores_is_refused(tmp_path, load_own):
    reason = (
        "a class is named 'unknown', which is the answer for every score below the minimum"
        " score; rename the class"
    )
    drawn_data.shapes(tmp_path / "shapes", 3)
    (tmp_path / "shapes" / "circle").rename(tmp_path / "shapes" / "unknown")
    assert reason in refusal(load_own, tmp_path / "shapes")
    assert reason in refusal(load_own, labelled(tmp_path / "mine.npz", "known", "unknown"))


@pytest.mark.parametrize("name", ["", "  ", "two\nlines"])
def test_a_class_whose_name_could_not_stand_in_a_list_of_labels_is_refused(
    tmp_path, load_own, name
):
    said = refusal(load_own, labelled(tmp_path / "mine.npz", "a", name))
    assert repr(name) in said
    assert said.endswith("; rename the class")
