"""Stage 2: teach the merger and the language tower to answer, on charts of style A alone.

The tower is frozen. Two losses: cross-entropy on the answers, and an alignment loss that asks the
merger to write a labeled cell as something near the embeddings of its label and of its digit.
Without the second, answering starts far later.

Embeddings of tokens that style A never uses stay as they were drawn. Embeddings and output layer
are tied, so every answer would push all unused tokens the same way; after 900 steps the words
"longest" and "smallest" were nearly one vector (cosine 0.86), and an adapter took them for one.
"""

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
)

from kolm_cli.demo import charts, glyphs, questions
from kolm_cli.demo.pretrain import vision
from kolm_cli.demo.pretrain.packing import Packed, Packer
from kolm_cli.demo.pretrain.schedule import Optimiser, Progress
from kolm_cli.demo.pretrain.tower import NOTHING, cell_targets, sample_any

IMAGES = 16
ALIGNED_IMAGES = 16
PEAK = 2e-3

_WEIGHTS = [1.0] * 7 + [0.5]  # the whole chart written out has many tokens
_ALIGNMENT = 0.5


def train_language(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    *,
    steps: int,
    seed: int,
    progress: Progress,
) -> None:
    """Train the merger and the language tower in place.

    The merger is aligned on charts of every look, as the tower was trained; questions are asked
    on charts of style A only, so nothing else ever reaches the language tower.
    """
    visual = model.model.visual
    rng = charts.random_source(seed)
    torch.manual_seed(seed)
    packer = Packer(processor)
    symbols = _Symbols(processor.tokenizer)
    embeddings = model.get_input_embeddings().weight
    used = _used_tokens(packer, len(embeddings))
    keep_unused = embeddings.register_hook(lambda gradient: gradient * used[:, None])
    trained = [*visual.merger.parameters(), *model.model.language_model.parameters()]
    optimiser = Optimiser(trained, peak=PEAK, steps=steps)
    for step in range(1, steps + 1):
        asked = [charts.sample_chart(rng, charts.STYLE_A) for _ in range(IMAGES)]
        seen = asked + sample_any(rng, ALIGNED_IMAGES)
        with torch.no_grad():
            encoded = vision.encode(visual, vision.pixels(processor, [*map(charts.draw, seen)]))
        merged = vision.merge(visual, encoded)
        packed = packer.pack([questions.style_a(chart, rng) for chart in asked], _WEIGHTS)
        loss = answer_loss(model, packed, merged[:IMAGES])
        loss = loss + _ALIGNMENT * symbols.loss(merged, embeddings, seen)
        optimiser.step(loss)
        progress("language", step, steps, loss.item())
    keep_unused.remove()


def answer_loss(
    model: Qwen2_5_VLForConditionalGeneration, packed: Packed, merged: Tensor
) -> Tensor:
    """Weighted mean cross-entropy of the answers, for image tokens [rows, CELLS, width]."""
    embedded = model.get_input_embeddings()(packed.ids)
    start, end = packed.image_start, packed.image_start + vision.CELLS
    embedded = torch.cat([embedded[:, :start], merged, embedded[:, end:]], dim=1)
    hidden = model.model.language_model(
        inputs_embeds=embedded,
        position_ids=packed.positions,
        attention_mask={"full_attention": packed.mask},
        use_cache=False,
    ).last_hidden_state
    weights = packed.weights[:, 1:]
    wanted = weights > 0
    logits = model.lm_head(hidden[:, :-1][wanted])  # [answer tokens, vocabulary]
    each = functional.cross_entropy(logits, packed.ids[:, 1:][wanted], reduction="none")
    return (each * weights[wanted]).sum() / weights.sum()


def _used_tokens(packer: Packer, vocabulary: int) -> Tensor:
    """1.0 for each token that a row of style A can hold, else 0.0; [vocabulary]."""
    rng = charts.random_source("every symbol")
    sampled = [charts.sample_chart(rng, charts.STYLE_A) for _ in range(500)]
    packed = packer.pack([questions.style_a(chart, rng) for chart in sampled], _WEIGHTS)
    used = torch.zeros(vocabulary)
    used[packed.ids.flatten()] = 1.0
    return used


class _Symbols:
    """The tokens of labels and digits, and the loss that ties cells to them."""

    def __init__(self, tokenizer: Qwen2Tokenizer) -> None:
        digits = [str(value) for value in range(1, charts.MAX_VALUE + 1)]
        self._labels = torch.tensor(tokenizer.convert_tokens_to_ids([*glyphs.LETTERS]))
        self._digits = torch.tensor(tokenizer.convert_tokens_to_ids(digits))

    def loss(self, merged: Tensor, embeddings: Tensor, batch: list[charts.Chart]) -> Tensor:
        """Cross-entropy of labeled cells against the embeddings of all labels and all digits."""
        labels, values = cell_targets(batch)
        filled = labels != NOTHING
        cells = merged[filled]
        return functional.cross_entropy(
            cells @ embeddings[self._labels].T, labels[filled]
        ) + functional.cross_entropy(cells @ embeddings[self._digits].T, values[filled])
