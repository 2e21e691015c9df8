"""Build Node projects: a server that keeps running, or a site that is built once and served as files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from towline.builders.buildkit import BuildKit
from towline.builders.generated import GeneratedBuilder, GeneratedFile, argument_lines
from towline.builders.manifests import existing, first_version, read_json, read_manifest, table
from towline.builders.start import Command, command_line, given_command, no_start_command, shell_command
from towline.builders.static import StaticServer
from towline.values import BuildSpec

_PORT: Final = 3000
_MAIN_FILES: Final = ("server.js", "index.js", "app.js", "main.js", "src/index.js", "src/server.js")
# What the production server of a framework is, where the project has no start script of its own.
_SERVERS: Final[Mapping[str, Command]] = {
    "next": ("/app/node_modules/.bin/next", "start"),
    "nuxt": ("node", ".output/server/index.mjs"),
    "@sveltejs/adapter-node": ("node", "build"),
    "@astrojs/node": ("node", "./dist/server/entry.mjs"),
}
# Tools that build files only, and the folder they leave them in.
_SITES: Final[Mapping[str, str]] = {
    "react-scripts": "build",
    "@docusaurus/core": "build",
    "@sveltejs/adapter-static": "build",
    "gatsby": "public",
    "@11ty/eleventy": "_site",
    "@vue/cli-service": "dist",
    "astro": "dist",
    "vite": "dist",
    "parcel": "dist",
    "webpack": "dist",
}
_DEVELOPMENT: Final = re.compile(
    r"(react-scripts start|docusaurus start|gatsby develop|(^|\s)vite(\s|$)|astro dev|eleventy.*--serve"
    r"|vue-cli-service serve|webpack(-dev-server|\s+serve)|parcel(?!\s+build))"
)


@dataclass(frozen=True, slots=True)
class _Installer:
    """One package manager: the file that tells it, how it installs, and what has to be there first."""

    lock: str
    install: str
    runner: str
    setup: str = ""


_INSTALLERS: Final = (
    _Installer("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm run", setup="RUN corepack enable"),
    _Installer("yarn.lock", "yarn install --frozen-lockfile", "yarn run", setup="RUN corepack enable"),
    _Installer("bun.lock", "bun install --frozen-lockfile", "bun run", setup="RUN npm install --global bun"),
    _Installer("bun.lockb", "bun install --frozen-lockfile", "bun run", setup="RUN npm install --global bun"),
    _Installer("package-lock.json", "npm ci", "npm run"),
    _Installer("npm-shrinkwrap.json", "npm ci", "npm run"),
)
_NPM: Final = _Installer("", "npm install", "npm run")


class NodeBuilder(GeneratedBuilder):
    """Builds Node apps and sites.

    `image` is the base; `{version}` in it becomes the major version the project asks for (.nvmrc, .node-version,
    engines), `version` when it asks for none. Sites are served by `server`.
    """

    kind: ClassVar[str] = "node"

    def __init__(
        self,
        buildkit: BuildKit,
        *,
        image: str = "node:{version}-slim",
        version: str = "22",
        server: StaticServer = StaticServer(),
    ) -> None:
        super().__init__(buildkit)
        self._image = image
        self._version = version
        self._server = server

    def detect(self, tree: Path) -> bool:
        """Whether there is a package.json that can be started or built (in a Python project: that can be started)."""
        manifest = read_json(tree, "package.json")
        if existing(tree, "manage.py", "requirements.txt", "pyproject.toml", "Pipfile"):
            return "start" in table(manifest, "scripts")
        return bool(existing(tree, "package.json"))

    def write(self, folder: Path, spec: BuildSpec) -> GeneratedFile:
        """Install, build, then either start the app or serve what was built."""
        manifest = read_json(folder, "package.json")
        given = given_command(folder, spec)
        site = "" if given else find_site_folder(folder, manifest)
        base = f"FROM {self._image.replace('{version}', _wanted_version(folder, manifest) or self._version)}"
        copied, lines = _build_lines(folder, manifest)
        if site:
            served = self._server.lines(f"/app/{site}", stage="build", is_single_page=True)
            return GeneratedFile([f"{base} AS build", "WORKDIR /app", *argument_lines(spec), *lines, *served], copied)
        command = given or _start_command(folder, manifest)
        environment = f"ENV NODE_ENV=production HOST=0.0.0.0 PORT={_PORT} PATH=/app/node_modules/.bin:$PATH"
        start = [environment, f"EXPOSE {_PORT}", command_line(command)]
        return GeneratedFile([base, "WORKDIR /app", *argument_lines(spec), *lines, *start], copied)


def find_site_folder(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The folder the build leaves its files in; empty for a project that is a server."""
    scripts = table(manifest, "scripts")
    names = _dependencies(manifest)
    start = str(scripts.get("start", ""))
    if "build" not in scripts or any(name in names for name in _SERVERS) or (start and not _DEVELOPMENT.search(start)):
        return ""
    if not start and (manifest.get("main") or existing(folder, *_MAIN_FILES[:2])):
        return ""
    return next((output for tool, output in _SITES.items() if tool in names), "")


