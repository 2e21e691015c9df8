"""Which addresses and refs are accepted, and what git's last words mean."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.errors import DiskFull, InvalidInput, SourceUnavailable, TimedOut, TowlineError
from towline.sources.git.environment import git_environment, git_settings, render_settings, ssh_command
from towline.sources.git.failures import fetch_failure
from towline.sources.git.remotes import candidate_refs, check_ref, parse_remote, resolve_submodule
from towline.sources.git.source import GitSource
from towline.values import Credential

REMOTE = parse_remote("https://git.example.com/shop/api.git")


@pytest.mark.parametrize(
    ("value", "url", "origin"),
    [
        ("https://GitHub.com/shop/api.git", "https://github.com/shop/api.git", "https://github.com"),
        ("https://host:8443/a%20b", "https://host:8443/a%20b", "https://host:8443"),
        ("https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444"),
        ("ssh://git@host:22/shop/api.git", "ssh://git@host:22/shop/api.git", "ssh://host:22"),
        ("git@github.com:shop/api.git", "git@github.com:shop/api.git", "ssh://github.com"),
        ("host:api", "host:api", "ssh://host"),
        ("file:///srv/api.git", "file:///srv/api.git", "file://"),
        ("http://127.0.0.1:3000/x", "http://127.0.0.1:3000/x", "http://127.0.0.1:3000"),
    ],
)
def test_addresses_are_read(value: str, url: str, origin: str) -> None:
    remote = parse_remote(value)
    assert (remote.url, remote.origin) == (url, origin)
    assert parse_remote(remote.url) == remote


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "api", "/srv/api.git", "./api", "-u./x", "--upload-pack=x", "git://host/x", "ftp://host/x"),
        *("ext::sh -c x", "ext::x", "fd::17", "http://example.com/x", "https://", "https:///x", "https://host"),
        *("https://host/", "https://-host/x", "ssh://-oProxyCommand=x/y", "-oProxyCommand=x:y", "git@-host:x"),
        *("git@host:-x", "git@host:/abs", "ssh://-x@host/y", "https://host/x?y", "https://host/x#y"),
        *("https://host:99999/x", "https://host:port/x", "file://host/x", "https://ho st/x"),
        *(
            "https://host/x\ny",
            "https://host/\0",
            "https://[::1/x",
            "https://" + "x" * 3000 + "/y",
            "transport::https://x/y",
        ),
    ],
)
def test_other_addresses_are_refused_with_the_field(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_remote(value)
    assert refused.value.field == "url"


def test_password_in_an_address_is_refused_without_repeating_it() -> None:
    for value in ("https://user:s3cr3t@host/x", "https://s3cr3t@host/x", "ssh://git:s3cr3t@host/x"):
        with pytest.raises(InvalidInput) as refused:
            parse_remote(value)
        assert "s3cr3t" not in str(refused.value)
        assert "credential" in refused.value.hint


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_invalid_input(value: str) -> None:
    try:
        remote = parse_remote(value)
    except InvalidInput:
        return
    assert not remote.url.startswith("-")
    assert parse_remote(remote.url) == remote


REF_PARTS = st.text(st.sampled_from("ab.-/@{}~^:?*[\\ \x7f\u00e9lock"), max_size=12)


@given(REF_PARTS)
def test_refs_follow_the_rules_of_git(name: str) -> None:
    ref = f"x{name}"
    is_valid = subprocess.run(["git", "check-ref-format", f"refs/heads/{ref}"], check=False).returncode == 0
    try:
        check_ref(ref)
    except InvalidInput:
        assert not is_valid
    else:
        assert is_valid


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch x", "/x", "x/", "a\nb", "a\0b", "@", "x" * 600])
def test_refs_that_could_be_options_or_worse_are_refused(ref: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_ref(ref)
    assert refused.value.field == "ref"


def test_branch_is_tried_before_tag() -> None:
    assert candidate_refs("v1") == ("refs/heads/v1", "refs/tags/v1")
    assert candidate_refs("refs/pull/1/head") == ("refs/pull/1/head",)
    assert candidate_refs("a" * 40) == ("a" * 40,)
    assert candidate_refs("a" * 39) == ("refs/heads/" + "a" * 39, "refs/tags/" + "a" * 39)
    assert candidate_refs("") == ("HEAD",)


@pytest.mark.parametrize(
    ("parent", "address", "url"),
    [
        ("https://host/org/shop.git", "../lib.git", "https://host/org/lib.git"),
        ("https://host/org/shop.git/", "../../other/lib", "https://host/other/lib"),
        ("https://host/org/shop", "./lib", "https://host/org/shop/lib"),
        ("git@host:org/shop.git", "../lib.git", "git@host:org/lib.git"),
        ("git@host:org/shop.git", "../../lib.git", "git@host:lib.git"),
        ("https://host/org/shop", "https://elsewhere/lib", "https://elsewhere/lib"),
    ],
)
def test_submodule_addresses_are_resolved_as_git_does(parent: str, address: str, url: str) -> None:
    assert resolve_submodule(parse_remote(parent), address, name="lib").url == url


@pytest.mark.parametrize("address", ["../../../x", "../../../../evil.example.com/x", "/x", "-x", ""])
def test_submodule_addresses_cannot_leave_the_host_by_dots(address: str) -> None:
    with pytest.raises(SourceUnavailable, match="submodule 'lib'"):
        resolve_submodule(REMOTE, address, name="lib")


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", SourceUnavailable, "asks for"),
        ("fatal: Authentication failed for 'https://x/'", SourceUnavailable, "asks for"),
        ("remote: Repository not found.\nfatal: repository 'https://x/' not found", SourceUnavailable, "no repository"),
        ("fatal: couldn't find remote ref refs/heads/x", SourceUnavailable, "'main'"),
        ("git@x: Permission denied (publickey).", SourceUnavailable, "asks for"),
        ("Host key verification failed.", SourceUnavailable, "host key"),
        ("fatal: unable to access 'https://tls.x/': Could not resolve host: tls.x", SourceUnavailable, "be reached"),
        ("fatal: unable to access 'https://x/': SSL certificate problem: unable to get", SourceUnavailable, "trusted"),
        ("fatal: unable to access 'https://x/': Operation too slow. Less than 1000", TimedOut, "too slowly"),
        ("fatal: write error: No space left on device", DiskFull, "no room"),
        ("fatal: transport 'ext' not allowed", SourceUnavailable, "not allowed"),
        ("fatal: something new", SourceUnavailable, "something new"),
        ("", SourceUnavailable, "no message"),
    ],
)
def test_last_words_of_git_are_understood(output: str, error: type[TowlineError], words: str) -> None:
    found = fetch_failure(REMOTE, output=output, ref="main", has_credential=False)
    assert type(found) is error
    assert words in found.message


def test_git_runs_with_exactly_this_environment() -> None:
    environment = git_environment(
        Path("/h"),
        inherited={"PATH": "/bin", "https_proxy": "http://p", "SSH_AUTH_SOCK": "/s", "GIT_DIR": "/x", "TOWLINE_K": "1"},
        ssh=["ssh", "-F", "none"],
        credential=Credential(password="s3cr3t"),
        origin="https://host",
        allows_local=False,
    )
    assert environment == {
        "PATH": "/bin",
        "https_proxy": "http://p",
        "HOME": "/h",
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/h/gitconfig",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_SSH_COMMAND": "ssh -F none",
        "GIT_SSH_VARIANT": "ssh",
        "TOWLINE_GIT_ORIGIN": "https://host",
        "TOWLINE_GIT_USERNAME": "x-access-token",
        "TOWLINE_GIT_PASSWORD": "s3cr3t",
    }


def test_settings_are_read_by_git_as_they_were_meant(tmp_path: Path) -> None:
    home = tmp_path / 'odd "name" \\ here'
    home.mkdir()
    settings = git_settings(home, allows_local=True)
    (home / "gitconfig").write_text(render_settings(settings))
    listed = subprocess.run(
        ["git", "config", "--file", str(home / "gitconfig"), "--list", "-z"], check=True, capture_output=True, text=True
    ).stdout
    seen = dict(line.split("\n", 1) for line in listed.split("\0") if line)
    assert seen == {key.lower(): value for key, value in settings.items()}


def test_ssh_knows_one_key_and_one_file_of_host_keys() -> None:
    command = ssh_command(Path("/h"), has_key=True, known_hosts=Path("/k h"), is_strict=True)
    assert command[:5] == ["ssh", "-F", "none", "-i", "/h/key"]
    assert '-oUserKnownHostsFile="/k h"' in command
    assert "-oStrictHostKeyChecking=yes" in command
    assert "-oStrictHostKeyChecking=accept-new" in ssh_command(
        Path("/h"), has_key=False, known_hosts=Path("/k"), is_strict=False
    )


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "url"),
        ({"url": 1}, "url"),
        ({"url": "https://host/x", "branch": "-x"}, "branch"),
        ({"url": "https://host/x", "branch": ["x"]}, "branch"),
        ({"url": "https://host/x", "subdirectory": "../x"}, "subdirectory"),
        ({"url": "https://host/x", "subdirectory": "/x"}, "subdirectory"),
        ({"url": "https://host/x", "subdirectory": "a\nb"}, "subdirectory"),
        ({"url": "https://host/x", "submodules": "yes"}, "submodules"),
        ({"url": "https://host/x", "lfs": 1}, "lfs"),
        ({"url": "https://host/x", "else": 1}, "else"),
        ({"url": "https://host/\udcff"}, "url"),
    ],
)
def test_configuration_names_the_field_at_fault(source: GitSource, config: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        source.validate_config(config)
    assert refused.value.field == field


def test_configuration_gets_its_defaults(source: GitSource) -> None:
    assert source.validate_config({"url": "https://host/x", "subdirectory": "./web//app/"}) == {
        "url": "https://host/x",
        "branch": "",
        "subdirectory": "web/app",
        "submodules": False,
        "lfs": True,
    }
