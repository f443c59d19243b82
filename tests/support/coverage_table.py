"""Print the coverage of each folder of both packages, from the report of `coverage json`.

python -m tests.support.coverage_table build/coverage/data.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    files = json.loads(Path(sys.argv[1]).read_text("utf-8"))["files"]
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, file in files.items():
        parts = Path(name).parts
        top = next(i for i, part in enumerate(parts) if part in ("model_build", "src"))
        folders = [part for part in parts[top:-1] if part != "src"][:2]
        for folder in {folders[0], "/".join(folders), "together"}:
            counts[folder][0] += file["summary"]["num_statements"]
            counts[folder][1] += file["summary"]["covered_lines"]
    print(f"{'folder':30} {'statements':>10} {'missed':>7} {'covered':>8}")
    for folder, (statements, covered) in sorted(counts.items()):
        share = covered / statements if statements else 1
        print(f"{folder:30} {statements:10,} {statements - covered:7,} {share:8.1%}")


if __name__ == "__main__":
    main()
