"""The generated reference pages say what the code says."""

from docs.generate import make_pages

PAGES = make_pages()


def test_pages_are_current() -> None:
    stale = [path.name for path, text in PAGES.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `python docs/generate.py`"


def test_every_command_is_explained() -> None:
    cli = next(text for path, text in PAGES.items() if path.name == "cli.md")
    for command in ("deploy", "logs", "rollback", "env set", "domains add", "up", "doctor"):
        assert f"## towline {command}\n" in cli
