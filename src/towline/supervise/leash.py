"""Processes that must not outlive the supervisor: the API and the worker."""

import ctypes
import os
import signal
import sys

SUPERVISOR = "TOWLINE_SUPERVISOR"
_PR_SET_PDEATHSIG = 1


def tie_to_supervisor() -> None:
    """Let the kernel end this process with SIGTERM when the supervisor that started it dies (prctl(2)).

    Does nothing in a process that was not started by a supervisor.
    """
    supervisor = os.environ.get(SUPERVISOR)
    if not supervisor:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):
        sys.exit("The supervisor is gone.")
