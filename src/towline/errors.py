"""Every error Towline raises on purpose: what happened, the next thing to try, and how each door shows it."""

import re
from typing import ClassVar


class TowlineError(Exception):
    """Base of all expected errors; the message is one sentence naming what is involved.

    `status` is the HTTP status, `exit_code` the CLI's, `hint` the next thing to try,
    `retryable` whether the same call may succeed later, `field` the input at fault, if one.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    hint: str = "Look at the log of the Towline worker, then try again."

    def __init__(self, message: str, *, hint: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if hint is not None:
            self.hint = hint

    @property
    def code(self) -> str:
        """The class name in kebab case, stable across releases: `BuildFailed` -> `build-failed`."""
        return code_of(type(self))


def code_of(kind: type[TowlineError]) -> str:
    """The stable code of an error class."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


class InvalidInput(TowlineError):
    """A value that cannot be accepted; `field` names it."""

    status = 422
    exit_code = 2
    hint = "Correct the named field and send the request again."


class NotFound(TowlineError):
    """Nothing by that name that the caller may see."""

    status = 404
    exit_code = 4
    hint = "Check the name, or ask a project owner for access."


class Unauthenticated(TowlineError):
    """No valid credential came with the call."""

    status = 401
    exit_code = 3
    hint = "Send an API key as `Authorization: Bearer twl_…`, or run `towline login`."


class Forbidden(TowlineError):
    """The caller may see the object but not do this to it."""

    status = 403
    exit_code = 3
    hint = "Ask a project owner or admin for a role that includes this permission."


class SignInRefused(Forbidden):
    """An identity provider's word is not enough to sign someone in."""

    hint = "Begin at the sign-in page again."


class ProofNeeded(Forbidden):
    """The caller may do this, but has to prove again who they are: a session that was stolen must not be able to."""

    hint = "Confirm your password, or sign in again."


class AddressNotAllowed(Forbidden):
    """An API key that was used from outside its networks; whose key it is."""

    hint = "Call from one of the networks the key is for, or make a key for this one."
    user_id: str = ""
    key_id: str = ""


class Conflict(TowlineError):
    """The wanted change contradicts what is there."""

    status = 409
    exit_code = 5
    hint = "Read the current state, then decide again."


class NotAllowed(TowlineError):
    """The address exists, but not for this HTTP method."""

    status = 405
    exit_code = 2
    hint = "Look the operation up in the API reference."


class TooLarge(TowlineError):
    """More bytes than a limit allows."""

    status = 413
    exit_code = 2
    hint = "Leave out what the build does not need (.dockerignore), or raise the limit in the settings."


class TooManyTries(TowlineError):
    """More tries than a limit allows; in `seconds` it may be tried again."""

    status = 429
    exit_code = 6
    retryable = True
    hint = "Wait a few minutes, then try again."
    seconds: int = 60


class Unavailable(TowlineError):
    """A part Towline needs does not answer."""

    status = 503
    exit_code = 6
    retryable = True
    hint = "Run `towline doctor`; it says which part is down and what to do."


class ProviderUnavailable(Unavailable):
    """An identity provider does not answer, or not as it should."""

    status = 502
    hint = "Try again, or sign in another way; an administrator can see more with `towline providers test NAME`."


class NotInstalled(Unavailable):
    """A program that Towline needs is not on this machine."""

    retryable = False
    hint = "Install it, then try again; `towline doctor` looks for everything that is needed."


class SourceUnavailable(TowlineError):
    """The code could not be fetched: no such repository, no access, no answer."""

    status = 502
    exit_code = 7
    retryable = True
    hint = "Check the address, the branch and the credentials of the source."


class HostUnavailable(Unavailable):
    """A git platform's API does not answer, or cannot now."""

    status = 502
    exit_code = 7
    hint = "Try again; check that this machine can reach the platform's API."


class HostRefused(TowlineError):
    """A git platform's API does not do what it was asked for; asking again would not help."""

    status = 502
    exit_code = 7
    hint = "Check that the connection's token is valid and has the rights that the guide names (push to deploy)."


class BundleRejected(TowlineError):
    """An archive or tree that Towline refuses to unpack."""

    status = 422
    exit_code = 2
    hint = "Pack the folder again with relative paths and without devices or links that leave it."


class BuildFailed(TowlineError):
    """The build ended without an image."""

    status = 422
    exit_code = 8
    hint = "Read the last lines of the build log; the same command can be run with `docker build`."


class OutOfMemory(TowlineError):
    """A build step or an instance was killed for the memory it used."""

    status = 422
    exit_code = 8
    hint = "Raise the memory limit of the build or service, or make it need less."


