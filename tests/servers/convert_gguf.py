"""llama.cpp's converter on the demo's merged export: `convert_gguf.py SOURCE FOLDER OUT`.

`--mmproj` makes the file of tower and projector.

SOURCE is llama.cpp's source tree. Two things in it do not fit the demo's base, which is Qwen2.5-VL
with a vocabulary of its own and a tower in which every layer sees the whole picture:

- the converter knows pre-tokenizers by what they make of one text, so by their vocabulary too. The
  base's expression is Qwen2's.
- it writes that one layer in one sees the whole picture, and the server then looks for the mask of
  the others, which its graph does not have. Zero says that there are no others.
"""

import runpy
import sys

source, folder, out, *more = sys.argv[1:]
sys.path[:0] = [f"{source}/gguf-py", source]

import conversion.base  # noqa: E402
import gguf  # noqa: E402

for known in vars(conversion.base).values():
    if isinstance(known, type) and "get_vocab_base_pre" in vars(known):
        known.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
pattern = gguf.GGUFWriter.add_vision_n_wa_pattern
gguf.GGUFWriter.add_vision_n_wa_pattern = lambda self, value: pattern(self, 0)
sys.argv = ["convert_hf_to_gguf.py", folder, "--outfile", out, "--outtype", "f32", *more]
runpy.run_path(f"{source}/convert_hf_to_gguf.py", run_name="__main__")
