"""The Ray cluster that a scan or an audit works on: ``RAY_ADDRESS`` names it, else Ray starts one on this machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..core.errors import ConfigurationError, MissingExtraError, did_you_mean

ENGINES = ("local", "ray")


def check_engine(engine: str) -> None:
    """Raise ConfigurationError for an engine that there is not."""
    if engine not in ENGINES:
        raise ConfigurationError(f"unknown engine '{engine}'.{did_you_mean(engine, ENGINES)}")


def imported_ray(*parts: str) -> Any:
    """Return the module ``ray``, with some of its sub-modules imported.

    Raises
    ------
    MissingExtraError
        Where Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # it would print those of tasks that nobody waits for
    try:
        ray, *_ = [import_module(name) for name in ("ray", *parts)]
    except ImportError:
        raise MissingExtraError("Ray", "pip install 'guardrails-audit[ray]'") from None
    return ray


CLIENT, CLIENT_PORT = "ray://", 10001
TOKEN = "RAY_AUTH_MODE"


def _check_answers(address: str) -> None:
    """Raise ConfigurationError where nothing answers at an address: Ray itself would go on trying for minutes."""
    place = address.removeprefix(CLIENT)
    if place != address and ":" not in place:
        place = f"{place}:{CLIENT_PORT}"
    host, colon, port = place.rpartition(":")
    if not colon or "/" in host or not port.isdecimal():  # "auto", "local", "anyscale://…"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigurationError(f"no Ray cluster answers at RAY_ADDRESS '{address}': {error}") from None


def through_client(ray: Any) -> bool:
    """Return whether the cluster is reached through Ray's client, or will be."""
    if ray.is_initialized():
        return bool(ray.util.client.ray.is_connected())
    return os.environ.get("RAY_ADDRESS", "").startswith(CLIENT)


def connect(ray: Any) -> list[float]:
    """Connect where that is not done yet, and return the logical CPUs of each node.

    Raises
    ------
    ConfigurationError
        Where ``RAY_ADDRESS`` names no cluster that can be reached.
    MissingExtraError
        Where it begins with ``ray://``, and Ray's client is not installed.
    """
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        if address.startswith(CLIENT) and find_spec("grpc") is None:
            raise MissingExtraError("Ray's client", "pip install 'ray[client]'")
        _check_answers(address)
        token = (
            "" if TOKEN in os.environ else f". A cluster that asks for a token needs {TOKEN}=token and its token here"
        )
        try:
            with _handler_of_sigterm():
                ray.init(log_to_driver=False, include_dashboard=False, logging_level="WARNING")
        except (ConnectionError, ImportError, RuntimeError, TimeoutError, ValueError) as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            what = lines[-1] if lines[0].endswith(":") else lines[0]  # a traceback of the server may follow
            where = f"at RAY_ADDRESS '{address}'" if address else "on this machine (RAY_ADDRESS is not set)"
            raise ConfigurationError(f"no Ray cluster can be reached {where}: {what}{token}") from None
    return [float(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]


@contextmanager
def _handler_of_sigterm() -> Iterator[None]:
    """Put back a handler of ours: Ray's calls ``sys.exit``, and the run would end without how to resume it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
