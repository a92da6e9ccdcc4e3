"""`python -m kolm_cli.demo.pretrain OUT`: make the demo's base again."""

import argparse
import logging
import time
from pathlib import Path

from kolm_cli.demo.pretrain.build import Recipe, build_base

logger = logging.getLogger(__name__)

_EVERY = 25  # steps between two lines of progress


def main() -> None:
    """Read the command line, train, and say on standard error how it goes."""
    usual = Recipe()
    parser = argparse.ArgumentParser(prog="python -m kolm_cli.demo.pretrain", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--tower-steps", type=int, default=usual.tower_steps)
    parser.add_argument("--language-steps", type=int, default=usual.language_steps)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--threads", type=int, default=usual.threads)
    parser.add_argument("--scored-rows", type=int, default=usual.scored_rows)
    options = vars(parser.parse_args())
    out: Path = options.pop("out")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    started = time.monotonic()

    def progress(stage: str, step: int, steps: int, loss: float) -> None:
        if step % _EVERY == 0 or step == steps:
            seconds = time.monotonic() - started
            line = f"{stage}: step {step} of {steps}, loss {loss:.4f}, {seconds:.0f} s"
            logger.info(line)

    figures = build_base(out, Recipe(**options), progress)
    logger.info(
        f"{out}: style A {figures.style_a.accuracy:.3f}, "
        f"blank {figures.style_a_blank.accuracy:.3f}, style B {figures.style_b.accuracy:.3f}"
    )


if __name__ == "__main__":
    main()
