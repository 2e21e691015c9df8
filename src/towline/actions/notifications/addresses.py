"""Addresses of channels: which are accepted for which kind, what may be seen of them, and as what they are sent to."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from towline.errors import InvalidInput
from towline.infra.documents import check_address

_EMAIL: Final = re.compile(r"[^@\s,<>\"]{1,64}@[A-Za-z0-9.-]{1,253}")
_MOST_RECIPIENTS: Final = 10
_STARTS: Final = {
    "slack": ("https://hooks.slack.com/services/", "https://hooks.slack-gov.com/services/"),
    "discord": ("https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"),
}
_TELEGRAM: Final = re.compile(
    r"(?:tgram://)?(?:bot)?(?P<token>\d{5,}:[A-Za-z0-9_-]{10,})/(?P<chat>-?\d{1,20}|@?[A-Za-z]\w+)"
)
_KNOWN: Final = (
    "bark chanify dingtalk discord feishu gchat gotify gotifys hassio hassios lark line mailgun mastodon matrix "
    "matrixs mmost mmosts msteams nctalk nctalks ntfy ntfys opsgenie pagerduty pbul pover pushsafer revolt rocket "
    "rockets sendgrid signal signals signl4 slack splunk spush tgram threema twilio victorops vonage wecombot "
    "whatsapp workflow workflows wxteams zulip"
)
OTHERS: Final = frozenset(_KNOWN.split(" "))
"""Services of Apprise that talk to a server over HTTP; none of those that use this machine's desktop or files."""


def check_channel_address(kind: str, address: str, *, allows_local: bool) -> str:
    """Return an address in the form it is kept in; InvalidInput saying what one of that kind looks like."""
    address = address.strip()
    if kind == "email":
        return ", ".join(_recipients(address))
    if kind == "telegram":
        found = _TELEGRAM.fullmatch(address)
        if found is None:
            raise _refused("is not TOKEN/CHAT, with the token of a bot and the id of a chat or channel")
        return f"tgram://{found['token']}/{found['chat']}"
    if kind == "webhook":
        return _checked_webhook(address, allows_local=allows_local)
    if kind == "other":
        if urlsplit(address).scheme not in OTHERS or "://" not in address:
            raise _refused(f"is not an Apprise address of a service known here ({', '.join(sorted(OTHERS))})")
        return address
    if not address.startswith(_STARTS[kind]):
        raise _refused(f"does not begin with {_STARTS[kind][0]}")
    return address


def shown_address(kind: str, address: str) -> str:
    """What may be seen of an address: never a path, a token or a password."""
    if kind == "email":
        return address
    if kind == "telegram":
        return f"chat {address.rpartition('/')[2]}"
    parts = urlsplit(address)
    return parts.hostname or "" if kind != "other" else f"{parts.scheme}://…"


def _recipients(address: str) -> list[str]:
    found = [part.strip() for part in address.split(",") if part.strip()]
    if not found or len(found) > _MOST_RECIPIENTS or not all(_EMAIL.fullmatch(part) for part in found):
        raise _refused(f"is not one to {_MOST_RECIPIENTS} e-mail addresses separated by commas")
    return found


def _checked_webhook(address: str, *, allows_local: bool) -> str:
    if not allows_local and not address.startswith("https://"):
        raise _refused("does not begin with https://")
    try:
        check_address(address, field="address")
    except InvalidInput as error:  # whose message repeats the address
        raise _refused("is none of a web server without a user name and a password in it") from error
    return quote(address, safe="%/:=&?~#+!$,;'@()*[]")


def _refused(reason: str) -> InvalidInput:
    return InvalidInput(
        f"The address {reason}.", field="address", hint="See the page about notifications of the guide."
    )
