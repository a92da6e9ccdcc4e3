"""`gguf-lora`: the adapter alone, which llama.cpp loads beside the base's own GGUF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kolm_cli.core import canonical_json
from kolm_cli.core.errors import Problem
from kolm_cli.export.base import File, Format, Serving, Source, text
from kolm_cli.export.formats.gguf import write_for_converter
from kolm_cli.export.readme import listed, readme, shell

F32, F16 = "f32", "f16"
_TEMPLATE = "chat_template.jinja"


def _files(source: Source) -> Iterator[File]:
    yield File(_name(source), lambda place: _write(source, place))
    template = _template(source)
    if template:
        yield text(_TEMPLATE, template)
    yield text("README.md", readme(source, "gguf", *_how(source)))


def _name(source: Source) -> str:
    return f"adapter-{source.dtype}.gguf"


def _template(source: Source) -> str:
    from kolm_cli.export.settings import load_processor

    return source.base.family.served_template(load_processor(source))


def _write(source: Source, place: Path) -> None:
    from kolm_cli.export.llama_cpp import convert_lora
    from kolm_cli.export.settings import settings_files

    # The converter writes the folder's name into the file.
    adapter, base = (source.folder / part / source.name for part in ("lora", "lora-base"))
    write_for_converter(settings_files(replace(source, dtype=source.scored)), base)
    _write_adapter(source, adapter)
    convert_lora(adapter, base, place, dtype=source.dtype)


def _write_adapter(source: Source, folder: Path) -> None:
    """The adapter by the names of the base's files, which are those that the converter knows."""
    from safetensors.torch import save_file

    from kolm_cli.export.checkpoint import read_checkpoint
    from kolm_cli.trainer.merged import Trained

    key_of = {tensor.parameter: tensor.key for tensor in read_checkpoint(source.base)}
    alpha, tensors = float(source.adapter_config["lora_alpha"]), {}
    for parameter, update in Trained.read(source.adapter).updates.items():
        layer = f"base_model.model.{key_of[parameter].removesuffix('.weight')}"
        tensors[f"{layer}.lora_A.weight"] = update.a
        # llama.cpp knows one alpha and divides it by each layer's own rank.
        scale = update.scale * update.a.shape[0] / alpha
        tensors[f"{layer}.lora_B.weight"] = update.b * scale
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = canonical_json.dumps({"lora_alpha": source.adapter_config["lora_alpha"]})
    (folder / "adapter_config.json").write_bytes(config)


def _how(source: Source) -> Iterator[str]:
    base, images = source.base, source.base.family.takes.images
    yield "For llama.cpp: the LoRA adapter, to be loaded beside the base's GGUF."
    told = ["--model BASE.gguf", *(["--mmproj BASE-mmproj.gguf"] if images else [])]
    told.append(f"--lora {_name(source)}")
    told += [f"--chat-template-file {_TEMPLATE}"] if _template(source) else []
    yield shell(f"llama-server {' '.join(told)} --temp 0 --jinja")
    files = "`BASE.gguf` and `BASE-mmproj.gguf` are" if images else "`BASE.gguf` is"
    yield (
        f"{files} what llama.cpp's `convert_hf_to_gguf.py` makes of `{base.name}`, and not part of"
        " this folder. On another base the answers are worse, with no warning. Nothing but the"
        " adapter was trained. Several adapters of one base share a server: give `--lora` for each,"
        " and name the one wanted in a request's `lora`."
    )


def _problems(source: Source) -> list[Problem]:
    """What a LoRA file cannot hold; the converter says what it does not take."""
    from kolm_cli.export.llama_cpp import converter
    from kolm_cli.export.settings import pictures_follow_base
    from kolm_cli.export.weights import place_problems

    found = []
    merged = "export --to gguf, which holds everything that was trained"
    others = tuple(sorted({*source.full_parts, *source.lora_parts} - {"language"}))
    if others:
        found.append(
            Problem(
                f"its {listed(others)} was trained too, and llama.cpp's LoRA files have a place for"
                " the language model alone",
                fix=f"{merged}; or compile with projector: freeze and a frozen tower",
            )
        )
    if source.base.family.takes.images and not pictures_follow_base(source):
        found.append(
            Problem(
                "its pictures are shown otherwise than the base shows them, and the base's mmproj"
                " would not",
                fix=f"{merged} and the pictures' sizes",
            )
        )
    if "quantization_config" in source.config:
        found.append(
            Problem(
                "the base's weights are quantized in a form that llama.cpp does not read",
                where=f"base {source.base.name}",
                fix="export --to peft",
            )
        )
    found = found or place_problems(source, "put into a LoRA file")
    if not found:
        converter()
    return found


FORMAT = Format(
    name="gguf-lora",
    summary="the LoRA adapter alone for llama.cpp, at f32 or f16",
    files=_files,
    problems=_problems,
    serving=lambda source: Serving(),
    dtypes=(F32, F16),
    default_dtype=F32,
)
