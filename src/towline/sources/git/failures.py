"""What git's last words mean, and the error that says so to a person."""

import re
from enum import StrEnum

from towline.errors import BundleRejected, DiskFull, SourceUnavailable, TimedOut, TowlineError
from towline.sources.git.remotes import Remote


class Reason(StrEnum):
    """Why git gave up, as far as it matters for what to do next."""

    DISK_FULL = "disk full"
    NEEDS_CREDENTIAL = "needs a credential"
    REFUSED = "credential refused"
    HOST_KEY = "host key"
    NO_REF = "no such ref"
    NO_REPOSITORY = "no such repository"
    TLS = "tls"
    TOO_SLOW = "too slow"
    UNREACHABLE = "unreachable"
    PROTOCOL = "protocol"
    BROKEN = "broken objects"
    NO_GIT = "no git server"
    LFS = "lfs"
    UNKNOWN = "unknown"


# The first match wins, so the narrower message comes first.
_SIGNS: dict[Reason, tuple[str, ...]] = {
    # Git leaves the reason out when it writes a checked-out file; in a fresh folder of ours it is the disk.
    Reason.DISK_FULL: ("no space left on device", "disk quota exceeded", "unable to write file"),
    Reason.LFS: ("smudge filter lfs failed", "git-lfs"),
    Reason.NEEDS_CREDENTIAL: ("terminal prompts disabled", "could not read username", "could not read password"),
    Reason.REFUSED: ("authentication failed", "returned error: 401", "returned error: 403", "permission denied ("),
    Reason.HOST_KEY: ("host key verification failed", "remote host identification has changed"),
    Reason.NO_REF: ("couldn't find remote ref", "not our ref", "unadvertised object", "no such remote ref"),
    Reason.NO_REPOSITORY: (
        *("repository not found", "repository '", "returned error: 404", "does not appear to be a git repository"),
        *("no such file or directory", "could not be found", "repository not exported"),
    ),
    Reason.TLS: ("certificate", "ssl_", "ssl:", "gnutls", "tls "),
    Reason.TOO_SLOW: ("operation too slow", "timed out", "timeout"),
    Reason.UNREACHABLE: (
        *("could not resolve", "failed to connect", "couldn't connect", "connection refused", "no route to host"),
        *("network is unreachable", "connection closed", "connection reset", "name or service not known"),
    ),
    Reason.PROTOCOL: ("' not allowed", "unsupported protocol", "protocol not supported"),
    Reason.BROKEN: ("fsck error", "bad object", "invalid path", "object corrupt", "invalid index-pack output"),
    Reason.NO_GIT: (
        *("is this a git repository", "invalid server response", "protocol error", "bad line length", "hung up"),
        *("unexpected disconnect", "expected flush", "returned error: "),
    ),
}


def find_reason(output: str) -> Reason:
    """The reason in git's output."""
    # An address or name must not be taken for the message around it.
    lowered = re.sub(r"\w+://\S+", "", output).lower()
    found = (reason for reason, signs in _SIGNS.items() if any(sign in lowered for sign in signs))
    return next(found, Reason.UNKNOWN)


def fetch_failure(remote: Remote, *, output: str, ref: str, has_credential: bool) -> TowlineError:
    """The error for a failed fetch: one sentence with the address or ref in it, and what to try next."""
    url, reason = remote.url, find_reason(output)
    if reason is Reason.NO_REF:
        return ref_missing(remote, ref)
    if reason in {Reason.NEEDS_CREDENTIAL, Reason.REFUSED, Reason.NO_REPOSITORY}:
        return _access_failure(remote, reason, has_credential=has_credential)
    if reason is Reason.DISK_FULL:
        return DiskFull(f"There is no room on the disk for {url}.")
    if reason is Reason.TOO_SLOW:
        return TimedOut(f"{url} answers too slowly or not at all.", hint="Check that the server is up and reachable.")
    if reason is Reason.BROKEN:
        return BundleRejected(
            f"{url} holds objects that git refuses: {_last_line(output)}", hint="Run `git fsck` in the repository."
        )
    sentence, hint = _OTHERS[reason]
    return SourceUnavailable(sentence.format(url=url, line=_last_line(output)), hint=hint)


def ref_missing(remote: Remote, ref: str) -> SourceUnavailable:
    """The error for a ref that is not there."""
    if not ref:
        return SourceUnavailable(f"{remote.url} has no commit yet.", hint="Push a branch first, then deploy again.")
    return SourceUnavailable(
        f"There is no branch, tag or commit {ref!r} in {remote.url}.",
        hint="Check its spelling and that it was pushed; a commit needs its full id.",
    )


_OTHERS: dict[Reason, tuple[str, str]] = {
    Reason.HOST_KEY: (
        "The SSH host key of {url} is not the known one.",
        "Compare it with the key the host publishes, then put it into the credential's known hosts.",
    ),
    Reason.TLS: (
        "The TLS certificate of {url} is not trusted: {line}",
        "Install the certificate authority on this machine or set SSL_CERT_FILE for Towline.",
    ),
    Reason.UNREACHABLE: (
        "{url} cannot be reached: {line}",
        "Check the host name, the port and this machine's network.",
    ),
    Reason.PROTOCOL: ("{url} uses a protocol that is not allowed: {line}", "Use an https or ssh address."),
    Reason.NO_GIT: (
        "{url} does not answer like a git server: {line}",
        "Open the address in a browser, and check its path.",
    ),
    Reason.LFS: ("A Git LFS file of {url} could not be fetched: {line}", "Check that the LFS server has the file."),
    Reason.UNKNOWN: ("git could not fetch {url}: {line}", "Run `git ls-remote` with the same address by hand."),
}


def _access_failure(remote: Remote, reason: Reason, *, has_credential: bool) -> SourceUnavailable:
    if reason is Reason.NO_REPOSITORY:
        hint = "Check the address; a private repository also looks like this to a credential without access."
        return SourceUnavailable(f"There is no repository at {remote.url}.", hint=hint)
    if has_credential:
        return SourceUnavailable(
            f"{remote.url} refused the credential.",
            hint="Check that the token, password or deploy key is still valid and may read this repository.",
        )
    wanted = "an SSH key" if remote.protocol == "ssh" else "a user name and password or a token"
    return SourceUnavailable(f"{remote.url} asks for {wanted}.", hint="Add a credential to the service's source.")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:", "remote:"))] or lines
    return (told[-1] if told else "no message")[:300]
