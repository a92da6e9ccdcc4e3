"""Finding a base: a local folder, or a hub id resolved to a commit; without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.files import expanded
from kolm_cli.families import companions
from kolm_cli.families.base import Family
from kolm_cli.families.companions import Companion
from kolm_cli.families.detect import check_id, detect

MAX_CONFIG_BYTES = 4 << 20
# The parts of `config.json` that are looked into.
_SECTIONS = ("text_config", "llm_config", "vision_config")
_ANEW = "fetch the checkpoint again"
# What decides how a base behaves; documentation beside it does not.
_RELEVANT = (".safetensors", ".json", ".jinja", ".model", ".txt", ".py", ".gguf")


@dataclass(frozen=True)
class Base:
    """A base model on this machine.

    Attributes:
        name: what a bundle calls it: the hub id, or the local folder's name (never its path).
        source: what `from_pretrained` takes.
        folder: where its files are.
        revision: the commit of a hub id; empty for a local folder.
        config: the parsed `config.json`.
        family: the family that claims it.
        trust_remote_code: whether code that comes with the checkpoint may run.
        companions: other checkpoints that it is loaded with.
    """

    name: str
    source: str
    folder: Path
    revision: str
    config: Mapping[str, Any]
    family: Family
    trust_remote_code: bool = False
    companions: tuple[Companion, ...] = ()

    def files(self) -> dict[str, Path]:
        """The files that decide how the base behaves; a companion's are named after it."""
        found = {path.name: path for path in _relevant(self.folder)}
        for companion in self.companions:
            for path in _relevant(companion.folder):
                found[f"{companion.repository}/{path.name}"] = path
        return found

    def file_digests(self, memo: FileMemo) -> dict[str, str]:
        """File name to SHA-256, from the memo where the file is unchanged."""
        return {name: memo.sha256(path) for name, path in self.files().items()}

    def weights(self, memo: FileMemo) -> dict[str, str]:
        """The digests of the weight files alone."""
        return {
            name: memo.sha256(path)
            for name, path in self.files().items()
            if path.suffix in (".safetensors", ".gguf")
        }

    @property
    def vocabulary(self) -> int | None:
        """How many tokens the language model knows, where `config.json` says."""
        text = self.config.get("text_config") or self.config.get("llm_config") or {}
        for said in (text.get("vocab_size"), self.config.get("vocab_size")):
            if isinstance(said, int):
                return said
        return None

    def load_options(self) -> dict[str, Any]:
        """What every `from_pretrained` of this base is given."""
        return {"local_files_only": True, "trust_remote_code": self.trust_remote_code}


def resolve_base(
    model: str,
    revision: str = "main",
    *,
    relative_to: Path | None = None,
    trust_remote_code: bool = False,
    weights: bool = True,
) -> Base:
    """Find a base and its family.

    Args:
        model: a hub id, or a folder (absolute, or relative to `relative_to`).
        revision: a branch, tag or commit of a hub id.
        relative_to: the folder that relative paths start from; the working directory by default.
        trust_remote_code: whether code that comes with the checkpoint may run.
        weights: whether its weights are needed, and fetched; without them it cannot be loaded.

    Raises:
        InputError: the folder is not a checkpoint, or no family takes it.
        LackingError: the hub id, or a checkpoint that it needs, is not on this machine and cannot
            be fetched.
    """
    folder = expanded(model)
    if relative_to is not None and not folder.is_absolute():
        folder = relative_to / folder
    if folder.is_dir():
        name, commit, local = folder.resolve().name, "", True
    elif model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise InputError(
            Problem(f"there is no folder {model}", where="base.model", fix="check the path")
        )
    else:
        check_id(model)
        folder, commit = _from_hub(model, revision, weights=weights)
        name, local = model, False
    config = _config(folder, name)
    family = detect(name, config, local=local, trust_remote_code=trust_remote_code)
    _check_complete(folder, name, family, weights=weights)
    beside = companions.find(family.companions(folder, config)) if weights else ()
    return Base(name, str(folder), folder, commit, config, family, trust_remote_code, beside)


def _relevant(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in _RELEVANT and not path.name.startswith(".")
    )


def _config(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(
            Problem("it has no config.json", where=f"base.model {name}", fix="give a checkpoint")
        )
    try:
        config = canonical_json.loads(path.read_bytes(), max_bytes=MAX_CONFIG_BYTES)
    except canonical_json.JSONError as error:
        raise InputError(Problem(f"config.json: {error}", f"base.model {name}", _ANEW)) from error
    if not isinstance(config, dict):
        raise InputError(Problem("config.json is not an object", f"base.model {name}", _ANEW))
    for section in _SECTIONS:
        if not isinstance(config.get(section) or {}, dict):
            what = f"config.json: {section} is not an object"
            raise InputError(Problem(what, f"base.model {name}", _ANEW))
    return config


def _check_complete(folder: Path, name: str, family: Family, *, weights: bool) -> None:
    problems = []
    if weights and not any(folder.glob("*.safetensors")):
        problems.append(
            Problem(
                "it has no .safetensors weights",
                where=f"base.model {name}",
                fix="convert the checkpoint; pickled weights are not loaded",
            )
        )
    wanted = family.processor_files
    if not any((folder / file).is_file() for file in wanted):
        problems.append(
            Problem(
                f"it has no processor ({' or '.join(wanted)})",
                where=f"base.model {name}",
                fix="copy the processor's files from the original checkpoint beside the weights",
            )
        )
    if problems:
        raise InputError(*problems)


def _from_hub(model: str, revision: str, *, weights: bool) -> tuple[Path, str]:
    """The snapshot folder of a hub id and its commit, fetched when the network allows it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = [s for s in _RELEVANT if weights or s not in (".safetensors", ".gguf")]
    patterns = [f"*{suffix}" for suffix in wanted]
    where = f"base.model {model}"
    try:
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except HFValidationError as error:
        raise InputError(
            Problem("neither a folder nor a hub id", where=where, fix="write owner/name")
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(
            Problem(
                f"the hub has no revision {revision!r} of it",
                where,
                "write main, or a commit of it",
            )
        ) from error
    except (
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        HfHubHTTPError,
        OSError,
    ) as error:
        # A name without an owner is most often a folder that is not where it was said to be.
        folder_too = "" if "/" in model else f"there is no folder {model}, and as a hub id it is "
        raise LackingError(
            Problem(
                f"{folder_too}not on this machine at revision {revision!r}, and the hub could not"
                f" be asked ({type(error).__name__})",
                where=where,
                fix=f"run `hf download {model}` where there is a network, or give a local folder",
            )
        ) from error
    return folder, folder.name
