"""What to build from: a context inside the tree and a Dockerfile of the tree's own or written for it."""

from dataclasses import dataclass
from pathlib import Path

from towline.errors import InvalidInput
from towline.values import BuildSpec


@dataclass(frozen=True, slots=True)
class Recipe:
    """A context folder and either the path of a Dockerfile or its text.

    `ignore` replaces the tree's .dockerignore; only a Dockerfile given as text can have one.
    """

    context: Path
    dockerfile: Path | None = None
    text: str = ""
    ignore: str | None = None


def context_folder(tree: Path, spec: BuildSpec) -> Path:
    """The context as an absolute path; InvalidInput when it leaves the tree or is no folder."""
    folder = resolve_inside(tree, spec.context, field="context")
    if not folder.is_dir():
        raise InvalidInput(f"The build context {spec.context!r} is not a folder of the source.", field="context")
    return folder


def find_dockerfile(tree: Path, spec: BuildSpec) -> Path | None:
    """The tree's Dockerfile, looked for from the tree's root and then from the context; None when there is none."""
    context = resolve_inside(tree, spec.context, field="context")
    for folder in (tree, context):
        relative = folder.resolve().relative_to(tree.resolve()) / spec.dockerfile_path
        path = resolve_inside(tree, str(relative), field="dockerfile_path", shown=spec.dockerfile_path)
        if path.is_file():
            return path
    return None


def resolve_inside(tree: Path, relative: str, *, field: str, shown: str = "") -> Path:
    """`relative` below `tree` with every link followed; InvalidInput naming `field` when that leads outside."""
    root = tree.resolve()
    try:
        path = (root / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{field} {shown or relative!r} is not a usable path.", field=field) from error
    if not path.is_relative_to(root) or Path(relative).is_absolute():
        raise InvalidInput(f"{field} {shown or relative!r} leads out of the source.", field=field)
    return path
