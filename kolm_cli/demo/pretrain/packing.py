"""Several questions about one image in one row, the image written once.

A row is one prefix, the turn's start and the image, and then every question with its answer. A
question sees the prefix and itself, and its positions go on from the prefix, so each one is
computed as if it were alone; the image's tokens are computed once.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from transformers import Qwen2_5_VLProcessor

from kolm_cli.demo.charts import SLOTS
from kolm_cli.demo.pretrain import tokenizer as tok
from kolm_cli.demo.pretrain.vision import CELLS
from kolm_cli.demo.questions import Question


@dataclass(frozen=True)
class Packed:
    """A batch of rows, padded to the longest.

    Attributes:
        ids: [rows, time], the image as `CELLS` placeholders from `image_start` on.
        positions: [3, rows, time], Qwen2.5-VL's time, row and column of every token.
        mask: [rows, 1, time, time], True where a token may look.
        weights: [rows, time], what the loss of predicting this token counts; 0 outside answers.
        image_start: where the image's tokens begin, the same in every row.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    weights: Tensor
    image_start: int


class Packer:
    """Turns questions into `Packed` rows with the chat template and tokenizer of a processor."""

    def __init__(self, processor: Qwen2_5_VLProcessor) -> None:
        self._tokenizer = processor.tokenizer
        mark = "\0"  # parts the template's text around the question
        blocks = [{"type": "image"}, {"type": "text", "text": mark}]
        rendered: str = processor.apply_chat_template(
            [{"role": "user", "content": blocks}], add_generation_prompt=True
        )
        before, self._after = rendered.split(mark)
        start = self._tokens(before.split(tok.IMAGE)[0])
        end = self._tokens(before.split(tok.IMAGE)[1])
        image = self._tokenizer.convert_tokens_to_ids(tok.IMAGE)
        self._prefix = [*start, *[image] * CELLS, *end]
        self._image_start = len(start)
        self._prefix_positions = _prefix_positions(len(start), len(end))
        self.encode_question = cache(self._encode_question)

    def pack(self, rows: list[list[Question]], weights: list[float]) -> Packed:
        """Pack the questions of each image; `weights[i]` weighs every row's i-th answer."""
        encoded = [[self.encode_question(question) for question in row] for row in rows]
        prefix = len(self._prefix)
        longest = prefix + max(sum(len(ids) for ids, _ in row) for row in encoded)
        ids = torch.full((len(rows), longest), self._tokenizer.pad_token_id)
        positions = torch.zeros(3, len(rows), longest, dtype=torch.long)
        segments = torch.full((len(rows), longest), -1)  # 0 is the prefix, -1 is padding
        weight = torch.zeros(len(rows), longest)
        ids[:, :prefix] = torch.tensor(self._prefix)
        positions[:, :, :prefix] = self._prefix_positions[:, None]
        segments[:, :prefix] = 0
        first = int(self._prefix_positions.max()) + 1
        for row, questions in enumerate(encoded):
            at = prefix
            for number, (question, answer) in enumerate(questions):
                end = at + len(question)
                ids[row, at:end] = torch.tensor(question)
                positions[:, row, at:end] = torch.arange(first, first + len(question))
                segments[row, at:end] = number + 1
                weight[row, end - answer : end] = weights[number]
                at = end
        same = segments[:, :, None] == segments[:, None, :]
        may_look = (same | (segments == 0)[:, None, :]).tril()
        return Packed(ids, positions, may_look[:, None], weight, self._image_start)

    def _encode_question(self, question: Question) -> tuple[list[int], int]:
        """The ids from the question's text on, and how many of the last are the answer's."""
        answer = self._tokens(question.answer + tok.TURN_END)
        return self._tokens(question.prompt + self._after) + answer, len(answer)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _prefix_positions(before: int, after: int) -> Tensor:
    """Positions [3, before + CELLS + after]: the image's cells count by row and column."""
    cell = torch.arange(CELLS)
    image = before + torch.stack([torch.zeros_like(cell), cell // SLOTS, cell % SLOTS])
    text = torch.arange(before).expand(3, -1)
    rest = torch.arange(before + SLOTS, before + SLOTS + after).expand(3, -1)
    return torch.cat([text, image, rest], dim=1)