class DiskFull(Unavailable):
    """No room on the disk for what had to be written."""

    status = 507
    exit_code = 6
    retryable = True
    hint = "Free disk space (`towline doctor` shows what takes it), then deploy again."


class ImageNotFound(TowlineError):
    """An image that neither this machine nor its registry has."""

    status = 422
    exit_code = 7
    hint = "Check the image's name and tag, and the registry's credentials."


class Unhealthy(TowlineError):
    """New instances did not become healthy in time; nothing was switched."""

    status = 422
    exit_code = 9
    hint = "Read the last output below; fix the app, its port or its health check, then deploy again."


class WrongPort(Unhealthy):
    """The app listens, but not on the configured port."""

    hint = "Set the service's port to the one the app listens on, or make the app read PORT."


class InstanceExited(Unhealthy):
    """The app ended by itself before it became healthy."""

    hint = "Read the last output; a missing variable or a wrong start command is the usual cause."


class OrchestratorUnavailable(Unavailable):
    """Docker does not answer or refused an operation."""

    hint = "Check that the Docker daemon runs (`docker info`), then deploy again."


class EngineRefused(OrchestratorUnavailable):
    """Docker answers, but could not do what it was asked; asking again would not help."""

    retryable = False
    hint = "Read what Docker says; its own log (`journalctl -u docker`) says more."


class RouterUnavailable(Unavailable):
    """Traefik does not answer or did not take over the routes in time."""

    hint = "Check that Traefik runs (`towline doctor`); routes are kept as they were."


class TimedOut(TowlineError):
    """A step used up its time."""

    status = 504
    exit_code = 10
    retryable = True
    hint = "Raise the time limit in the settings, or find what the step was waiting for in the log."


class Cancelled(TowlineError):
    """Someone asked for the deployment to stop."""

    status = 409
    exit_code = 11
    hint = "Deploy again when you are ready."


class FenceLost(TowlineError):
    """Another worker has taken this deployment over; this one must stop writing."""

    status = 409
    exit_code = 11
    hint = "Nothing to do: the other worker carries on."


class DependencyFailed(TowlineError):
    """A service that this one needs could not be brought up, so this one was not started."""

    status = 409
    exit_code = 9
    hint = "Correct the service that is named, then deploy again."


class DependencyCycle(InvalidInput):
    """Services that would need each other in a circle."""

    hint = "Leave out one of the dependencies in the circle."


class GroupFailed(TowlineError):
    """A deployment that was given up because another one of its group failed; nothing was switched."""

    status = 409
    exit_code = 9
    hint = "Correct the service that is named, then deploy the group again."


class CommandFailed(TowlineError):
    """A command that was run inside an instance ended with an error."""

    status = 422
    exit_code = 9
    hint = "Read what it printed; run the same command with `docker exec` to look closer."


class MailNotSent(TowlineError):
    """The mail server could not be reached, or did not take a mail now."""

    status = 502
    exit_code = 7
    retryable = True
    hint = "Check TOWLINE_SMTP_URL and the mail server; `towline users test-mail` says what it answers."


class MailRefused(MailNotSent):
    """The mail server took neither this mail nor the sign-in, and will not the next time."""

    retryable = False
    hint = "Check the address, TOWLINE_MAIL_FROM, and user and password in TOWLINE_SMTP_URL."


class WrongOffset(Conflict):
    """The bytes sent do not begin where the upload ends, at `offset`."""

    hint = "Ask how far the upload is, and send the bytes from there on."
    offset: int = 0


class KeyMismatch(Unavailable):
    """A sealed value that no key of the key file opens."""

    hint = "Put the key file that belongs to this database back (keys/secrets.key in the data folder)."


class RepeatedlyInterrupted(TowlineError):
    """The worker died, or lost what it needs, several times while it ran this deployment."""

    hint = "Look at the worker's log for what ended it; then deploy again."


class UnexpectedError(TowlineError):
    """A defect of Towline's own."""

    hint = "Look at the worker's log and report it; deploying again is safe."

    @classmethod
    def of(cls, error: Exception) -> "UnexpectedError":
        """What people are told of an exception that nobody expected; the log has the rest."""
        return cls(f"Towline itself failed: {type(error).__name__}.")


class MessageNotSent(TowlineError):
    """A service that notifications go to could not be reached, or did not take a message now."""

    status = 502
    exit_code = 7
    retryable = True
    hint = "Check the channel's address, and that this machine can reach it."


class MessageRefused(MessageNotSent):
    """A service took a message neither now, nor would it the next time."""

    retryable = False
    hint = "Give the channel another address."
