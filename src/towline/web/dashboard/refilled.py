"""A refused form as it was sent: what was typed stands in it again, and what is wrong at the field it is about."""

import re
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from typing import Final

from towline.errors import TowlineError
from towline.web.dashboard.forms_read import CONTROLS, Attributes, Control, ReadForm
from towline.web.pages import said

Fields = Mapping[str, str]
_FORM: Final = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)
_FOLD: Final = re.compile(r"<(/?)details\b([^>]*)>")
_LOGIN_IN_URL: Final = re.compile(r"//[^/\s]*@")
_UNTYPED: Final = frozenset({"hidden", "file", "password", "submit", "button"})
_TICKED: Final = frozenset({"checkbox", "radio"})


def refill(page: str, action: str, fields: Fields, error: TowlineError) -> str | None:
    """The page whose form `action` was refused, with that form as it was sent; None when the form is not on it.

    Passwords, files and what is marked `data-secret` are not sent back, nor is a URL with a password in it.
    """
    for found in _FORM.finditer(page):
        form = ReadForm(found[0])
        if form.attributes.get("action") == action and form.is_sent_as(fields):
            fault = form.find(error.field)
            writer = _Writer(form, fields, fault, _complaint(error, fault))
            return _unfolded(page[: found.start()]) + writer.write(found[0]) + page[found.end() :]
    return None


def in_words(message: str, named: str | None, label: str) -> str:
    """A message that begins with a field's name in the API, with what the page calls it instead."""
    return f"{label}: {message.removeprefix(f'{named}: ')}" if message.startswith(f"{named}: ") else message


class _Writer(HTMLParser):
    """Writes a form once more, with what was typed and what is wrong."""

    def __init__(self, form: ReadForm, fields: Fields, fault: Control | None, complaint: str) -> None:
        super().__init__()
        self._fields, self._fault, self._complaint = fields, fault, complaint
        self._controls = iter(form.controls)
        self._parts: list[str] = []
        self._depth = 0
        self._is_due = fault is None
        self._chosen: str | None = None
        self._option: Attributes | None = None
        self._typed: str | None = None

    def write(self, form: str) -> str:
        """The whole form."""
        self.feed(form)
        self.close()
        return "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write the beginning of an element, of a field with what was typed; an option waits for what it says."""
        given = dict(attrs)
        self._depth += tag in ("p", "label")
        if tag == "option":
            self._option = given
            return
        if tag in CONTROLS:
            self._fill(tag, given)
            self._blame(given, next(self._controls))
        elif tag == "form":
            given["data-refilled"] = None
        elif tag == "details":
            given["open"] = None
        self._parts.append(_tag(tag, given))
        self._complain_if_due(is_here=tag == "form" or not self._depth)

    def handle_data(self, data: str) -> None:
        """Write text, but not what stood in a text field."""
        if self._option is not None:
            self._write_option(data.strip())
        if self._typed is None:
            self._parts.append(escape(data, quote=False))

    def handle_endtag(self, tag: str) -> None:
        """Write the end of an element; what is wrong stands behind all that belongs to the field."""
        if self._option is not None:
            self._write_option("")
        if tag == "textarea" and self._typed is not None:
            self._parts.append("\n" + escape(self._typed, quote=False))  # the first line break is not part of it
            self._typed = None
        self._parts.append(f"</{tag}>")
        self._depth -= tag in ("p", "label")
        self._complain_if_due(is_here=not self._depth)

    def _fill(self, tag: str, given: Attributes) -> None:
        """Put what was sent into a field, unless it is one whose content nobody is told."""
        kind, name = given.get("type") or "text", given.get("name") or ""
        self._chosen = self._fields.get(name) if tag == "select" else None
        if not name or kind in _UNTYPED or self._is_secret(given):
            return
        sent = self._fields.get(name, "")
        if kind in _TICKED:
            given.pop("checked", None)
            given |= {"checked": None} if sent == (given.get("value") or "on") else {}
        elif tag == "textarea":
            self._typed = sent
        elif tag == "input":
            given["value"] = "" if _LOGIN_IN_URL.search(sent) else sent

    def _is_secret(self, given: Attributes) -> bool:
        """Whether a field is secret: always, or when the box is ticked whose name it says."""
        box = given.get("data-secret", "")
        return "data-secret" in given and (not box or box in self._fields)

    def _blame(self, given: Attributes, control: Control) -> None:
        if control is self._fault:
            described = f"{given.get('aria-describedby') or ''} refusal".strip()
            given |= {"aria-invalid": "true", "aria-describedby": described, "autofocus": None}
            self._is_due = True

    def _write_option(self, text: str) -> None:
        given = self._option or {}
        self._option = None
        if self._chosen is not None:
            given.pop("selected", None)
            given |= {"selected": None} if given.get("value", text) == self._chosen else {}
        self._parts.append(_tag("option", given))

    def _complain_if_due(self, *, is_here: bool) -> None:
        if self._is_due and is_here:
            self._parts.append(self._complaint)
            self._is_due = False


def _complaint(error: TowlineError, fault: Control | None) -> str:
    message = in_words(error.message, error.field, fault.label if fault and fault.label else error.field or "")
    text = f"<strong>{said(message)}</strong> {said(error.hint)}"
    return f'<p class="problem" id="refusal" role="alert" data-keep>{text}</p>'


def _unfolded(before: str) -> str:
    """What stands before a form, each fold open that it is in."""
    folds: list[re.Match[str]] = []
    for found in _FOLD.finditer(before):
        if found[1]:
            folds.pop()
        else:
            folds.append(found)
    for fold in reversed(folds):
        if " open" not in fold[2]:
            before = f"{before[: fold.end() - 1]} open{before[fold.end() - 1 :]}"
    return before


def _tag(name: str, attributes: Attributes) -> str:
    written = (key if value is None else f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"<{' '.join((name, *written))}>"
