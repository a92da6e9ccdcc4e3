"""Chat completions by the handler of `transformers serve`, asked in kolm's own way.

Prompts are encoded as they were when the bundle was scored, the weights are the merged ones, and
an answer is greedy unless a temperature is asked for. Everything else (the protocol, streaming,
stop strings) is the handler's.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from transformers import BatchFeature, GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.utils import GenerationState, Modality

from kolm_cli.answering.answerer import Answerer
from kolm_cli.serving.requests import Asked
from kolm_cli.serving.shelf import Shelf

_Handler: Any = ChatCompletionHandler


@dataclass(frozen=True)
class Served:
    """One name that can be asked.

    Attributes:
        name: what clients call it.
        adapter: what the shelf calls it; empty for the base.
        answerer: encodes for it, and knows how it answers.
        max_tokens: where an answer is cut unless the client says otherwise.
    """

    name: str
    adapter: str
    answerer: Answerer
    max_tokens: int


class _Stop(StoppingCriteria):
    """Ends every answer once the server is to end."""

    def __init__(self, ending: threading.Event) -> None:
        self._ending = ending

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:
        return torch.full((len(input_ids),), self._ending.is_set(), device=input_ids.device)


class _Model:
    """What the handler takes for a model."""

    # The handler looks for calls and thoughts in the text of types that it knows.
    config = SimpleNamespace(model_type="")

    def __init__(self, served: Served, shelf: Shelf, ending: threading.Event) -> None:
        self._served, self._shelf, self._ending = served, shelf, ending

    @property
    def device(self) -> torch.device:
        return self._served.answerer.device

    @property
    def generation_config(self) -> GenerationConfig:
        return self._served.answerer.generation

    def generate(self, *, tokenizer: Any, **given: Any) -> torch.Tensor:
        answerer, encoder = self._served.answerer, self._served.answerer.encoder
        with (
            self._shelf.showing(self._served.adapter) as model,
            torch.no_grad(),
            answerer.precision(),
        ):
            encoder.family.follow_processor(model, encoder.processor)
            ids: torch.Tensor = model.generate(
                **given,
                tokenizer=encoder.tokenizer,
                stopping_criteria=StoppingCriteriaList([_Stop(self._ending)]),
            )
        return ids


class _Processor:
    """What the handler takes for a processor: one that has encoded the request already."""

    def __init__(self, served: Served, asked: Asked) -> None:
        self._encoder = served.answerer.encoder
        encoded = self._encoder.prompt(asked.row)
        self._batch = BatchFeature(self._encoder.batch([encoded], side="left"))
        self.tokenizer = SimpleNamespace(
            _tokenizer=getattr(self._encoder.tokenizer, "_tokenizer", None)
        )

    @property
    def streams(self) -> bool:
        return self.tokenizer._tokenizer is not None

    def apply_chat_template(self, messages: Any, **_: Any) -> BatchFeature:
        return self._batch

    def decode(self, ids: torch.Tensor, **_: Any) -> str:
        return self._encoder.decode(ids.tolist()).strip()


class Chat(_Handler):
    """Answers requests for the names of one shelf.

    Args:
        shelf: the base and its adapters.
        ending: set when answers under way are to end.
    """

    def __init__(self, shelf: Shelf, ending: threading.Event) -> None:
        models = SimpleNamespace(get_model_modality=lambda model, processor: Modality.VLM)
        super().__init__(models, GenerationState())
        self._shelf, self._ending = shelf, ending
        # A bundle's template is rendered by one process, which is asked one thing at a time.
        self._encoding = threading.Lock()

    def prepare(self, served: Served, asked: Asked) -> dict[str, Any]:
        """Encode a request, which may take a while; `handle_request` takes the result.

        Raises:
            RowError: this model cannot be asked that.
            VerificationError: the bundle's template takes too much.
            ValueError: its tokenizer cannot stream.
        """
        with self._encoding:
            processor = _Processor(served, asked)
        if asked.options.get("stream") and not processor.streams:
            raise ValueError("stream: this model's tokenizer cannot be streamed")
        return {
            "max_tokens": served.max_tokens,
            **asked.options,
            "messages": [],
            "prepared": (served.name, _Model(served, self._shelf, self._ending), processor),
        }

    def _validate_request(self, body: dict[str, Any]) -> None:
        """`read_request` did."""

    def _resolve_model(self, body: dict[str, Any]) -> Any:
        return body["prepared"]

    @staticmethod
    def get_processor_inputs_from_messages(messages: Any, modality: Any) -> list[Any]:
        """Nothing: the processor holds the request."""
        return []

    def _build_generation_config(self, body: dict[str, Any], own: Any, use_cb: bool = False) -> Any:
        config = cast(GenerationConfig, super()._build_generation_config(body, own, use_cb))
        config.do_sample = body.get("temperature", 0) > 0
        if not config.do_sample:
            config.temperature = config.top_p = None
        return config
