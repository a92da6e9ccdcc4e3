"""`peft`: the adapter's folder, as PEFT and LoRA servers load it."""

from __future__ import annotations

from collections.abc import Iterator

from kolm_cli.core import canonical_json
from kolm_cli.export.base import File, Format, Serving, Source, copy, text
from kolm_cli.export.readme import code, listed, readme
from kolm_cli.export.settings import processor_files


def adapter_files(source: Source, prefix: str = "") -> Iterator[File]:
    """The LoRA matrices and their configuration, with the base's revision."""
    config = {**source.adapter_config, "base_model_name_or_path": source.base.name}
    if source.base.revision:
        config["revision"] = source.base.revision
    yield text(f"{prefix}adapter_config.json", canonical_json.dumps(config))
    name = "adapter_model.safetensors"
    yield copy(prefix + name, source.adapter / name)


def _files(source: Source) -> Iterator[File]:
    yield from adapter_files(source)
    for part in source.full_parts:
        yield copy(f"{part}.safetensors", source.adapter / f"{part}.safetensors")
    yield from processor_files(source, "processor/")
    yield text("README.md", readme(source, "peft", *_how(source)))


def _how(source: Source) -> Iterator[str]:
    auto, base = source.base.family.auto_class, source.base
    revision = f', revision="{base.revision}"' if base.revision else ""
    yield "A LoRA adapter. Load it with plain PEFT:"
    lines = [
        "from peft import PeftModel",
        *(["from safetensors.torch import load_file"] if source.full_parts else []),
        f"from transformers import {auto}, AutoProcessor",
        "",
        f'model = {auto}.from_pretrained("{base.name}"{revision}, dtype="{source.dtype}")',
    ]
    for part in source.full_parts:
        lines += [
            f'{part} = load_file("{part}.safetensors")',
            f"assert not model.load_state_dict({part}, strict=False).unexpected_keys",
        ]
    lines += [
        'model = PeftModel.from_pretrained(model, ".")',
        'processor = AutoProcessor.from_pretrained("processor")',
    ]
    yield code(*lines)
    if source.full_parts:
        yield (
            f"**Trained in full, and in a file of its own: {listed(source.full_parts)}.** PEFT and"
            " servers do not load it by themselves, and without it the answers are worse, with no"
            " warning. Where a server loads adapters only, export with `--to vllm` or"
            " `--to merged`."
        )


FORMAT = Format(
    name="peft",
    summary="the LoRA adapter as PEFT loads it, the projector beside it",
    files=_files,
    serving=lambda source: Serving(
        hub=(source.base.name, source.base.revision) if source.base.revision else ("", ""),
        adapter=".",
        tower_connector=set(source.lora_parts) > {"language"},
        max_rank=source.max_rank,
    ),
    dtypes=(),
)
