"""Dockerfiles generated for Python projects, by equality, and one real build on a stand-in base image."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.builders.parts import Lines, docker, make_stand_in, write_files

from towline.builders.buildkit import BuildKit
from towline.builders.python import PythonBuilder
from towline.errors import BuildFailed
from towline.values import BuildSpec

PIP = "RUN --mount=type=cache,target=/root/.cache/pip pip install"
UV = "RUN --mount=type=cache,target=/root/.cache/uv uv"
HEAD = [
    "FROM python:3.13-slim",
    "WORKDIR /app",
    "ENV PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1",
    "ENV PYTHONUNBUFFERED=1 FORWARDED_ALLOW_IPS=* PORT=8080",
]
FASTAPI = "from fastapi import FastAPI\napi = FastAPI(title='x')\n"


def shell(line: str) -> str:
    return f'CMD ["/bin/sh", "-c", "{line}"]'


LAYOUTS: Mapping[str, tuple[Mapping[str, str], list[str]]] = {
    "requirements with FastAPI": (
        {"requirements.txt": "FastAPI[standard]>=0.1\nuvicorn\n", "main.py": FASTAPI},
        [
            "COPY requirements.txt ./",
            f"{PIP} -r requirements.txt",
            "COPY . .",
            "EXPOSE 8080",
            shell("exec uvicorn main:api --host 0.0.0.0 --port $PORT"),
        ],
    ),
    "requirements with Flask and no server": (
        {"requirements.txt": "flask==3\n", "app.py": "app = flask.Flask(__name__)\n"},
        [
            "COPY requirements.txt ./",
            f"{PIP} -r requirements.txt",
            f"{PIP} gunicorn",
            "COPY . .",
            "EXPOSE 8080",
            shell("exec gunicorn app:app --bind 0.0.0.0:$PORT"),
        ],
    ),
    "requirements that name other files": (
        {"requirements.txt": "-r base.txt\n", "base.txt": "", "run.py": ""},
        ["COPY . .", f"{PIP} -r requirements.txt", "EXPOSE 8080", 'CMD ["python", "run.py"]'],
    ),
    "Django": (
        {
            "requirements.txt": "Django\ngunicorn\n",
            "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
            "blog/wsgi.py": "",
            "shop/wsgi.py": "",
        },
        [
            "COPY requirements.txt ./",
            f"{PIP} -r requirements.txt",
            "COPY . .",
            "EXPOSE 8080",
            shell("exec gunicorn shop.wsgi --bind 0.0.0.0:$PORT"),
        ],
    ),
    "uv": (
        {"pyproject.toml": "[project]\ndependencies = ['fastapi']\n", "uv.lock": "", "src/main.py": FASTAPI},
        [
            f"{PIP} uv",
            "ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PATH=/app/.venv/bin:$PATH",
            "COPY pyproject.toml uv.lock ./",
            f"{UV} sync --frozen --no-dev --no-install-project",
            "COPY . .",
            f"{UV} sync --frozen --no-dev",
            f"{UV} pip install uvicorn",
            "EXPOSE 8080",
            shell("exec uvicorn main:api --app-dir src --host 0.0.0.0 --port $PORT"),
        ],
    ),
    "poetry": (
        {"pyproject.toml": "[tool.poetry.dependencies]\nflask = '*'\n", "poetry.lock": "", "main.py": ""},
        [
            f"{PIP} poetry",
            "ENV POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1",
            "COPY pyproject.toml poetry.lock ./",
            "RUN --mount=type=cache,target=/root/.cache/pypoetry poetry install --only main --no-root",
            "COPY . .",
            "EXPOSE 8080",
            'CMD ["python", "main.py"]',
        ],
    ),
    "pyproject with a script": (
        {"pyproject.toml": "[project.scripts]\nserve = 'shop:main'\n"},
        ["COPY . .", f"{PIP} .", "EXPOSE 8080", 'CMD ["serve"]'],
    ),
    "Procfile": (
        {"main.py": "", "Procfile": "release: x\nweb: LOG=1 python main.py --port $PORT\n"},
        ["COPY . .", "EXPOSE 8080", shell("LOG=1 exec python main.py --port $PORT")],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dockerfile_follows_from_the_layout(buildkit: BuildKit, tree: Path, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    write_files(tree, files)
    builder = PythonBuilder(buildkit)

    text = builder.generated_dockerfile(tree, BuildSpec())

    assert builder.detect(tree)
    assert text == "\n".join([*HEAD, *expected, ""])


def test_wanted_version_start_command_and_build_arguments_are_honoured(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"app/main.py": "", "app/Procfile": "web: no", "app/.python-version": "3.12.4\n"})
    spec = BuildSpec(context="app", start_command=("python", "-m", 'a "b"'), arguments={"PIP_INDEX_URL": "x"})

    lines = (PythonBuilder(buildkit).generated_dockerfile(tree, spec) or "").splitlines()

    assert lines[0] == "FROM python:3.12-slim"
    assert lines[4] == "ARG PIP_INDEX_URL"
    assert lines[-1] == r'CMD ["python", "-m", "a \"b\""]'


def test_base_image_without_a_place_for_the_version_is_used_as_it_is(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"main.py": "", ".python-version": "3.9"})

    text = PythonBuilder(buildkit, image="registry.example/python:ours").generated_dockerfile(tree, BuildSpec())

    assert (text or "").startswith("FROM registry.example/python:ours\n")


def test_project_that_does_not_say_how_it_starts_is_refused_with_a_way_out(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"pyproject.toml": "[project]\nname = 'library'\n"})

    with pytest.raises(BuildFailed, match="does not say how it starts") as failure:
        PythonBuilder(buildkit).generated_dockerfile(tree, BuildSpec())

    assert "Procfile" in failure.value.hint


@pytest.mark.docker
async def test_generated_python_build_runs_and_is_shown(
    buildkit: BuildKit, tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    make_stand_in(tag, base=busybox_image, program="pip")
    write_files(tree, {"requirements.txt": "flask\n", "main.py": "", ".dockerignore": "*.txt\n", ".git/x": ""})

    built = await PythonBuilder(buildkit, image=tag).build(
        tree, BuildSpec(use_cache=False), tag=tag, labels=[f"towline.test={tag}"], report=lines
    )

    assert "pip install -r requirements.txt" in lines
    assert '    CMD ["python", "main.py"]' in lines
    assert built.port == 8080
    files = docker("run", "--rm", built.reference, "ls", "-A").split()
    assert files == [".dockerignore", "main.py", "requirements.txt"]
