"""Entries of the audit log as sentences: who did, or tried to do, what to what."""

import re
from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]
_LONGEST: Final = 80
_NOUNS: Final = {
    "account": "account",
    "audit": "audit log",
    "backups": "backup",
    "connections": "connection to a git platform",
    "dependencies": "service",
    "deployments": "deployment",
    "device": "device",
    "environments": "environment",
    "events": "live events",
    "git": "repository",
    "globalVariables": "global variable",
    "groups": "group of deployments",
    "hooks": "connected repository",
    "identities": "identity",
    "identityProviders": "sign-in provider",
    "invitations": "invitation",
    "keys": "API key",
    "mail": "mail",
    "members": "member",
    "notifications": "notification channel",
    "passkeys": "passkey",
    "passwordReset": "password",
    "platform": "platform",
    "previews": "preview",
    "projectFiles": "project file",
    "projects": "project",
    "recoveryCodes": "recovery code",
    "registries": "registry",
    "releases": "release",
    "routes": "domain",
    "runs": "run",
    "secondFactors": "user",
    "secrets": "secret",
    "services": "service",
    "sessions": "session",
    "setup": "set-up",
    "signIn": "sign-in",
    "totp": "one-time code",
    "uploads": "upload",
    "users": "user",
    "variables": "variable",
    "volumes": "volume",
    "webhookSecrets": "webhook secret",
}
_SAID: Final = {
    "account.changePassword": "change their password",
    "account.confirmEmail": "take [the address {email}|another address]",
    "account.update": "change their account",
    "audit.export": "export the audit log",
    "audit.trim": "remove entries that were too old from this log",
    "backups.create": "make a dump",
    "backups.restore": "restore a backup[ as {service}]",
    "backups.test": "test a backup",
    "connections.create": "connect [the git platform {host}|a git platform]",
    "connections.delete": "disconnect [the git platform {host}|a git platform]",
    "dependencies.delete": "let {what} not need [{depends_on}|another service] any more",
    "dependencies.set": "let {what} need [{depends_on}|another service]",
    "deployments.cancel": "cancel a deployment",
    "deployments.rollback": "roll back [{service}|a service][ to release {release}]",
    "deployments.trigger": "deploy [{service}|a service]",
    "device.approve": "let [the device {name}|a device] sign in",
    "device.deny": "refuse [the device {name}|a device]",
    "device.start": "ask for a device to be let in",
    "device.token": "ask whether a device was let in",
    "environments.createShareLink": "share {what} by a link",
    "environments.deleteShareLink": "stop sharing {what}",
    "environments.wake": "wake {what}",
    "events": "hear live events",
    "git.push": "push to {what}",
    "globalVariables.delete": "delete [the global variable {names}|a global variable]",
    "globalVariables.set": "set [the global variable {names}|global variables]",
    "globalVariables.undo": "undo a change of [the global variable {names}|a global variable]",
    "groups.cancel": "cancel a group of deployments",
    "groups.rollback": "roll back a group of deployments",
    "hooks.create": "connect [the repository {repository}|a repository]",
    "hooks.delete": "disconnect [the repository {repository}|a repository]",
    "hooks.replay": "do once more what a webhook told",
    "hooks.rotate": "make a new secret for [the repository {repository}|a repository]",
    "hooks.update": "change the rules of [the repository {repository}|a repository]",
    "identities.create": "link [the identity {email}|an identity]",
    "identities.delete": "unlink [the identity {email}|an identity]",
    "identityProviders.test": "test a sign-in provider",
    "invitations.accept": "accept an invitation[ as {email}]",
    "invitations.create": "invite [{email}|somebody]",
    "invitations.join": "accept an invitation[ as {email}]",
    "invitations.lookup": "open an invitation",
    "invitations.resend": "send an invitation again",
    "invitations.revoke": "revoke an invitation",
    "keys.create": "make [the API key {name}|an API key]",
    "keys.delete": "revoke [the API key {name}|an API key]",
    "mail.test": "send a test mail[ to {to}]",
    "members.add": "add {what}[ as {role}]",
    "members.leave": "leave the project",
    "members.remove": "remove {what}",
    "members.transfer": "make [{owner}|another member] the owner",
    "members.update": "change the role of {what}[ to {role}]",
    "notifications.createChannel": "add [the notification channel {name}|a notification channel]",
    "notifications.deleteChannel": "delete [the notification channel {name}|a notification channel]",
    "notifications.test": "send a test message to {what}",
    "notifications.updateChannel": "change [the notification channel {name}|a notification channel]",
    "passkeys.begin": "begin to add a passkey",
    "passkeys.create": "add [the passkey {name}|a passkey]",
    "passkeys.use": "sign in by a passkey",
    "passwordReset.ask": "ask for a new password[ of {email}]",
    "passwordReset.finish": "choose a new password[ for {email}]",
    "platform.retireFormerHost": "retire [the former address {host}|a former address]",
    "platform.update": "set the base domain[ to {base_domain}]",
    "previews.approve": "approve a preview",
    "previews.extend": "extend a preview",
    "previews.updateRules": "change the rules of previews",
    "previews.wake": "wake a preview",
    "projectFiles.apply": "apply a project file",
    "projectFiles.plan": "plan a project file",
    "projects.createExample": "deploy the example",
    "projects.deploy": "deploy [{services}|services] together",
    "recoveryCodes.create": "make new recovery codes",
    "registries.create": "add [the registry {host}|a registry]",
    "registries.delete": "remove [the registry {host}|a registry]",
    "releases.promote": "promote [release {release}|a release][ from {source} to {target}]",
    "routes.create": "add [the domain {host}|a domain]",
    "routes.delete": "remove [the domain {host}|a domain]",
    "runs.cancel": "end a run[ of {service}]",
    "secondFactors.delete": "delete the second factors of {what}",
    "secrets.rotate": "seal all secrets with a new key",
    "services.deploy": "deploy [{service}|a service]",
    "services.restart": "restart {what}",
    "services.runNow": "run {what} now",
    "services.scale": "scale {what}[ to {replicas}]",
    "services.start": "start {what}",
    "services.stop": "stop {what}",
    "sessions.confirm": "prove again who they are",
    "sessions.create": "sign in",
    "sessions.delete": "end a session",
    "sessions.deleteOthers": "end all other sessions",
    "sessions.end": "sign out",
    "setup.complete": "set Towline up",
    "setup.createLink": "make a set-up link",
    "signIn.passkey": "sign in by a passkey",
    "signIn.passkeyBegin": "begin to sign in by a passkey",
    "signIn.secondFactor": "sign in by a second factor",
    "totp.begin": "begin to set up one-time codes",
    "totp.confirm": "turn one-time codes on",
    "totp.delete": "turn one-time codes off",
    "uploads.append": "send a part of an upload",
    "uploads.create": "send an upload",
    "users.resetPassword": "make a link for a new password of {what}",
    "variables.delete": "delete [the variable {names}|a variable]",
    "variables.reveal": "look at [the variable {names}|a variable]",
    "variables.set": "set [the variable {names}|variables]",
    "variables.undo": "undo a change of [the variable {names}|a variable]",
    "volumes.copy": "copy [the volume {volume}|a volume][ to {to}]",
    "volumes.restore": "restore [the volume {volume}|a volume]",
    "volumes.snapshot": "keep [the volume {volume}|a volume] as it is",
    "webhookSecrets.delete": "end a webhook secret",
    "webhookSecrets.rotate": "make a new webhook secret",
}
"""What operations do, as a verb and what follows it; others are said by their verb and noun.

`[this {name}|that]` is this where the entry tells the name, else that.
"""

