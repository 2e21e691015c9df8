"""The systemd unit that brings Towline back after a reboot."""

from collections.abc import Sequence
from pathlib import Path

from towline.errors import Unavailable
from towline.supervise.spawn import run_to_end

UNIT = "towline.service"
_UNIT_FILE = Path("/etc/systemd/system") / UNIT
_SYSTEMD = Path("/run/systemd/system")


def has_systemd() -> bool:
    """Whether systemd is this machine's init."""
    return _SYSTEMD.exists()


def unit_text(arguments: Sequence[str]) -> str:
    """The unit: only the supervisor is systemd's; PostgreSQL, Valkey and Traefik outlive it and are adopted."""
    return "\n".join(
        [
            "[Unit]",
            "Description=Towline, a self-hosted deployment platform",
            "After=network-online.target docker.service",
            "Wants=network-online.target docker.service",
            "",
            "[Service]",
            f"ExecStart={' '.join(_quoted(argument) for argument in arguments)}",
            "KillMode=process",
            "Restart=always",
            "RestartSec=1",
            "TimeoutStopSec=120",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )


def start_unit(arguments: Sequence[str]) -> None:
    """Install the unit, start it now and at every boot; Unavailable when systemd refuses."""
    text = unit_text(arguments)
    if not _UNIT_FILE.exists() or _UNIT_FILE.read_text() != text:
        _UNIT_FILE.write_text(text)
    _systemctl("daemon-reload")
    _systemctl("enable", UNIT)
    _systemctl("restart", UNIT)


def is_unit_of(text: str, root: Path) -> bool:
    """Whether the unit runs the Towline of this data folder, and not another one of the machine."""
    ending = f" --data {_quoted(str(root))}"
    return any(line.startswith("ExecStart=") and line.endswith(ending) for line in text.splitlines())


def stop_unit(root: Path) -> bool:
    """Stop the data folder's unit, so that systemd does not start the supervisor again; whether there was one."""
    if not has_systemd() or not _UNIT_FILE.exists() or not is_unit_of(_UNIT_FILE.read_text(), root):
        return False
    _systemctl("stop", UNIT)
    return True


def remove_unit() -> None:
    """Take the unit, which `stop_unit` has stopped, away for good."""
    _systemctl("disable", UNIT)
    _UNIT_FILE.unlink(missing_ok=True)
    _systemctl("daemon-reload")


def _systemctl(*words: str) -> None:
    exit_code, output = run_to_end(["systemctl", *words], timeout_seconds=180)
    if exit_code:
        raise Unavailable(
            f"systemctl {' '.join(words)} failed: {output.strip()[-300:]}", hint=f"Run `systemctl status {UNIT}`."
        )


def _quoted(argument: str) -> str:
    # systemd.service(5), "Command lines": % and $ are specifiers and variables, quotes as in C.
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character.isspace() or character in "\"'\\" for character in argument) else escaped