def _build_lines(folder: Path, manifest: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The manifests copied ahead of the tree; the instructions that install, copy the tree and build."""
    installer = next((one for one in _INSTALLERS if (folder / one.lock).is_file()), _NPM)
    copied = existing(folder, "package.json", installer.lock or "package.json", ".npmrc", ".yarnrc.yml")
    copied = list(dict.fromkeys(copied))
    scripts = table(manifest, "scripts")
    install = installer.install
    if ".yarnrc.yml" in copied and installer.lock == "yarn.lock":
        install = "yarn install --immutable"
    if not installer.setup:
        install = f"--mount=type=cache,target=/root/.npm {install}"
    lines = [installer.setup] if installer.setup else []
    if _needs_tree(folder, manifest):
        lines += ["COPY . .", f"RUN {install}"]
    else:
        lines += [f"COPY {' '.join(copied)} ./", f"RUN {install}", "COPY . ."]
    return copied, [*lines, *([f"RUN {installer.runner} build"] if "build" in scripts else [])]


def _needs_tree(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether installing needs more of the tree than its manifests."""
    hooks = {"preinstall", "install", "postinstall", "prepare"} & set(table(manifest, "scripts"))
    places = ("patches", ".yarn", "pnpm-workspace.yaml", ".pnpmfile.cjs")
    local = any(str(wanted).startswith(("file:", "link:")) for wanted in _dependencies(manifest).values())
    return bool(hooks) or local or "workspaces" in manifest or any((folder / place).exists() for place in places)


def _start_command(folder: Path, manifest: Mapping[str, Any]) -> Command:
    scripts = table(manifest, "scripts")
    if start := scripts.get("start"):
        is_alone = not {"prestart", "poststart"} & set(scripts)
        command = shell_command(str(start))
        # npm between the engine and the app costs memory and swallows the stop signal.
        return command if is_alone and command[-1] != str(start).strip() else ("npm", "start")
    names = _dependencies(manifest)
    if server := next((command for name, command in _SERVERS.items() if name in names), None):
        return server
    main = str(manifest.get("main") or "")
    if main and (folder / main).is_file():
        return ("node", main)
    if files := existing(folder, *_MAIN_FILES):
        return ("node", files[0])
    raise no_start_command("a start script or main in package.json, or one of " + ", ".join(_MAIN_FILES))


def _wanted_version(folder: Path, manifest: Mapping[str, Any]) -> str:
    engine = str(table(manifest, "engines").get("node", ""))
    wanted = read_manifest(folder, ".nvmrc") or read_manifest(folder, ".node-version") or engine
    return first_version(wanted).partition(".")[0]


def _dependencies(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {**table(manifest, "devDependencies"), **table(manifest, "dependencies")}
