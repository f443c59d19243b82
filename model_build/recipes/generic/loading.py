"""Data of a user's own: recognised, looked through, prepared and divided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge_runtime import BundleError
from edge_runtime.bundle.json_fields import check_line
from edge_runtime.bundle.spec import UNKNOWN, ModelSpec

from ...arguments import ARCHITECTURES, AUTO
from ...backbones.registry import DEFAULT_BACKBONE, backbone_side
from ...data.dataset import Dataset
from ...data.groups import check_groups, divided_groups, group_names, numbered
from ...data.input_spec import choose_input
from ...data.inspection import Seen, judge, look
from ...data.sources.detect import open_source
from ...data.split import divide
from ...data.store import Stores, TensorStore
from ...errors import BuildError
from ...training.workspace import Workspace
from ..recipe import refuse_other_data
from .augmentation import AUGMENTATIONS


def load(
    path: Path,
    size: int | None,
    channels: int | None,
    augmentation: str | None,
    group_by: str | None,
    workspace: Workspace,
    like: ModelSpec | None,
    progress: Callable[[int, int], object],
    architecture: str = AUTO,
) -> Dataset:
    """The data at `path`; see `Recipe.load` and `DataOptions`. Raises BuildError."""
    source = open_source(path)
    _refuse_names(sorted(set(source.labels)), f"--data {path}")
    names = group_names(source, group_by) if group_by is not None else ()
    groups = numbered(names) if names else np.arange(len(source.examples))
    backbone_spec = None
    if like is not None:
        spec, how = like.input, like.preprocessing
    else:
        pretrained = architecture not in (AUTO, *ARCHITECTURES)
        if pretrained and (source.reads != "image" or channels == 1):
            this = source.about if source.reads != "image" else "--channels 1"
            raise BuildError(
                f"--architecture {architecture}: reads images in colour, this is {this}; leave the"
                " option out"
            )
        try:
            chosen = choose_input(source, size, channels)
        except BuildError as error:
            raise BuildError(f"--data {path}: {error}") from None
        spec, how = chosen.spec, chosen.preprocessing
        if pretrained:
            spec = backbone_spec = chosen.for_backbone(backbone_side(architecture), size)
        elif architecture == AUTO and channels != 1 and chosen.suits_backbone(size):
            backbone_spec = chosen.for_backbone(backbone_side(DEFAULT_BACKBONE), size)
    if how.reads != source.reads:
        raise BuildError(f"--data {path}: {source.about}, but the model reads {how.reads}")
    found = sorted(set(source.labels), key=_natural)
    if like is not None and not {*found} >= {*like.labels}:
        refuse_other_data(like, f"{path}, {source.about}", found, how.kind)
    fitting = AUGMENTATIONS[how.reads]
    if augmentation is None:
        grey = how.reads == "image" and spec.channels == 1
        augmentation = "warp" if grey else next(iter(fitting))
    if augmentation not in fitting:
        raise BuildError(f"--augment {augmentation}: for {how.reads} choose {', '.join(fitting)}")
    key = f"{source.examples.fingerprint()}\n{spec}\n{backbone_spec}\n{how}"
    key += f"\n{Seen.__match_args__}\n{group_by}"
    seen = workspace.seen() if workspace.keeps("data", key) else None
    stores = [TensorStore(spec, workspace.folder / "tensors")]
    if backbone_spec not in (None, spec):
        stores.append(TensorStore(backbone_spec, workspace.folder / "backbone_tensors"))
    if seen is None:
        total = len(source.examples)
        seen = look(source.examples, spec, how, stores, lambda done: progress(done, total))
        workspace.keep_seen(seen)
    try:
        judged = judge(source, seen, groups)
    except BuildError as error:
        raise BuildError(f"--data {path}: {error}") from None
    kept, groups = judged.kept, judged.groups
    class_names = sorted({source.labels[i] for i in kept}, key=_natural)
    if like is not None:
        refuse_other_data(like, f"{path}, {source.about}", class_names, how.kind)
    index = {label: place for place, label in enumerate(class_names)}
    labels = np.array([index.get(label, -1) for label in source.labels], np.int64)
    parts = np.array(source.parts)
    findings = judged.findings
    try:
        if group_by is not None:
            findings += tuple(divided_groups(group_by, names, parts, kept))
            check_groups(group_by, names, source, kept)
        train, validation, test = divide(kept, parts[kept], labels, groups)
    except BuildError as error:
        raise BuildError(f"--data {path}: {error}") from None
    return Dataset(
        name=path.resolve().name,
        about=f"{len(kept):,} {source.about}, {len(class_names)} classes",
        images=source.examples,
        labels=labels,
        class_names=tuple(class_names),
        preprocessing=how,
        train=train,
        validation=validation,
        test=test,
        spec=spec,
        store=Stores(stores),
        augmentation=augmentation,
        findings=findings,
        groups=None if len(set(groups.tolist())) == len(groups) else groups,
        group_by=group_by,
        near_duplicates=judged.near,
        backbone_spec=backbone_spec,
    )


def _refuse_names(names: Sequence[str], where: str) -> None:
    """Raise BuildError for names of classes that no bundle can have as labels."""
    for name in names:
        if name == UNKNOWN:
            raise BuildError(
                f"{where}: a class is named {name!r}, which is the answer for every score below"
                " the minimum score; rename the class"
            )
        if not name.strip():
            raise BuildError(f"{where}: a class has the blank name {name!r}; rename the class")
        try:
            check_line(name, "class", where)
        except BundleError as error:
            raise BuildError(f"{error}; rename the class") from None


def _natural(label: str) -> tuple[int, int, str]:
    """The sort key that puts whole numbers by value and before words."""
    number = label.isascii() and label.isdigit()
    return (0, int(label), label) if number else (1, 0, label)