_CHANGES: Final = {"create": "create", "update": "change", "delete": "delete"}
_PART: Final = re.compile(r"\[([^|\]]*)\|?([^\]]*)\]")
_FIELD: Final = re.compile(r"{(\w+)}")
_PAST: Final = {
    "add": "added",
    "begin": "began",
    "choose": "chose",
    "do": "did",
    "give": "gave",
    "hear": "heard",
    "keep": "kept",
    "leave": "left",
    "let": "let",
    "make": "made",
    "run": "ran",
    "send": "sent",
    "set": "set",
    "stop": "stopped",
    "take": "took",
    "undo": "undid",
    "wake": "woke",
    "cancel": "cancelled",
    "plan": "planned",
    "apply": "applied",
    "deny": "denied",
    "copy": "copied",
}
_VIA: Final = {
    "key": "by an API key",
    "server": "by a command on the server",
    "system": "by itself",
}


def deed(entry: Json, names: Mapping[str, str]) -> str:
    """What an entry tells, after the name of who did it: `deployed web in production`, `tried to delete shop`.

    `names` are what ids of services, users and the like are called.
    """
    words = _infinitive(entry, names)
    environment = entry["detail"].get("environment")
    if environment and "{environment}" not in words:
        words += f" in {environment}"
    if entry["outcome"] == "refused":
        return f"tried to {words}"
    verb, space, rest = words.partition(" ")
    return _past(verb) + space + rest


