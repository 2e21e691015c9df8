"""Options and arguments that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ProjectOption = Annotated[
    str | None, typer.Option("--project", "-p", metavar="NAME", help="Project; else the folder's linked one.")
]
ServiceOption = Annotated[
    str | None, typer.Option("--service", "-s", metavar="NAME", help="Service; else the folder's linked one.")
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option("--environment", "-e", metavar="NAME", help="Environment; else the linked one or production."),
]
TargetArgument = Annotated[
    str | None, typer.Argument(metavar="[PROJECT/]SERVICE", help="Service; else the folder's linked one.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=200, help="Most rows.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for the end.")]
