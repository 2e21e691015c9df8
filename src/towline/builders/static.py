"""Build static sites: a folder with an index.html, served by nginx or busybox."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from towline.builders.buildkit import BuildKit
from towline.builders.generated import GeneratedBuilder, GeneratedFile
from towline.builders.start import Command, command_line, given_command, shell_command
from towline.errors import BuildFailed
from towline.values import BuildSpec

_FOLDERS: Final = (".", "public", "dist", "build", "out", "_site", "site", "www")
_NEVER_PUBLISHED: Final = ("**/.*", "!**/.well-known", "Procfile", ".dockerignore")
_PORT: Final = 8080
_NGINX: Final = (
    "server {{",
    "  listen ${{PORT}};",
    "  root /usr/share/nginx/html;",
    "  absolute_redirect off;",
    "  gzip on;",
    "  gzip_types text/css text/plain text/xml application/javascript application/json image/svg+xml;",
    "  error_page 404 /404.html;",
    r"  location ~ /\.(?!well-known) {{ return 404; }}",
    "  location / {{ try_files $uri $uri.html $uri/ {missing}; }}",
    "}}",
)


@dataclass(frozen=True, slots=True)
class StaticServer:
    """The program that serves the files: nginx (compression, caching, single-page apps) or busybox (2 MB in all)."""

    image: str = "nginx:alpine"
    program: Literal["nginx", "busybox"] = "nginx"

    def lines(
        self, source: str, *, stage: str = "", is_single_page: bool = False, command: Command | None = None
    ) -> list[str]:
        """The last stage of a Dockerfile: serve the folder `source` of the context, or of `stage`.

        A single-page app answers unknown paths with its index.html, other sites with 404.
        """
        copy = f"COPY --from={stage} {source}/" if stage else f"COPY {source}/"
        start = [f"ENV PORT={_PORT}", f"EXPOSE {_PORT}"]
        if self.program == "nginx":
            lines = [
                f"FROM {self.image}",
                _nginx_setup(is_single_page=is_single_page),
                f"{copy} /usr/share/nginx/html/",
                *start,
            ]
            return [*lines, command_line(command)] if command else lines
        serve = command or shell_command("httpd -f -p $PORT -h /site & trap 'kill $!' TERM INT; wait")
        return [f"FROM {self.image}", f"{copy} /site/", *start, command_line(serve)]


class StaticBuilder(GeneratedBuilder):
    """Serves ready-made files."""

    kind: ClassVar[str] = "static"

    def __init__(self, buildkit: BuildKit, *, server: StaticServer = StaticServer()) -> None:
        super().__init__(buildkit)
        self._server = server

    def detect(self, tree: Path) -> bool:
        """Whether the tree, or one of the usual folders in it, has an index.html."""
        return _site_folder(tree) is not None

    def write(self, folder: Path, spec: BuildSpec) -> GeneratedFile:
        """Copy the site's folder into the image of the server."""
        site = _site_folder(folder)
        if site is None:
            raise BuildFailed(
                f"No index.html was found in the source or in {', '.join(_FOLDERS[1:])}.",
                hint="Put the site's files into one of these folders, or use a Dockerfile.",
            )
        lines = self._server.lines(site, command=given_command(folder, spec))
        if site == ".":
            return GeneratedFile(lines, hidden=_NEVER_PUBLISHED)
        return GeneratedFile(lines, copied=(site,))


def _site_folder(tree: Path) -> str | None:
    return next((name for name in _FOLDERS if (tree / name / "index.html").is_file()), None)


def _nginx_setup(*, is_single_page: bool) -> str:
    missing = "/index.html" if is_single_page else "=404"
    quoted = " ".join(f"'{line.format(missing=missing)}'" for line in _NGINX)
    template = "/etc/nginx/templates/default.conf.template"
    return f"RUN mkdir -p /etc/nginx/templates && printf '%s\\n' {quoted} > {template}"
