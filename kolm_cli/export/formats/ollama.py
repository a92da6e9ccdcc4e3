"""`ollama`: a Modelfile over the GGUF files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kolm_cli.export.base import File, Format, Serving, Source, text
from kolm_cli.export.formats.gguf import F16, Q8, gguf_files, gguf_problems, mmproj_name, model_name
from kolm_cli.export.readme import readme, shell
from kolm_cli.records.conversation import Conversation

_QUESTION, _PROMPT = "KOLM-QUESTION", "{{ .Prompt }}"


def _files(source: Source) -> Iterator[File]:
    yield from gguf_files(source)
    yield text("Modelfile", modelfile(source))
    how = (
        "For Ollama. Its answers are greedy, and the question is put as it was in training.",
        shell(f"ollama create {source.name} -f Modelfile"),
    )
    yield text("README.md", readme(source, "gguf", *how))


def modelfile(source: Source) -> str:
    """The Modelfile: the two files, the prompt as kolm renders it, and where an answer ends."""
    from kolm_cli.export.settings import load_processor

    processor = load_processor(source)
    lines = [f"# {source.name}, from the bundle {source.cid}", f"FROM ./{model_name(source)}"]
    if mmproj_name(source):
        lines.append(f"FROM ./{mmproj_name(source)}")
    lines += [
        f'TEMPLATE """{_template(source, processor)}"""',
        f'PARAMETER stop "{source.base.family.end_of_turn(processor)}"',
        "PARAMETER temperature 0",
    ]
    return "\n".join(lines) + "\n"


def _template(source: Source, processor: Any) -> str:
    """One question as kolm renders it; pictures are put before the question by Ollama itself."""
    family = source.base.family
    messages = family.messages(Conversation.of(_QUESTION, "", ()))
    asked = [message for message in messages if message["role"] != "assistant"]
    rendered = family.render(processor, asked, prompt=True)
    # Ollama's templates take no other braces, and its own start token comes from the GGUF.
    bos = family.tokenizer(processor).bos_token
    return rendered.removeprefix(bos or "").replace(_QUESTION, _PROMPT)


FORMAT = Format(
    name="ollama",
    summary="a Modelfile over the same files",
    files=_files,
    problems=gguf_problems,
    serving=lambda source: Serving(),
    dtypes=(F16, Q8),
    default_dtype=F16,
)
