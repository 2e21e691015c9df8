"""Dockerfiles generated for Node projects, by equality, and one real build on a stand-in base image."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.builders.parts import Lines, docker, make_stand_in, write_files

from towline.builders.buildkit import BuildKit
from towline.builders.node import NodeBuilder
from towline.builders.static import StaticServer
from towline.errors import BuildFailed
from towline.values import BuildSpec

NPM = "RUN --mount=type=cache,target=/root/.npm npm"
RUN_SITE = [
    "ENV PORT=8080",
    "EXPOSE 8080",
    """CMD ["/bin/sh", "-c", "httpd -f -p $PORT -h /site & trap 'kill $!' TERM INT; wait"]""",
]
SERVE = [
    "ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 PATH=/app/node_modules/.bin:$PATH",
    "EXPOSE 3000",
]
LAYOUTS: Mapping[str, tuple[Mapping[str, object], list[str], list[str]]] = {
    "npm with a start script": (
        {"scripts": {"start": "NODE_ENV=production node server.js", "build": "tsc"}, "engines": {"node": "^20.1"}},
        ["package-lock.json", ".npmrc"],
        [
            "FROM node:20-slim",
            "WORKDIR /app",
            "COPY package.json package-lock.json .npmrc ./",
            f"{NPM} ci",
            "COPY . .",
            "RUN npm run build",
            *SERVE,
            'CMD ["/bin/sh", "-c", "NODE_ENV=production exec node server.js"]',
        ],
    ),
    "start script of several commands": (
        {"scripts": {"start": "node migrate.js && node server.js"}},
        [],
        [
            "FROM node:22-slim",
            "WORKDIR /app",
            "COPY package.json ./",
            f"{NPM} install",
            "COPY . .",
            *SERVE,
            'CMD ["npm", "start"]',
        ],
    ),
    "pnpm with a main file": (
        {"main": "lib/run.js"},
        ["pnpm-lock.yaml", "lib/run.js"],
        [
            "FROM node:22-slim",
            "WORKDIR /app",
            "RUN corepack enable",
            "COPY package.json pnpm-lock.yaml ./",
            "RUN pnpm install --frozen-lockfile",
            "COPY . .",
            *SERVE,
            'CMD ["node", "lib/run.js"]',
        ],
    ),
    "yarn with Next": (
        {"scripts": {"build": "next build"}, "dependencies": {"next": "15"}},
        ["yarn.lock"],
        [
            "FROM node:22-slim",
            "WORKDIR /app",
            "RUN corepack enable",
            "COPY package.json yarn.lock ./",
            "RUN yarn install --frozen-lockfile",
            "COPY . .",
            "RUN yarn run build",
            *SERVE,
            'CMD ["/app/node_modules/.bin/next", "start"]',
        ],
    ),
    "install hook that needs the tree": (
        {"scripts": {"start": "node .", "postinstall": "prisma generate"}},
        ["package-lock.json"],
        [
            "FROM node:22-slim",
            "WORKDIR /app",
            "COPY . .",
            f"{NPM} ci",
            *SERVE,
            'CMD ["/bin/sh", "-c", "exec node ."]',
        ],
    ),
    "site made by Vite": (
        {"scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}},
        ["package-lock.json", "index.html"],
        [
            "FROM node:22-slim AS build",
            "WORKDIR /app",
            "COPY package.json package-lock.json ./",
            f"{NPM} ci",
            "COPY . .",
            "RUN npm run build",
            "FROM httpd:tiny",
            "COPY --from=build /app/dist/ /site/",
            *RUN_SITE,
        ],
    ),
    "site made by Create React App, whose start script is for development": (
        {"scripts": {"start": "react-scripts start", "build": "x"}, "dependencies": {"react-scripts": "5"}},
        [],
        [
            "FROM node:22-slim AS build",
            "WORKDIR /app",
            "COPY package.json ./",
            f"{NPM} install",
            "COPY . .",
            "RUN npm run build",
            "FROM httpd:tiny",
            "COPY --from=build /app/build/ /site/",
            *RUN_SITE,
        ],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dockerfile_follows_from_the_layout(buildkit: BuildKit, tree: Path, layout: str) -> None:
    manifest, files, expected = LAYOUTS[layout]
    write_files(tree, {"package.json": json.dumps(manifest), **dict.fromkeys(files, "")})
    builder = NodeBuilder(buildkit, server=StaticServer("httpd:tiny", "busybox"))

    text = builder.generated_dockerfile(tree, BuildSpec())

    assert builder.detect(tree)
    assert text == "\n".join([*expected, ""])


def test_procfile_and_start_command_come_before_the_scripts(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"package.json": '{"scripts": {"start": "node a.js"}}', "Procfile": "web: node b.js"})
    builder = NodeBuilder(buildkit)

    from_procfile = builder.generated_dockerfile(tree, BuildSpec())
    from_settings = builder.generated_dockerfile(tree, BuildSpec(start_command=("node", "c.js")))

    assert (from_procfile or "").endswith('CMD ["/bin/sh", "-c", "exec node b.js"]\n')
    assert (from_settings or "").endswith('CMD ["node", "c.js"]\n')


def test_broken_manifest_is_a_failed_build_and_not_a_crash(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"package.json": '{"scripts": ['})

    with pytest.raises(BuildFailed, match="does not say how it starts"):
        NodeBuilder(buildkit).generated_dockerfile(tree, BuildSpec())


@pytest.mark.docker
async def test_generated_node_build_makes_an_image(
    buildkit: BuildKit, tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    make_stand_in(tag, base=busybox_image, program="npm")
    write_files(tree, {"package.json": '{"scripts": {"start": "sh app", "build": "x"}}', "app": "echo on $PORT"})

    built = await NodeBuilder(buildkit, image=tag).build(
        tree, BuildSpec(use_cache=False), tag=tag, labels=[f"towline.test={tag}"], report=lines
    )

    assert "npm run build" in lines
    assert built.port == 3000
    assert docker("run", "--rm", built.reference) == "on 3000"
