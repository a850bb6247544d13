"""Commands that must end in time."""

import os
import signal
import subprocess
import time

from rounds import ROOT


class Skipped(Exception):
    """Work that found no time, or lacks something."""


class Failed(Exception):
    """A command that failed, with its last words."""


def left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise Skipped("no time left")
    return seconds


def last_words(text: str) -> str:
    """The first error of CMake or ninja with what follows, or the end."""
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if "CMake Error" in line or "FAILED" in line), max(0, len(lines) - 6))
    return " ".join(" ".join(lines[first : first + 6]).split())


def done(command: list[str], deadline: float) -> subprocess.CompletedProcess:
    """Runs a command in the repository's root; its stdout and stderr are text. Past the deadline its children end, too."""
    name, seconds, pipe = " ".join(command[:3]), left(deadline), subprocess.PIPE
    try:
        process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    except FileNotFoundError:
        raise Skipped(f"{command[0]} is missing") from None
    try:
        out, err = process.communicate(timeout=seconds)
    except BaseException as stop:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(stop, subprocess.TimeoutExpired):
            raise Skipped(f"{name}: no time left") from None
        raise
    if process.returncode != 0:
        raise Failed(f"{name} ended with {process.returncode}: {last_words(out + err)}")
    return subprocess.CompletedProcess(command, 0, out, err)
