"""Source `push`: the service's own repository at Towline, which people push to."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from towline.errors import InvalidInput, SourceUnavailable
from towline.infra.contents import disk_errors
from towline.names import SLUG_PATTERN
from towline.sources.base import FetchRequest, Source, StoreTree, WebhookEvent
from towline.sources.git.lfs import find_lfs_pointers
from towline.sources.git.remotes import Remote, candidate_refs, check_ref, is_commit
from towline.sources.git.repository import Checkout, Commit
from towline.sources.git.source import check_subdirectory, find_subfolder
from towline.sources.git.workspace import Workspace, open_workspace
from towline.sources.settings import check_keys, get_text
from towline.sources.signatures import validate_signed_webhook
from towline.values import Bundle, Report

_KEYS: Final = ("branch", "rules", "subdirectory")
_MOST_RULES: Final = 50
_GLOB: Final = re.compile(r"[!-~]{1,200}")
_SERVICE_ID: Final = re.compile(r"[a-z0-9_]{1,64}")


class PushSource(Source):
    """Takes trees out of the bare repositories in `repositories_dir` (`SERVICE_ID.git`)."""

    kind: ClassVar[str] = "push"

    def __init__(self, store_tree: StoreTree, scratch_dir: Path, repositories_dir: Path) -> None:
        self._store_tree = store_tree
        self._scratch_dir = scratch_dir
        self._repositories_dir = repositories_dir

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """`branch` that goes to production (main), or `rules` as hooks have them, and a `subdirectory`."""
        check_keys(config, _KEYS)
        return {
            "branch": check_ref(get_text(config, "branch") or "main", field="branch"),
            "rules": _check_rules(config.get("rules")),
            "subdirectory": check_subdirectory(get_text(config, "subdirectory")),
        }

    async def authenticate(self, request: FetchRequest) -> bool:
        """Whether somebody has pushed."""
        return await asyncio.to_thread(self._repository(request).is_dir)

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Store the tree of the ref, or of the configured branch."""
        request = replace(request, config=self.validate_config(request.config), credential=None)
        ref = check_ref(request.ref) or str(request.config["branch"])
        if not await self.authenticate(request):
            raise _nothing_pushed()
        nowhere = Remote("the pushed repository", "file")
        async with open_workspace(
            self._scratch_dir, nowhere, request=request, known_hosts=None, report=report
        ) as workspace:
            objects = [self._repository(request) / "objects", *filter(None, [request.quarantine])]
            checkout = _Pushed(workspace, nowhere, workspace.next_git_dir(), workspace.tree, objects=objects)
            commit = await workspace.run_bounded(checkout.run(ref))
            return await self._store(workspace, commit)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """Towline's own signed webhook."""
        return validate_signed_webhook(headers, body, secret=secret)

    async def _store(self, workspace: Workspace, commit: Commit) -> Bundle:
        subdirectory = str(workspace.request.config["subdirectory"])
        tree = await asyncio.to_thread(find_subfolder, workspace.tree, subdirectory)
        if tree is None:
            raise SourceUnavailable(
                f"There is no folder {subdirectory!r} in commit {commit.revision[:12]}.",
                hint="Correct the sub-directory in the service's source.",
            )
        pointers = await asyncio.to_thread(find_lfs_pointers, tree)
        if pointers:
            await workspace.report(
                f"{len(pointers)} files are only Git LFS pointers, {pointers[0]!r} among them: Towline keeps no LFS "
                "objects. Deploy from a git server that does, or take the files out of LFS."
            )
        digest, size = await self._store_tree(tree)
        return Bundle(digest, commit.revision, size, message=commit.message, author=commit.author)

    def _repository(self, request: FetchRequest) -> Path:
        if not _SERVICE_ID.fullmatch(request.service_id):
            raise _nothing_pushed()
        return self._repositories_dir / f"{request.service_id}.git"


@dataclass(frozen=True, slots=True)
class _Pushed(Checkout):
    """A checkout that fetches nothing: `objects` are read where they are, those in quarantine included."""

    objects: Sequence[Path] = ()

    async def run(self, ref: str) -> Commit:
        """Write the files of a ref."""
        revision = ref if is_commit(ref) else await self._resolve(ref)
        await self._create(revision)
        with disk_errors("Preparing the checkout"):
            await asyncio.to_thread(self._borrow)
        commit = await self._get_commit(revision)
        modules = await self._measure(commit.revision)
        await self._write_files(commit.revision)
        for path in list(modules)[:10]:
            await self.workspace.report(f"The submodule {path!r} stays empty: a push does not bring it.")
        return commit

    async def _resolve(self, ref: str) -> str:
        repository = self.objects[0].parent
        for name in candidate_refs(ref):
            listed = await self.workspace.run(
                *("-c", f"safe.directory={repository}", f"--git-dir={repository}"),
                *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
            )
            if listed.exit_code == 0 and is_commit(listed.tail.strip()):
                return listed.tail.strip()
        raise SourceUnavailable(f"Nobody has pushed {ref!r} to this service.", hint="Push it, then deploy again.")

    def _borrow(self) -> None:
        listed = "".join(f"{folder}\n" for folder in self.objects)
        (self.git_dir / "objects" / "info" / "alternates").write_text(listed)


def _check_rules(value: object) -> list[dict[str, str]]:
    rules = cast("list[Any]", value) if isinstance(value, list) else [] if value is None else None
    if rules is None or len(rules) > _MOST_RULES:
        raise InvalidInput(f"rules is not a list of at most {_MOST_RULES}.", field="rules")
    return [_check_rule(rule) for rule in rules]


def _check_rule(value: object) -> dict[str, str]:
    rule = cast("dict[Any, Any]", value) if isinstance(value, dict) else {}
    chosen = [key for key in ("branch", "tag") if isinstance(rule.get(key), str) and _GLOB.fullmatch(rule[key])]
    environment = rule.get("environment", "production")
    is_named = isinstance(environment, str) and re.fullmatch(SLUG_PATTERN, environment) is not None
    if len(chosen) != 1 or not is_named or not rule.keys() <= {*chosen, "environment"}:
        raise InvalidInput("A rule has a branch or a tag (`*` stands for anything) and an environment.", field="rules")
    return {chosen[0]: rule[chosen[0]], "environment": environment}


def _nothing_pushed() -> SourceUnavailable:
    return SourceUnavailable("Nobody has pushed to this service yet.", hint="`towline git-remote` tells where to push.")
