"""The demo's own inputs: a small base model, and charts with known answers.

There is no model hub where the demo runs, so it brings what it needs:

- `charts`, `questions`, `data`: charts drawn with Pillow from a seed, and questions whose
  answers follow from how the chart was drawn (no torch);
- `pretrain`: the script that made the base (the only place here that imports torch);
- `base/`: its result, a folder that `AutoProcessor` and `AutoModelForImageTextToText` load.
"""

from pathlib import Path

BASE = Path(__file__).parent / "base"
"""The folder of the shipped base model; its README.md is the model card."""
