"""Prints the values that TensorBoard reads in the event files below a directory, as one JSON object.

  read_events.py DIR
run (a folder's path in DIR) -> tag -> [[step, value], ...] in TensorBoard's order.
"""

import argparse
import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator


def curves(folder: Path) -> dict[str, list[list[float]]]:
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
    events.Reload()
    return {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in events.Tags()[SCALARS]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    folders = sorted({file.parent for file in directory.rglob("events.out.tfevents.*")})
    print(json.dumps({str(folder.relative_to(directory)): curves(folder) for folder in folders}))


if __name__ == "__main__":
    main()
