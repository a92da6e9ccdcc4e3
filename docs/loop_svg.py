"""Draw `docs/loop.svg`: turns of a real loop over the demo's data, as a terminal shows them.

    python docs/loop_svg.py DEMO [OUT]

DEMO is the folder of a finished `kolm demo` (a copy: its spec and its home are written to). Its
training is found, so that this takes seconds. What the picture says is what the commands said.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from demo_svg import draw

TURN = "kolm loop chart-demo.yaml --once --progress none"
# In the second turn more is asked for than the adapter reaches.
STEPS = (
    (TURN, None),
    (TURN, None),
    (TURN, ("accuracy: 0.90", "accuracy: 0.999")),
    ("kolm loop status chart-demo", None),
)


def main() -> None:
    """Run the commands, and draw what they said."""
    folder = Path(sys.argv[1])
    out = Path(sys.argv[2]) if sys.argv[2:] else Path(__file__).with_name("loop.svg")
    spec = folder / "chart-demo.yaml"
    environment = {**os.environ, "KOLM_HOME": str(folder.absolute() / "home"), "COLUMNS": "112"}
    shown = ""
    for line, change in STEPS:
        if change is not None:
            spec.write_text(spec.read_text().replace(*change))
            shown += f"$ sed -i 's/{change[0]}/{change[1]}/' chart-demo.yaml\n"
        command = [sys.executable, "-m", "kolm_cli.cli.app", *shlex.split(line)[1:]]
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode not in (0, 3):
            raise SystemExit(f"{line} ended with {done.returncode}:\n{done.stdout}")
        shown += f"$ {line}\n{done.stdout}"
    draw(shown, out, "kolm loop")


if __name__ == "__main__":
    main()
