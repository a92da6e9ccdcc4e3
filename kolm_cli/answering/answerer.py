"""Answering: the model is shown a prompt, and says what it says, greedily."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from kolm_cli.core.errors import Problem
from kolm_cli.core.progress import Progress
from kolm_cli.encoding.collate import to_device
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.grounding import in_originals
from kolm_cli.encoding.refusals import naming
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.records.row import Row
from kolm_cli.scoring.latency import ANSWERS, WARM_UP


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        text: the answer; None where it said nothing.
        cut: it ended at the limit on its tokens, and not of itself.
    """

    text: str | None
    cut: bool = False

    @property
    def finish(self) -> str:
        """Why it ended, in the words of the chat APIs: `stop`, or `length` at the limit."""
        return "length" if self.cut else "stop"


class Answerer:
    """Answers rows with one model, always in the same way.

    Args:
        model: the base, or the base with an adapter; moved to `device`.
        encoder: encodes prompts with the processor of the base, or the one that the bundle carries.
        device: `cpu` or `cuda`.
        bf16: run under bf16 autocast, as training did.
        max_new_tokens: where an answer without an end is cut.
        boxes: the model was taught boxes, so that those in its answers to questions without an
            accepted answer are given in pixels of the original pictures.

    Attributes:
        device: where the model is.
        generation: greedy decoding, and where an answer ends.
    """

    def __init__(
        self,
        model: nn.Module,
        encoder: Encoder,
        *,
        device: str,
        bf16: bool,
        max_new_tokens: int,
        boxes: bool = False,
    ) -> None:
        self._boxes = boxes
        self.model = model.to(device).eval()
        self.encoder = encoder
        self.device, self._bf16 = torch.device(device), bf16
        self.generation = self._greedy(max_new_tokens)

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        """Greedy decoding, whatever sampling and penalties the base's own file asks for."""
        tokenizer = self.encoder.tokenizer
        own = getattr(self.model, "generation_config", None)
        ends = {tokenizer.convert_tokens_to_ids(self.encoder.end_of_turn)}
        declared = getattr(own, "eos_token_id", None)
        ends |= set(declared) if isinstance(declared, list) else {declared}
        self._ends: list[int] = sorted(end for end in ends if end is not None)
        pad = tokenizer.pad_token_id
        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=pad if pad is not None else tokenizer.eos_token_id,
            use_cache=True,
        )
        base: Any = self.model
        for holder in (base, getattr(base, "base_model", None), self._inner()):
            # `generate` fills what a configuration leaves open from the model's own.
            if holder is not None and hasattr(holder, "generation_config"):
                holder.generation_config = config
        return config

    def _inner(self) -> Any:
        get_base_model = getattr(self.model, "get_base_model", None)
        return get_base_model() if get_base_model else None

    def precision(self) -> AbstractContextManager[Any]:
        """The type that it computes in, as a context."""
        if not self._bf16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def encode(self, row: Row) -> Encoded:
        """A row's prompt as the model sees it."""
        return self.encoder.prompt(row)

    def problems(self, rows: Sequence[Row], progress: Progress) -> list[Problem]:
        """Everything that keeps one of these rows from being asked; cuts are noted."""
        progress.stage("check rows", len(rows), "rows")
        return check_rows(self.encoder, rows, progress=progress, prompts_only=True).problems

    @torch.no_grad()
    def answer(self, prompts: Sequence[Encoded]) -> list[Answer]:
        """One answer a prompt.

        Where boxes are asked for, those of the answer are in pixels of the original pictures.
        """
        batch = self.encoder.batch(prompts, side="left")
        with self.precision(), naming([prompt.row for prompt in prompts if prompt.row]):
            generate: Callable[..., torch.Tensor] = self.model.generate  # type: ignore[assignment]
            ids = generate(**to_device(batch, self.device), generation_config=self.generation)
        new = ids[:, batch["input_ids"].shape[1] :]
        ends = set(self._ends)
        return [
            Answer(self._placed(self.encoder.decode(said).strip(), prompt), not ends & set(said))
            for said, prompt in zip(new.tolist(), prompts, strict=True)
        ]

    def _placed(self, text: str, prompt: Encoded) -> str | None:
        """An answer whose boxes and points, if any are asked for, are those of the originals."""
        located = prompt.located
        if not (located.images or (self._boxes and not located.answered)):
            return text or None
        return in_originals(self.encoder.family, text, located) or None

    @torch.no_grad()
    def logits(self, prompt: Encoded, *, last: int = 0) -> torch.Tensor:
        """Next-token logits of a prompt: [positions, vocabulary].

        Args:
            prompt: an encoded row without its answer.
            last: how many positions at the prompt's end; 0 for all. Those of 2,000 tokens over
                150,000 words take 1.2 GB.
        """
        batch = self.encoder.batch([prompt], side="left")
        with self.precision():
            outputs = self.model(**to_device(batch, self.device), logits_to_keep=last)
        logits: torch.Tensor = outputs.logits[0]
        return logits

    def answer_all(
        self,
        rows: Sequence[Row],
        *,
        batch_size: int,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Answers to all rows, in their order; ends early, with fewer, when told to stop."""
        answers: list[Answer] = []
        for start in range(0, len(rows), batch_size):
            if should_stop():
                break
            batch = rows[start : start + batch_size]
            answers += self.answer([self.encode(row) for row in batch])
            progress.advance(len(answers))
        return answers

    def latencies_us(self, rows: Sequence[Row], progress: Progress) -> list[int]:
        """Microseconds from a row to its answer, one at a time and warm.

        Args:
            rows: what is asked: rows from all over them, several times where there are few.
            progress: told how many answers were measured.
        """
        asked = [rows[i * len(rows) // ANSWERS % len(rows)] for i in range(ANSWERS)]
        for row in asked[:WARM_UP]:
            self.answer([self.encode(row)])
        times = []
        for row in asked:
            began = time.perf_counter()
            self.answer([self.encode(row)])
            times.append(round((time.perf_counter() - began) * 1_000_000))
            progress.advance(len(times))
        return times