def doer(entry: Json, people: Mapping[str, str]) -> str:
    """Who an entry is of; `people` are addresses by the ids of users."""
    if entry["actor_id"] in people:
        return people[entry["actor_id"]]
    if entry["via"] == "system":
        return "Towline"
    if entry["via"] == "server":
        return f"{entry['detail'].get('account') or 'Somebody'} on the server"
    return "Somebody who is no member" if entry["actor_id"] else "Somebody not signed in"


def manner(entry: Json) -> str:
    """How it was done: `by an API key from 203.0.113.9`; a session of a person goes without saying."""
    parts = (_VIA.get(entry["via"]), f"from {entry['address']}" if entry["address"] else "")
    return " ".join(part for part in parts if part)


def _infinitive(entry: Json, names: Mapping[str, str]) -> str:
    detail: Json = entry["detail"]
    noun, _, verb = entry["action"].partition(".")
    called = _NOUNS.get(noun, _split(noun))
    what = _named(detail.get("name") or names.get(entry["object_id"]) or detail.get("email") or "", names)
    if entry["action"] not in _SAID:
        return f"{_CHANGES.get(verb, 'look at')} {f'the {called} {what}' if what else _one(called)}"
    given = {name: _named(value, names) for name, value in detail.items() if value not in ("", None, [])}
    words = _fill(_SAID[entry["action"]], {**given, "what": what or _one(called)})
    return words.replace("variable ", "variables ", 1) if len(detail.get("names") or ()) > 1 else words


def _fill(pattern: str, given: Mapping[str, str]) -> str:
    def chosen(part: re.Match[str]) -> str:
        return part[1] if all(name in given for name in _FIELD.findall(part[1])) else part[2]

    return _FIELD.sub(lambda field: given.get(field[1], "something"), _PART.sub(chosen, pattern))


def _one(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeio" or noun == "upload" else f"a {noun}"


def _named(value: object, names: Mapping[str, str]) -> str:
    """A value in words: names for ids, lists with commas; cut where a sentence would be nothing else."""
    if isinstance(value, list):
        return ", ".join(_named(one, names) for one in value)[:_LONGEST]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - from JSON
    text = str(value)
    text = names.get(text, text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _split(word: str) -> str:
    """`createChannel` as words."""
    return re.sub("(?<=[a-z])[A-Z]", lambda letter: " " + letter[0].lower(), word)


def _past(verb: str) -> str:
    if verb in _PAST:
        return _PAST[verb]
    return verb + ("d" if verb.endswith("e") else "ed")
