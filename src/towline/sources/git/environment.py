"""The closed world git runs in: its whole environment, its configuration, and the files that hold a credential."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from towline.values import Credential

_PASSED_ON = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)
_ANY_USER = "x-access-token"
"""GitHub, GitLab, Gitea and Forgejo take a token with any user name."""

# Answers for the one origin the credential belongs to, so that neither a redirect nor a submodule elsewhere gets it.
CREDENTIAL_SCRIPT = """\
#!/bin/sh
test "$1" = get || exit 0
while IFS='=' read -r key value; do
  case "$key" in
    protocol) protocol=$value ;;
    host) host=$value ;;
  esac
done
test "$protocol://$host" = "$TOWLINE_GIT_ORIGIN" || exit 0
printf 'username=%s\\npassword=%s\\n' "$TOWLINE_GIT_USERNAME" "$TOWLINE_GIT_PASSWORD"
"""

# Messages of `git fsck` about harmless slips in the history of well-known repositories.
_HARMLESS = ("zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "badDateOverflow", "gitmodulesUrl")


def git_settings(home: Path, *, allows_local: bool) -> dict[str, str]:
    """Every setting git runs with; nothing else is read but the fetched repository's own."""
    settings = {
        "advice.detachedHead": "false",
        "core.attributesFile": "/dev/null",
        "core.autocrlf": "false",
        "core.fsmonitor": "false",
        "core.hooksPath": "/dev/null",
        "core.protectHFS": "true",
        "core.protectNTFS": "true",
        "core.quotePath": "false",
        "credential.helper": str(home / "credential"),
        # Packs go to the disk as they come, where their size is watched; loose objects would pass through memory.
        "fetch.unpackLimit": "1",
        "gc.auto": "0",
        # Redirects are followed by Towline, which looks where they lead; only a proxy does that itself.
        "http.followRedirects": "initial" if allows_local or has_proxy(os.environ) else "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "60",
        "init.defaultBranch": "main",
        "maintenance.auto": "false",
        "transfer.fsckObjects": "true",
    }
    settings |= {f"fetch.fsck.{message}": "ignore" for message in _HARMLESS}
    return settings | ({"safe.directory": "*"} if allows_local else {})


def has_proxy(environment: Mapping[str, str]) -> bool:
    """Whether git will go through a proxy."""
    return any(environment.get(name) for name in _PASSED_ON if name.lower().endswith("_proxy") and name != "no_proxy")


def render_settings(settings: Mapping[str, str]) -> str:
    """Settings in the form of a git configuration file."""
    lines: list[str] = []
    for key, value in sorted(settings.items()):
        section, _, rest = key.partition(".")
        subsection, _, name = rest.rpartition(".")
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'[{section} "{subsection}"]' if subsection else f"[{section}]", f'\t{name} = "{quoted}"']
    return "\n".join(lines) + "\n"


def ssh_command(home: Path, *, has_key: bool, known_hosts: Path, is_strict: bool) -> list[str]:
    """`ssh` with exactly one key, exactly one file of host keys, and never a question."""
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes" if is_strict else "accept-new",
        "BatchMode": "yes",
        "PasswordAuthentication": "no",
        "ForwardAgent": "no",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
    }
    identity = ["-i", str(home / "key")] if has_key else ["-o", "IdentityFile=none"]
    return ["ssh", "-F", "none", *identity, *(f"-o{name}={value}" for name, value in options.items())]


def git_environment(
    home: Path,
    *,
    inherited: Mapping[str, str],
    ssh: list[str],
    credential: Credential | None,
    origin: str,
    allows_local: bool,
) -> dict[str, str]:
    """The whole environment: no terminal, no agent, no configuration but ours, only the allowed protocols."""
    environment = {name: inherited[name] for name in _PASSED_ON if name in inherited}
    environment |= {
        "PATH": inherited.get("PATH") or os.defpath,
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:ssh:http:file" if allows_local else "https:ssh",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_SSH_COMMAND": shlex.join(ssh),
        "GIT_SSH_VARIANT": "ssh",
    }
    if credential is not None and credential.password:
        environment |= {
            "TOWLINE_GIT_ORIGIN": origin,
            "TOWLINE_GIT_USERNAME": credential.username or _ANY_USER,
            "TOWLINE_GIT_PASSWORD": credential.password,
        }
    return environment


def write_home(home: Path, *, credential: Credential | None, allows_local: bool) -> None:
    """Make the folder that git sees as its home: configuration, credential script, key (0600), host keys. Blocks."""
    home.mkdir(mode=0o700)
    (home / "gitconfig").write_text(render_settings(git_settings(home, allows_local=allows_local)))
    _write_private(home / "credential", CREDENTIAL_SCRIPT, mode=0o700)
    key = credential.ssh_key if credential is not None else ""
    if key:
        _write_private(home / "key", key.replace("\r\n", "\n").strip() + "\n", mode=0o600)
    hosts = credential.known_hosts if credential is not None else ""
    _write_private(home / "known_hosts", hosts.replace("\r\n", "\n").strip() + "\n", mode=0o600)


def _write_private(path: Path, text: str, *, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(text)
    path.chmod(mode)
