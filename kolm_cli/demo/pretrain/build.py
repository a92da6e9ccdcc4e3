"""Make the base from nothing: both stages, the scores, the model card, one folder."""

import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from kolm_cli.demo.data import Style, write_chart_data
from kolm_cli.demo.pretrain import card, language, tower
from kolm_cli.demo.pretrain.model import build_config, build_model, build_processor
from kolm_cli.demo.pretrain.schedule import Progress
from kolm_cli.demo.pretrain.score import score
from kolm_cli.demo.pretrain.tokenizer import build_tokenizer
from kolm_cli.demo.questions import KINDS

_HELD_OUT_SEED = 7  # not a seed that the demo's adapter trains or is scored on


@dataclass(frozen=True)
class Recipe:
    """What decides the base's bytes, beside the machine and the versions of the libraries.

    Attributes:
        tower_steps: of stage 1.
        language_steps: of stage 2.
        seed: of the weights and of every chart.
        threads: torch's; the order of a sum depends on them.
        scored_rows: held-out rows that each figure of the model card is measured on.
    """

    tower_steps: int = 350
    language_steps: int = 900
    seed: int = 0
    threads: int = 2
    scored_rows: int = 280


def build_base(out: Path, recipe: Recipe, progress: Progress) -> card.Figures:
    """Train a base and write it to `out`, which is made if it is missing.

    Sets torch's thread count and deterministic algorithms for the whole process. The weights are
    stored in fp16 and the figures are measured on what was stored.

    Returns:
        The figures on the model card.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    tokenizer = build_tokenizer()
    processor = build_processor(tokenizer)
    model = build_model(build_config(tokenizer), recipe.seed)
    cells = tower.train_tower(
        model, processor, steps=recipe.tower_steps, seed=recipe.seed + 1, progress=progress
    )
    language.train_language(
        model, processor, steps=recipe.language_steps, seed=recipe.seed + 2, progress=progress
    )
    model.half().eval()
    model.save_pretrained(out)
    processor.save_pretrained(out)
    model.float()
    with tempfile.TemporaryDirectory() as scratch:
        styles: tuple[Style, Style] = ("A", "B")
        own, new = (
            write_chart_data(
                Path(scratch) / style,
                style=style,
                rows=recipe.scored_rows,
                seed=_HELD_OUT_SEED,
                questions_per_image=len(KINDS[style]),
            )
            for style in styles
        )
        figures = card.Figures(
            cells=cells,
            style_a=score(model, processor, own, "A"),
            style_a_blank=score(model, processor, own, "A", blank=True),
            style_b=score(model, processor, new, "B"),
        )
    made = card.Made(
        tower_steps=recipe.tower_steps,
        language_steps=recipe.language_steps,
        seed=recipe.seed,
        threads=recipe.threads,
        parameters=sum(p.numel() for p in model.parameters()),
        vision_parameters=sum(p.numel() for p in model.model.visual.parameters()),
        torch=torch.__version__,
        transformers=transformers.__version__,
        machine=platform.machine(),
    )
    (out / "README.md").write_text(card.model_card(made, figures), encoding="utf-8")
    return figures
