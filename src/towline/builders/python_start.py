"""Find how a Python project starts: Django, an ASGI or WSGI app by its framework, a main file, a script."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from towline.builders.manifests import existing, read_manifest, read_toml, table
from towline.builders.start import Command, shell_command

MAIN_FILES: Final = ("main.py", "app.py", "server.py", "wsgi.py", "asgi.py", "api.py", "run.py")
_APP_FILES: Final = (
    *MAIN_FILES, "app/main.py", "src/main.py", "app/__init__.py", "api/main.py", "src/app.py", "src/app/main.py",
)  # fmt: skip
_ASGI: Final = ("FastAPI", "Starlette", "Litestar", "Quart")
_WSGI: Final = ("Flask", "Bottle", "Falcon")
_MADE: Final = r"(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(?:{names})\("
_FACTORY: Final = re.compile(r"(?m)^def (create_app|make_app)\(")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCRIPT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def find_start(folder: Path) -> tuple[Command, str] | None:
    """The start command and the server package to install besides (empty when the project lists it); or None."""
    dependencies = find_dependencies(folder)
    line, server = _django_line(folder) or _app_line(folder) or ("", "")
    if line:
        return shell_command(line), "" if server in dependencies else server
    if files := existing(folder, *MAIN_FILES):
        return ("python", files[0]), ""
    scripts = list(table(read_toml(folder, "pyproject.toml"), "project", "scripts"))
    if len(scripts) == 1 and _SCRIPT.fullmatch(scripts[0]):
        return (scripts[0],), ""
    return None


def find_dependencies(folder: Path) -> set[str]:
    """Normalised names (PEP 503) of the packages the project says it needs."""
    project = read_toml(folder, "pyproject.toml")
    listed: object = table(project, "project").get("dependencies")
    names: list[Any] = [
        *read_manifest(folder, "requirements.txt").splitlines(),
        *(cast("Iterable[object]", listed) if isinstance(listed, list) else ()),
        *table(project, "tool", "poetry", "dependencies"),
        *table(read_toml(folder, "Pipfile"), "packages"),
    ]
    found = [_NAME.match(str(name).strip()) for name in names]
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def _django_line(folder: Path) -> tuple[str, str] | None:
    if not existing(folder, "manage.py"):
        return None
    settings = re.search(
        r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)\.settings", read_manifest(folder, "manage.py")
    )
    packages = sorted(path.parent.name for path in folder.glob("*/wsgi.py") if path.parent.name.isidentifier())
    package = next((name for name in packages if settings and settings[1] == name), packages[0] if packages else "")
    if not package:
        return "python manage.py runserver 0.0.0.0:$PORT", ""
    return f"gunicorn {package}.wsgi --bind 0.0.0.0:$PORT", "gunicorn"


def _app_line(folder: Path) -> tuple[str, str] | None:
    for name in existing(folder, *_APP_FILES):
        text = read_manifest(folder, name)
        module = name.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
        where = " --app-dir src" if name.startswith("src/") else ""
        if made := re.search(_MADE.format(names="|".join(_ASGI)), text):
            return f"uvicorn {module}:{made[1]}{where} --host 0.0.0.0 --port $PORT", "uvicorn"
        where = " --chdir src" if name.startswith("src/") else ""
        if made := re.search(_MADE.format(names="|".join(_WSGI)), text):
            return f"gunicorn {module}:{made[1]}{where} --bind 0.0.0.0:$PORT", "gunicorn"
        if "Flask(" in text and (factory := _FACTORY.search(text)):
            return f"gunicorn '{module}:{factory[1]}()'{where} --bind 0.0.0.0:$PORT", "gunicorn"
    return None
