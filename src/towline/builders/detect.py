"""Choose the builder of a tree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from towline.builders.base import Builder
from towline.builders.recipe import context_folder, find_dockerfile
from towline.errors import BuildFailed, InvalidInput
from towline.values import BuildSpec

_ORDER: Final = ("node", "python", "static")


def choose_builder(builders: Mapping[str, Builder], tree: Path, spec: BuildSpec) -> Builder:
    """The builder the spec names, else the first that can build the tree: Dockerfile, node, python, static, others.

    `builders` is by kind. BuildFailed names what was looked for when none can.
    """
    if spec.dockerfile is not None:
        return builders["dockerfile"]
    if spec.builder != "auto":
        return _named(builders, spec.builder)
    if spec.dockerfile_path != "Dockerfile" or find_dockerfile(tree, spec):
        return builders["dockerfile"]
    folder = context_folder(tree, spec)
    others = [kind for kind in builders if kind not in {"dockerfile", *_ORDER}]
    for kind in (*_ORDER, *others):
        if kind in builders and builders[kind].detect(folder):
            return builders[kind]
    raise BuildFailed(
        "Nothing in the source says how to build it: there is no Dockerfile, no package.json, no requirements.txt,"
        " pyproject.toml, Pipfile or main.py, and no index.html.",
        hint="Add a Dockerfile, or set the context to the folder of the app when it is not at the root.",
    )


def _named(builders: Mapping[str, Builder], kind: str) -> Builder:
    if kind not in builders:
        raise InvalidInput(f"There is no builder {kind!r} here; there is {', '.join(builders)}.", field="builder")
    return builders[kind]
