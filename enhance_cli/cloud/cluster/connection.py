"""Connecting to a Ray cluster, and keeping Ray's chatter from the terminal.

Who may use a cluster is up to its owner. Ray trusts everybody who reaches its ports, and whoever
connects can run any code. So keep a cluster in a private network or behind SSH, and switch on token
authentication (``RAY_AUTH_MODE=token`` on all machines, and the token in ``RAY_AUTH_TOKEN`` or
``~/.ray/auth_token``), or TLS (``RAY_USE_TLS=1`` and the certificates). All of that is taken from
the environment, as by Ray itself.

Each node needs the same Python, Ray and enhance as the machine that starts the run, and its own way
to the photos: credentials for the store, for example a role of the machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
import warnings
from collections.abc import Callable, Generator
from typing import Any

from enhance_cli.errors import EnhanceError, UsageError

PATIENCE = 10.0
"""Seconds for which a cluster may be silent when it is called."""

HEAD_PATIENCE = 20.0
"""Seconds after which a head node counts as lost; Ray would end this process after 60."""

TRIES = 3
"""How often the server behind ``ray://`` is asked to begin."""

NO_RAY = 'Ray is missing, which --cluster needs; install it by pip install "enhance-cli[cluster]"'

_QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_SCHEDULER_EVENTS": "0",
}
"""What keeps the parts of Ray that are not written in Python from standard error."""


def import_ray() -> Any:
    """The package.

    Raises:
        UsageError: It is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.exceptions
    except ImportError as problem:
        raise UsageError(NO_RAY) from problem
    return ray


class HeadLostError(ConnectionError):
    """The head node does not answer any more, and whatever else is asked of Ray may hang."""


class HeadWatch:
    """Looks whether a cluster's head node is there, without asking Ray.

    Args:
        address: Its host and port; empty if it cannot be reached from here.
        clock: Seconds.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        host, _, port = address.rpartition(":")
        self._place = (host.strip("[]"), int(port)) if port.isdecimal() else None
        self._clock = clock
        self._silent_since: float | None = None

    def answers(self) -> bool:
        """Whether the head node is there at present.

        Raises:
            HeadLostError: It has been silent for too long.
        """
        if self._place is None:
            return True
        try:
            socket.create_connection(self._place, HEAD_PATIENCE / 4).close()
        except OSError as problem:
            now = self._clock()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > HEAD_PATIENCE:
                raise HeadLostError("the head node does not answer") from problem
            return False
        self._silent_since = None
        return True


@contextlib.contextmanager
def connected(address: str) -> Generator[None]:
    """Be connected to a cluster for as long as the context lasts.

    Args:
        address: ``auto`` for the cluster to which this machine belongs, ``HOST:6379`` for that with
            this head node, or ``ray://HOST:10001`` from a machine that does not belong to it.

    Raises:
        UsageError: Ray is not installed.
        EnhanceError: There is no such cluster, it does not let us in, or the connection is lost.
    """
    ray = import_ray()
    _refuse_unreachable(address)
    ray._private.worker._worker_logs_enabled = False  # or it reports on standard output
    logging.getLogger("ray").setLevel(logging.CRITICAL + 1)
    _connect(ray, address)
    is_lost = False
    try:
        yield
    except HeadLostError as problem:
        is_lost = True
        raise EnhanceError(
            f"--cluster {address}: {problem}; start the cluster again, and the same command "
            "continues from there"
        ) from problem
    except (ConnectionError, ray.exceptions.RayError) as problem:
        raise EnhanceError(
            f"--cluster {address}: the connection was lost ({one_line(problem)}); "
            "the same command continues from there"
        ) from problem
    finally:
        if not is_lost:  # it would not come back from there
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    for tries_left in reversed(range(TRIES)):
        try:
            with warnings.catch_warnings(action="ignore"), _no_standard_error():
                ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL + 1)
            return
        except Exception as problem:  # of many kinds, RuntimeError and ConnectionError too
            # Behind ray://, a server forks while gRPC is at work; at times that ends the fork.
            if tries_left and "Starting Ray client server failed" in str(problem):
                continue
            raise EnhanceError(_refusal(address, problem)) from problem


def _refuse_unreachable(address: str) -> None:
    """Ray would try for minutes.

    Raises:
        EnhanceError: Nobody listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as problem:
        raise EnhanceError(_refusal(address, problem)) from problem


@contextlib.contextmanager
def _no_standard_error() -> Generator[None]:
    """Close standard error to the parts of Ray that are not written in Python."""
    before = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


def _refusal(address: str, problem: Exception) -> str:
    said = getattr(problem, "strerror", None) or one_line(problem)
    if "version" in str(problem).lower():
        both = " ".join(str(problem).split()).rstrip(".")
        return f"--cluster {address}: {both}; install the same Python and Ray here as there"
    if address == "auto":
        return (
            "--cluster auto: this machine belongs to no Ray cluster that is up (`ray status` tells)"
            "; start one by `ray start --head`, or give --cluster ray://HOST:10001"
        )
    return (
        f"--cluster {address}: no connection ({said}); check the address, that `ray status` there "
        "shows the cluster, and that this machine may reach it"
    )


def one_line(problem: Exception) -> str:
    """The gist of one of Ray's errors, whose messages have many lines."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    if not lines:
        return type(problem).__name__
    last = lines[-1] if "Traceback" in str(problem) else lines[0]
    return last.rstrip(".")[:300]
