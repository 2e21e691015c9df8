"""The guide leads nowhere that does not exist, and speaks of every error."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from towline.cli.app import make_app
from towline.client.problems import all_error_classes
from towline.errors import TowlineError, code_of

_ROOT = Path(__file__).parents[2]
_PAGES = [_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").rglob("*.md"))]


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            path, _, anchor = str(target).partition("#")
            yield (page.parent / path if path else page), anchor


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^a-z0-9 _-]", "", str(heading).lower()).replace(" ", "-") for heading in headings}


def _commands(page: Path) -> Iterator[str]:
    """Commands in the page's blocks, each as one line."""
    for block in re.findall(r"(?ms)^```[a-z]*\n(.*?)^```", page.read_text()):
        for line in str(block).replace("\\\n", " ").splitlines():
            if line.startswith(("towline ", "$ towline ")):
                yield line.removeprefix("$ ")


def _unknown(root: Any, line: str) -> str:
    """The first word of a command that the command line does not know; empty when it knows all."""
    command, path = root, "towline"
    words = shlex.split(re.split(r"\s[|<>&;]|\s#|\s--\s|\$\(", line)[0])[1:]
    while words and words[0] in getattr(command, "commands", {}):
        path = f"{path} {words[0]}"
        command = command.commands[words.pop(0)]
    context = command.make_context(path, [], resilient_parsing=True)
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    if words and hasattr(command, "commands") and not words[0].startswith("-"):
        return f"{path} {words[0]}"
    given = (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word))
    return next((f"{path} {option}" for option in given if option not in known), "")


def test_commands_and_their_options_exist() -> None:
    root = typer.main.get_command(make_app())
    lines = [(page.name, line) for page in _PAGES for line in _commands(page)]
    assert len(lines) > 100
    assert [f"{page}: {unknown}" for page, line in lines if (unknown := _unknown(root, line))] == []


def test_links_lead_to_pages_and_headings_that_exist() -> None:
    broken = [
        f"{page.name}: {path}#{anchor}"
        for page in _PAGES
        for path, anchor in _links(page)
        if not path.exists() or (anchor and anchor not in _anchors(path))
    ]
    assert broken == []


def test_every_page_of_the_guide_is_in_the_index() -> None:
    index = (_ROOT / "docs" / "index.md").read_text()
    assert [page.name for page in (_ROOT / "docs" / "guide").iterdir() if f"guide/{page.name}" not in index] == []


def test_every_error_has_its_place_in_troubleshooting() -> None:
    headings = re.findall(r"(?m)^## (.+)$", (_ROOT / "docs" / "guide" / "troubleshooting.md").read_text())
    told = {code for heading in headings for code in str(heading).split(", ")}
    public = [kind for kind in all_error_classes() if kind.__module__ == TowlineError.__module__]
    assert [code for kind in public if (code := code_of(kind)) not in told] == []
