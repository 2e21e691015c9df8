"""Forms of a finished page, read: their fields in order, and what the page calls each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

Attributes = dict[str, str | None]
CONTROLS: Final = frozenset({"input", "select", "textarea"})


@dataclass
class Control:
    """A field of a form."""

    attributes: Attributes
    label: str = ""

    def is_of(self, name: str) -> bool:
        """Whether a name is this field's, as the form calls it or as the API does where that differs."""
        return name in (self.attributes.get("data-field"), self.attributes.get("name"))


@dataclass
class _Label:
    """A label while it is read."""

    target: str
    words: list[str] = field(default_factory=list[str])
    controls: list[Control] = field(default_factory=list[Control])

    @property
    def text(self) -> str:
        """What it says, without what stands in brackets behind it."""
        return " ".join("".join(self.words).split()).partition(" (")[0]


class ReadForm(HTMLParser):
    """One form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.attributes: Attributes = {}
        self.controls: list[Control] = []
        self._labels: dict[str, str] = {}
        self._label: _Label | None = None
        self._is_inside = False
        self.feed(form)
        self.close()
        for control in self.controls:
            control.label = control.label or self._labels.get(control.attributes.get("id") or "", "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field or the beginning of a label."""
        if tag == "form":
            self.attributes = dict(attrs)
        elif tag == "label":
            self._label = _Label(dict(attrs).get("for") or "")
        elif tag in CONTROLS:
            self.controls.append(Control(dict(attrs)))
            self._is_inside = tag != "input"
            if self._label:
                self._label.controls.append(self.controls[-1])

    def handle_data(self, data: str) -> None:
        """Note the words of a label; those of its options are none."""
        if self._label and not self._is_inside:
            self._label.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Give what a label says to the fields in it."""
        if tag in CONTROLS:
            self._is_inside = False
        if tag == "label" and self._label:
            for control in self._label.controls:
                control.label = self._label.text
            self._labels[self._label.target] = self._label.text
            self._label = None

    def is_sent_as(self, fields: Mapping[str, str]) -> bool:
        """Whether what the form says by itself was sent: several of one page may have the same address."""
        hidden = [one.attributes for one in self.controls if one.attributes.get("type") == "hidden"]
        return all(fields.get(one.get("name") or "", "") == (one.get("value") or "") for one in hidden)

    def find(self, named: str | None) -> Control | None:
        """The field that an error names: `source.config.url` is the field `url`, `health.path` is `health_path`."""
        if not named:
            return None
        wanted = (named, named.replace(".", "_"), *reversed(named.split(".")))
        shown = [one for one in self.controls if one.attributes.get("type") != "hidden"]
        return next((control for name in wanted for control in shown if control.is_of(name)), None)
