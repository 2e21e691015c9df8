"""Following a deployment to its end: its lines, its result, and the exit code that says it."""

from collections.abc import Callable

from towline.cli.output import Output
from towline.cli.spinner import Spinner
from towline.client import TowlineClient
from towline.client.problems import error_class
from towline.contract.deployments import Deployment
from towline.contract.logs import LogEntry
from towline.errors import Cancelled, TowlineError
from towline.values import DeploymentStatus


def follow_deployment(client: TowlineClient, deployment: Deployment, *, output: Output) -> Deployment:
    """Show a deployment until it is final; raises the error it failed with.

    With --json nothing is shown but the final deployment.
    """
    try:
        with Spinner(is_shown=not output.is_json) as spinner:
            lines = _Lines(spinner)
            ended = client.wait_for_deployment(
                deployment.id, on_log=None if output.is_json else lines.take, on_change=_narrator(spinner)
            )
            lines.close(ended)
    except KeyboardInterrupt:
        output.say(f"\nDeployment {deployment.number} goes on; `towline cancel {deployment.id}` stops it.")
        raise
    show_result(ended, output=output)
    error = find_error(ended)
    if error is not None:
        raise error
    return ended


def show_result(deployment: Deployment, *, output: Output) -> None:
    """How a deployment ended: each step's time, and the address last."""
    place = f"{deployment.project}/{deployment.service}"
    facts = f"deployment {deployment.number} of {place} to {deployment.environment}"
    if output.is_json:
        output.model(deployment, {})
        return
    output.say()
    for step in deployment.steps:
        seconds = "-" if step.seconds is None else f"{step.seconds:.2f} s"
        output.say(f"  {step.step:<16}{seconds:>9}  {output.faint(step.note)}".rstrip())
    output.say(f"{output.coloured(deployment.status)}: {facts}{_release_text(deployment)}{_total_text(deployment)}")
    if deployment.status is DeploymentStatus.SUCCESS:
        for url in deployment.urls:
            output.say(output.strong(url))


def find_error(deployment: Deployment) -> TowlineError | None:
    """The error a final deployment ended with; None after success."""
    if deployment.status is DeploymentStatus.SUCCESS:
        return None
    if deployment.error is not None:
        return error_class(deployment.error.code)(deployment.error.message, hint=deployment.error.hint or None)
    name = f"Deployment {deployment.number} of {deployment.project}/{deployment.service}"
    if deployment.status is DeploymentStatus.FAILED:
        return TowlineError(f"{name} failed.")
    hint = "A newer request replaced it." if deployment.status is DeploymentStatus.SUPERSEDED else None
    return Cancelled(f"{name} was {deployment.status}.", hint=hint)


def log_text(entry: LogEntry, *, has_times: bool = False) -> str:
    """A log line as it is printed."""
    return f"{entry.at.isoformat(timespec='milliseconds')} {entry.message}" if has_times else entry.message


class _Lines:
    """Shows a log as it comes, but for the reason at its end: the command's own error says that."""

    def __init__(self, spinner: Spinner) -> None:
        self._spinner = spinner
        self._reason: list[LogEntry] = []

    def take(self, entry: LogEntry) -> None:
        """Show a line, or keep it back while it may be a part of the reason: an error of Towline's, then a hint."""
        is_system = entry.stream == "system"
        if is_system and entry.level == "error":
            self._show()
        if is_system and (entry.level == "error" or len(self._reason) == 1):
            self._reason.append(entry)
            return
        self._show()
        self._spinner.write(log_text(entry))

    def close(self, deployment: Deployment) -> None:
        """Show what was kept back, unless it is the error that the deployment ended with."""
        if deployment.error is None or not self._reason or self._reason[0].message != deployment.error.message:
            self._show()

    def _show(self) -> None:
        for entry in self._reason:
            self._spinner.write(log_text(entry))
        self._reason.clear()


def _narrator(spinner: Spinner) -> Callable[[Deployment], None]:
    def tell(deployment: Deployment) -> None:
        reason = f" ({deployment.queue_reason})" if deployment.queue_reason else ""
        again = f", attempt {deployment.attempt}" if deployment.attempt > 1 else ""
        spinner.say(f"{deployment.status}: {deployment.step}{again}{reason}")

    return tell


def _release_text(deployment: Deployment) -> str:
    return f", release {deployment.release}" if deployment.release else ""


def _total_text(deployment: Deployment) -> str:
    if deployment.finished_at is None:
        return ""
    return f", {(deployment.finished_at - deployment.created_at).total_seconds():.2f} s in all"
