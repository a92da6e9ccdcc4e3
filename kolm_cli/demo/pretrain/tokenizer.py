"""The base's tokenizer: a small byte-level BPE in the stock Qwen2 class, and its chat template."""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

PAD = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
VISION_START = "<|vision_start|>"
VISION_END = "<|vision_end|>"
IMAGE = "<|image_pad|>"
VIDEO = "<|video_pad|>"

# Words that become single tokens where a space stands before them, or (capitalised, and the
# roles) at the start of a text. No single letter and no digit is among them, so "C" is one token
# wherever it stands. The words of style B are in the list: the base has tokens for them, but its
# training never shows it one.
_INNER = """
    a above after all an and answer any are as at bar bars below between big biggest bottom by can
    chart charts colour count data does each equal from greater greatest has have high highest
    horizontal how image in is it label labels largest least left less letter littlest long longest
    longer low lowest many more most name number of on one or out over picture right short shorter
    shortest show size small smallest sum tall taller tallest than that the there these this
    tiniest to top total under value values vertical what which wide with
"""
_FIRST = """
    Answer Compare Count Describe Does Give How Is List Look Name Over Read Say Show Tell The What
    Where Which Write assistant system user
"""

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for block in message['content'] -%}
{%- if block['type'] == 'image' or 'image' in block or 'image_url' in block -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif block['type'] == 'video' or 'video' in block -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif 'text' in block -%}
{{- block['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""
"""Qwen2.5-VL's turns, without the system prompt that Qwen's own template adds unasked."""


def build_tokenizer() -> Qwen2Tokenizer:
    """A tokenizer of 256 bytes, the merges that spell the word list, and seven special tokens."""
    words = [f" {word}" for word in _INNER.split()] + _FIRST.split()
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,  # never reached: merging ends when every word is one token
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(words, trainer)
    trained = json.loads(bpe.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=trained["vocab"],
        merges=[tuple(pair) for pair in trained["merges"]],
        unk_token=PAD,
        pad_token=PAD,
        eos_token=TURN_END,
        extra_special_tokens=[TURN_START, VISION_START, VISION_END, IMAGE, VIDEO],
        model_max_length=1024,
    )
