"""What stands beside the weights of a model's folder: its configuration, processor and template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kolm_cli.export.base import File, Source, copy, text

_SETTINGS = (".json", ".jinja", ".model", ".txt", ".py")
_OTHERS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE")
# Written anew, or about weights that are written anew.
_OWN = frozenset({"config.json", "model.safetensors.index.json"})
# Where older releases kept the template; transformers refuses a folder with both.
_OLD_TEMPLATE = "chat_template.json"
_TEMPLATE = "chat_template.jinja"
_DTYPE_KEYS = ("dtype", "torch_dtype")


def settings_files(source: Source, prefix: str = "") -> Iterator[File]:
    """The base's own settings, with the processor that the bundle was trained and scored with.

    Args:
        source: what is exported.
        prefix: the folder inside of the export, with its slash.
    """
    files: dict[str, File] = {}
    for path in sorted(source.base.folder.iterdir()):
        taken = path.suffix in _SETTINGS or path.name in _OTHERS
        if taken and path.is_file() and path.name not in _OWN and not path.name.startswith("."):
            files[path.name] = copy(prefix + path.name, path)
    for path in sorted((source.folder / "processor").rglob("*")):
        if path.is_file():
            name = path.relative_to(source.folder / "processor").as_posix()
            files[name] = copy(prefix + name, path)
    processor = load_processor(source)
    files["config.json"] = text(f"{prefix}config.json", _json(_config(source, processor)))
    template = source.base.family.served_template(processor)
    if template:
        files.pop(_OLD_TEMPLATE, None)
        files[_TEMPLATE] = text(prefix + _TEMPLATE, template)
    pictures = _pictures(source)
    if pictures:
        # Servers and converters still read the file that older releases wrote.
        files["preprocessor_config.json"] = text(f"{prefix}preprocessor_config.json", pictures)
    yield from files.values()


def processor_files(source: Source, prefix: str) -> Iterator[File]:
    """The processor that the bundle carries, alone."""
    folder = source.folder / "processor"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield copy(prefix + path.relative_to(folder).as_posix(), path)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _config(source: Source, processor: Any) -> dict[str, Any]:
    """The base's configuration in the exported type, in line with the bundle's processor."""
    from transformers import AutoConfig

    config: dict[str, Any] = _typed(source.config, source.dtype)
    if not any(key in config for key in _DTYPE_KEYS):
        config["dtype"] = source.dtype
    base = source.base
    loaded = AutoConfig.from_pretrained(base.source, **base.load_options())
    return {**config, **base.family.settings_of(loaded, processor)}


def _typed(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        return {
            key: dtype if key in _DTYPE_KEYS and item is not None else _typed(item, dtype)
            for key, item in value.items()
        }
    return [_typed(item, dtype) for item in value] if isinstance(value, list) else value


def load_processor(source: Source) -> Any:
    """The bundle's processor."""
    return source.base.family.load_processor(
        str(source.folder / "processor"), local_files_only=True, trust_remote_code=False
    )


def _pictures(source: Source) -> bytes:
    """How pictures are prepared, in the file that has no other part of the processor."""
    path = source.folder / "processor" / "processor_config.json"
    if not path.is_file():
        return b""
    whole = json.loads(path.read_bytes())
    pictures = whole.get("image_processor")
    if not isinstance(pictures, dict):
        return b""
    return _json({**pictures, "processor_class": whole.get("processor_class")})


def follows_base(source: Source) -> bool:
    """Whether the base's own processor shows pictures and writes prompts as the bundle's does."""
    own = source.base.family.load_processor(source.base.source, **source.base.load_options())
    return _shown(own) == _shown(load_processor(source))


def pictures_follow_base(source: Source) -> bool:
    """Whether the base's own processor shows pictures as the bundle's does."""
    own = source.base.family.load_processor(source.base.source, **source.base.load_options())
    return _shown(own)[0] == _shown(load_processor(source))[0]


def _shown(processor: Any) -> tuple[str, str]:
    images = getattr(processor, "image_processor", None)
    return "" if images is None else str(images.to_json_string()), str(processor.chat_template)
