"""Execution providers: the parts of onnxruntime that run a model on one kind of chip each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import BundleError
from ..system.standard_error import with_standard_error

CPU = "CPUExecutionProvider"
_NEXT_OPTION = re.compile(r",(?=\w+=)")  # a value may hold commas: device_type=AUTO:GPU,CPU
_EXPECTED = "expected NAME or NAME:key=value,key=value"
_LOGGED_ERROR = re.compile(r"\[E:onnxruntime:.*\] (?:: \d+ : \w+ : )?(.*)")


def checked_providers(providers: Iterable[str]) -> list[str]:
    """The providers in order, each as `name` or `name:key=value,key=value`, with a short name.

    A short name has no capitals and no `ExecutionProvider` at its end. The CPU, which always comes
    last, is left out. Raises TypeError and ValueError for anything but a list of such texts.
    """
    if isinstance(providers, str | bytes) or not isinstance(providers, Iterable):
        raise TypeError(f"providers is {providers!r}, expected a list of names")
    found: dict[str, str] = {}
    for text in providers:
        name, options = _parsed(text)
        if "cpu" in found:
            raise ValueError(f"provider {text!r}: comes after the CPU, which leaves nothing to it")
        if name in found:
            raise ValueError(f"provider {text!r}: {name} is there twice")
        if name == "cpu" and options:
            raise ValueError(f"provider {text!r}: the CPU takes no options")
        found[name] = name + ":" * bool(options) + ",".join(map("=".join, options.items()))
    found.pop("cpu", None)
    return list(found.values())


def _short(provider: str) -> str:
    """`openvino` for OpenVINOExecutionProvider."""
    return provider.lower().removesuffix("executionprovider")


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """The short name of a provider, and its options."""
    if not isinstance(text, str):
        raise TypeError(f"provider {text!r}: {_EXPECTED}")
    name, colon, rest = text.partition(":")
    options = [option.partition("=") for option in _NEXT_OPTION.split(rest)] if colon else []
    keys = [key for key, _, _ in options]
    if not name or len(set(keys)) < len(keys) or not all(key and sign for key, sign, _ in options):
        raise ValueError(f"provider {text!r}: {_EXPECTED}")
    return _short(name), {key: value for key, _, value in options}


def start_session(
    onnxruntime: Any, model: bytes, options: Any, providers: Sequence[str], path: Path
) -> Any:
    """A session that runs on these providers, or BundleError.

    onnxruntime: the module, whose own errors are raised too. options: its SessionOptions.
    providers: as `checked_providers` returns them, at least one. path: of the model, for messages.
    """
    chosen = _available(onnxruntime, providers)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")

    def start() -> Any:
        # With its fallback on, Python's onnxruntime prints an error and takes the CPU.
        return onnxruntime.InferenceSession(model, options, providers=chosen, enable_fallback=0)

    session, log = with_standard_error(start)
    check_started(session, chosen, log, path)
    if log:
        os.write(2, log.encode())
    return session


def _available(onnxruntime: Any, providers: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """The providers as onnxruntime's InferenceSession takes them, with the CPU as the last."""
    there = onnxruntime.get_available_providers()
    by_name = {_short(name): name for name in there}
    chosen = []
    for name, options in map(_parsed, providers):
        if name not in by_name:
            raise BundleError(
                f"onnxruntime {onnxruntime.__version__} has no provider {name!r}, it has"
                f" {', '.join(there)}; give one of these, or install the onnxruntime package that"
                " has the other"
            )
        chosen.append((by_name[name], options))
    return [*chosen, (CPU, {})]


def check_started(session: Any, providers: Sequence[tuple[str, Any]], log: str, path: Path) -> None:
    """Check that a session runs on its providers: onnxruntime goes on without one that fails, and
    on the CPU alone where they can run no operator of the model.

    providers: those that it was made with. log: what onnxruntime wrote meanwhile, for the reason.
    Raises BundleError.
    """
    got = session.get_providers()
    for name, _ in providers:
        if name not in got:
            errors = _LOGGED_ERROR.findall(log)
            reason = f" ({errors[0].strip()})" if errors else ""
            raise BundleError(
                f"{path}: {name} cannot be started{reason}; without it the model would run on"
                f" {', '.join(got)}"
            )
    if not hasattr(session, "get_provider_graph_assignment_info"):  # before onnxruntime 1.24
        return
    used = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    if used <= {CPU}:
        others = ", ".join(name for name, _ in providers if name != CPU)
        raise BundleError(f"{path}: {others} can run no part of it, all would run on {CPU}")
