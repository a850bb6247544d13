"""Programs that answer a line with a line, asked in turn: a disturbance of the machine reaches all of them."""

import json
import select
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Program:
    """A program asked for one shape alone: memory left behind by a larger shape would count for a smaller one."""

    name: str
    command: list[str]
    windows: int
    tokens: int  # a window's
    releases: bool = False  # knows "release": it holds so much freed memory that not all programs would fit beside it


class NoTime(SystemExit):
    """A program that has not answered by the deadline."""


def ours(name: str, shape: tuple[int, int], *arguments: str) -> Program:
    """One of dualpath_bench's benches, whose source is beside this file."""
    return Program(name, [str(ROOT / "build/dualpath_bench"), *arguments], *shape)


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def start(program: Program) -> subprocess.Popen:
    say(f"starting {program.name}")
    return subprocess.Popen(program.command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(program: Program, running: subprocess.Popen, line: str, deadline: float | None = None) -> dict:
    try:
        running.stdin.write(f"{line}\n")
        running.stdin.flush()
        if deadline is not None and not select.select([running.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise NoTime(f"bench: {program.name}: no time left")
        answer = running.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise SystemExit(f"bench: {program.name} ended with {running.wait()}")
    return json.loads(answer)


def turn(program: Program, running: subprocess.Popen, deadline: float | None = None) -> dict:
    """The answer that counts: the second, when the caches are its own again, or the third, when its memory is back."""
    shape = f"{program.windows} {program.tokens}"
    for _ in range(2 if program.releases else 1):
        ask(program, running, shape, deadline)
    answer = ask(program, running, shape, deadline)
    if program.releases:
        ask(program, running, "release", deadline)
    return answer


def stop(running: list[subprocess.Popen]) -> None:
    for process in running:
        process.kill()
        process.wait()


def measure(what: str, programs: list[Program], rounds: int, deadline: float | None = None) -> dict[str, list[dict]]:
    """Collects answers by program, by a deadline of time.monotonic(). Round 0 starts each program and is not counted."""
    running, answers = [], {program.name: [] for program in programs}
    try:
        for number in range(rounds + 1):
            begin = time.monotonic()
            for index, program in enumerate(programs):
                if number == 0:
                    running.append(start(program))
                answer = turn(program, running[index], deadline)
                if number > 0:
                    answers[program.name].append(answer)
            left = (rounds - number) * (time.monotonic() - begin)
            say(f"{what}: round {number} of {rounds}, {'at most' if number == 0 else 'about'} {left / 60:.1f} min left of it")
    finally:
        stop(running)
    return answers


def median(answers: list[dict], key: str) -> float:
    return statistics.median(answer[key] for answer in answers)
