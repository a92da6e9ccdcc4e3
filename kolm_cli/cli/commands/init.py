"""`kolm init`: a commented spec to start from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.output import Output

FILE_NAME = "kolm.yaml"
DEFAULT_MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"

# A tab stands before each comment that is to be aligned.
_TEMPLATE = """\
# A kolm spec: what to train, on what data, and what to reach. Fields: docs/reference/spec.md
kolm: 1
name: {name_yaml}\t# also the bundle's: dist/{name}.kolm

base:
  model: {model_yaml}
  # revision: main\t# a branch, tag or commit of a hub model

data:\t# paths start at this file
  train: capture:{name}\t# captured pairs, or a .jsonl .json .parquet .csv .tar or a folder
  eval: evals/{name}.jsonl\t# held out: never the training pairs
  # max_images_per_example: 4

train:
  lora_r: 16\t# rank of the adapter; more learns more and weighs more
  lora_alpha: 32
  lora_targets: default\t# default | all-linear | a list of module names
  freeze_vision: true\t# the vision tower stays as it is
  projector: train\t# train | freeze | freeze_after_warmup
  projector_learning_rate: 2.0e-5
  learning_rate: 1.0e-4
  max_seq_length: 2048\t# tokens, image tokens included
  num_train_epochs: 1
  per_device_train_batch_size: 1
  gradient_accumulation_steps: 8
  seed: 42

launch:
  device: cuda\t# cuda | cpu
  num_processes: 1\t# one a GPU

evaluate:
  metric: relaxed_accuracy\t# or another of docs/reference/metrics.md
  max_new_tokens: 64
  # usd_per_hour: 1.80\t# price of the machine that answers; K is undefined without it
  gate:\t# `kolm compile` exits 3 when a result stays below
    accuracy: 0.80
    # k: 0.70\t# needs usd_per_hour

bundle:
  out: dist/\t# relative to where you run kolm
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("init")
    def init(
        folder: Annotated[
            Path, typer.Argument(metavar="[DIR]", help="Where to write kolm.yaml.")
        ] = Path(),
        name: Annotated[
            str | None, typer.Option("--name", help="The spec's name; by default the folder's.")
        ] = None,
        model: Annotated[
            str, typer.Option("--model", help="The base: a hub id or a local folder.")
        ] = DEFAULT_MODEL,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Write a commented spec to start from."""
        output = Output(as_json=as_json)
        path = folder / FILE_NAME
        name = _checked_name(name, folder)
        _write_new(path, _spec_text(name, _model_from(model, folder)))
        steps = [
            f"kolm capture add --to {name} --image P --prompt T --response T"
            f"   (or: kolm capture import FILE --to {name})",
            f"write {folder / 'evals' / (name + '.jsonl')}: questions with known answers,"
            " none of them trained on",
            f"kolm validate {path}",
            f"kolm compile {path}",
        ]
        if as_json:
            output.json({"spec": str(path), "name": name, "next": steps})
            return
        output.data(str(path))
        output.note("Next:")
        for number, step in enumerate(steps, 1):
            output.note(f"  {number}. {step}")


def _checked_name(name: str | None, folder: Path) -> str:
    """The name that was given, or one made of the folder's."""
    from kolm_cli.core.errors import InputError, Problem
    from kolm_cli.core.names import RULE, is_name

    if name is None:
        made = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower())[:64].strip("-")
        return made or "my-adapter"
    if not is_name(name):
        raise InputError(
            Problem(
                f"{name!r} cannot be a name",
                "--name",
                f"write {RULE}",
            )
        )
    return name


def _model_from(model: str, folder: Path) -> str:
    """The model as the spec in `folder` must write it: a local path starts there."""
    import os

    from kolm_cli.core.errors import InputError, Problem

    if not model.strip() or not model.isprintable():
        raise InputError(Problem("is empty or holds a control character", "--model"))
    local = Path(model).expanduser()
    if local.is_absolute() or not local.is_dir():
        return model
    relative = os.path.relpath(local.resolve(), folder.resolve())
    return relative if relative.startswith(".") else f"./{relative}"


def _spec_text(name: str, model: str) -> str:
    """The template filled in, its comments under each other."""
    text = _TEMPLATE.format(name=name, name_yaml=_yaml_text(name), model_yaml=_yaml_text(model))
    lines = (line.partition("\t") for line in text.splitlines())
    return "".join(
        f"{code:<30}{comment}\n" if tab and len(code) < 30 else f"{code}{tab and '  '}{comment}\n"
        for code, tab, comment in lines
    )


def _yaml_text(text: str) -> str:
    """`text` as YAML reads it back: bare where that is the same, else in double quotes."""
    from kolm_cli.core.errors import InputError
    from kolm_cli.spec.yaml_positions import parse

    try:
        # A name such as 1e5, true or 2024 is something else to YAML when it stands bare.
        same = parse(f"bare: {text}".encode(), "").value == {"bare": text}
    except InputError:
        same = False
    return text if same else json.dumps(text, ensure_ascii=False)


def _write_new(path: Path, text: str) -> None:
    """Write `path`, which must not exist: a spec is somebody's work."""
    from kolm_cli.core.errors import InputError, Problem

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive: also a file that appears between a look and the writing is kept.
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        if path.exists() and path.parent.is_dir():
            problem = Problem("exists already", str(path), "edit it, or name another folder")
        else:
            problem = Problem("is not a folder", str(path.parent), "name a folder")
        raise InputError(problem) from error
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror}", str(path))) from error
