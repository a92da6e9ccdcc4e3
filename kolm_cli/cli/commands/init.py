"""`kolm init`: a commented spec to start from, which fits the data at hand when it is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.column_options import ColumnOption, FixedOption, columns_from
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.cli.spec_template import SpecText, spec_text

FILE_NAME = "kolm.yaml"
DEFAULT_MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write kolm.yaml.")
    ] = Path(),
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="capture:NS|FILE",
            help="Look at these pairs, and propose splits, metric, rates and epochs.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The spec's name; else the namespace's or the folder's."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="The base: a hub id or a local folder.")
    ] = DEFAULT_MODEL,
    column: ColumnOption = None,
    fixed: FixedOption = None,
    json: JsonOption = False,
) -> None:
    """Write a commented spec to start from; with --data, one that fits the data."""
    from kolm_cli.core.errors import InputError, Problem
    from kolm_cli.core.files import expanded
    from kolm_cli.dataset.proposal import found_device, is_small

    namespace = _namespace(data)
    columns = columns_from(column, fixed)
    if columns is not None and (data is None or namespace is not None):
        option = "--column" if column else "--fixed"
        raise InputError(Problem("has no effect without a file", option, "name it: --data FILE"))
    path = folder / FILE_NAME
    name = _checked_name(name or namespace, folder)
    local = expanded(model)
    text = SpecText(
        name=name,
        # Digits alone would name a pair.
        namespace=namespace or (f"data-{name}" if name.isdecimal() else name),
        model=_model_from(model, folder),
        device=found_device(),
        small_base=local.is_dir() and is_small(local),
    )
    steps: list[str] = []
    if namespace is not None:
        from kolm_cli.dataset.proposal import look_at_namespace

        facts, split = look_at_namespace(namespace)
        text = text.fitting(facts, split)
    elif data is not None:
        from kolm_cli.dataset.proposal import likely_split, look_at_file

        facts = look_at_file(Path(data), columns)
        text = text.fitting(facts, likely_split(facts.rows))
        named = [("--column", pair) for pair in column or ()]
        named += [("--fixed", pair) for pair in fixed or ()]
        words = (data, "--to", text.namespace, *(word for pair in named for word in pair))
        steps.append(f"kolm capture import {shlex.join(words)}")
    else:
        steps.append(
            f"kolm capture add --to {text.namespace} --image P --prompt T --response T"
            f"   (or: kolm capture import FILE --to {text.namespace})"
        )
    _write_new(path, spec_text(text))
    steps += [f"kolm validate {path}", f"kolm compile {path}"]
    output = Output(as_json=json)
    if json:
        output.json({"spec": str(path), "name": name, "next": steps, "proposed": text.proposed()})
        return
    output.data(str(path))
    for line in text.reasons():
        output.note(line)
    output.note("Next:")
    for number, step in enumerate(steps, 1):
        output.note(f"  {number}. {step}")


def _namespace(data: str | None) -> str | None:
    """The namespace that `data` names, if it names one."""
    from kolm_cli.capture.split import SCHEME, parse_reference
    from kolm_cli.core.errors import InputError, Problem

    if data is None or not data.startswith(SCHEME):
        return None
    namespace, split = parse_reference(data)
    if split is not None:
        raise InputError(
            Problem("init proposes the splits itself", "--data", f"write {SCHEME}{namespace}")
        )
    return namespace


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
        raise InputError(
            Problem(
                "is empty or holds a control character", "--model", "write a hub id or a folder"
            )
        )
    from kolm_cli.core.files import expanded

    local = expanded(model)
    if local.is_absolute() or not local.is_dir():
        return model
    relative = os.path.relpath(local.resolve(), folder.resolve())
    return relative if relative.startswith(".") else f"./{relative}"


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
        what, fix = f"cannot be written: {error.strerror}", "name another folder"
        raise InputError(Problem(what, str(path), fix)) from error
