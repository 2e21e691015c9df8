"""`towline up | down | uninstall | doctor`: Towline on this machine."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from towline.cli.options import AsJson
from towline.cli.output import Output
from towline.errors import InvalidInput, Unavailable
from towline.supervise.doctor import Finding, Verdict
from towline.supervise.doctor import doctor as examine
from towline.supervise.down import down as stop_towline
from towline.supervise.options import UpOptions, layout_of
from towline.supervise.uninstall import find_name
from towline.supervise.uninstall import uninstall as remove_towline
from towline.supervise.up import up as bring_up

_Data = Annotated[
    Path | None,
    # What cannot be read is told of in our own words.
    typer.Option(
        "--data", metavar="DIR", readable=False, help="Data folder; else /var/lib/towline for root, or the user's own."
    ),
]
_MARKS = {Verdict.GOOD: "ok", Verdict.WARNING: "warning", Verdict.BAD: "error"}


def up(
    *,
    data: _Data = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", min=1, max=65_535, help="Port for HTTP; else 80 or 8080.")
    ] = None,
    https_port: Annotated[
        int | None,
        typer.Option("--https-port", metavar="N", min=1, max=65_535, help="Port for HTTPS; else 443 or 8443."),
    ] = None,
    base_domain: Annotated[
        str | None, typer.Option("--base-domain", metavar="DOMAIN", help="Domain of generated hosts; else localhost.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Do not deploy the example project.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once Towline is up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start Towline on this machine, or heal what is not right; on the first start an example is deployed."""
    options = UpOptions(
        data=data,
        port=port,
        https_port=https_port,
        base_domain=base_domain,
        empty=empty,
        detach=detach,
        as_json=as_json,
    )
    raise typer.Exit(bring_up(options))


def down(
    *,
    data: _Data = None,
    also_apps: Annotated[bool, typer.Option("--all", help="Stop the deployed apps too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop Towline on this machine; Docker and the deployed apps go on."""
    code = stop_towline(data, also_apps=also_apps)
    if as_json:
        Output(is_json=True).document({"stopped": code == 0, "apps": also_apps})
    raise typer.Exit(code)


def uninstall(
    *,
    data: _Data = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="HOST", help="Do not ask: the host of its dashboard, to show that you mean it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove Towline, all apps and all data from this machine for good; Docker and this program stay."""
    layout = layout_of(data)
    wanted = find_name(layout)
    if name is None:
        question = f"This removes all apps, their volumes and {layout.root} for good."
        if not sys.stdin.isatty():
            raise InvalidInput(f"{question} This needs an answer.", hint=f"Pass --name {wanted}.", field="name")
        name = str(typer.prompt(f"{question}\nType {wanted} to remove them", err=True))
    remove_towline(layout, name=name)
    if as_json:
        Output(is_json=True).document({"removed": True, "data": str(layout.root)})


def doctor(*, data: _Data = None, as_json: AsJson = False) -> None:
    """Check Docker, BuildKit, ports, disk, memory and DNS, and say what to do."""
    findings = examine(data)
    output = Output(is_json=as_json)
    if as_json:
        output.document({"items": [asdict(finding) for finding in findings]})
    width = max(len(finding.subject) for finding in findings) + 2
    for finding in findings:
        _tell(finding, width=width, output=output)
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise typer.Exit(Unavailable.exit_code)


def _tell(finding: Finding, *, width: int, output: Output) -> None:
    mark = _MARKS[finding.verdict]
    output.say(f"{output.coloured(mark)}{' ' * (9 - len(mark))}{finding.subject:<{width}}{finding.message}")
    if finding.hint:
        output.say(f"{'':<{9 + width}}Try: {finding.hint}")
