"""Every key that the configurations of a processor may have, and the values that it may have there.

The lists hold what the classes of transformers that kolm uses write or take. Whoever adds a family
adds its keys: a writer leaves others out, and a verifier refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Form = Callable[[Any], bool]

# Of any one picture: its pixels times the crops that are made of it.
MAX_PIXELS = 1 << 26
MAX_NUMBER = 1 << 31
MAX_TEXT = 1024
MAX_LIST = 4096
# With this key, the edges of a size are budgets of pixels.
_BUDGETS = "temporal_patch_size"
_AREAS = ("max_pixels", "min_pixels", "cap_pixels_per_frame")
_SIZES = frozenset({"size", "crop_size", "pad_size", "max_image_size"})
_CROPS = ("dynamic_hd", "max_image_tiles", "max_patches", "num_crops", "pan_and_scan_max_num_crops")

# The same block is in docs/reference/bundle-format.md: a form of values, and the keys that have it.
PICTURE_KEYS = """\
name: data_format feature_extractor_type image_processor_type input_data_format processor_class
name: video_processor_type
flag: crop_to_patches default_to_square disable_grouping do_center_crop do_convert_rgb
flag: do_image_splitting do_normalize do_pad do_pan_and_scan do_rescale do_resize do_sample_frames
flag: initial_shift return_attention_mask return_metadata return_row_col_info
number: audio_compression_rate audio_downsample_rate audio_feat_stride cap_pixels_per_frame
number: dynamic_hd feature_size fps grid_side hop_length image_seq_length max_frames
number: max_image_tiles max_num_patches max_patches max_pixels max_video_tokens mel_max_frequency
number: mel_min_frequency merge_size min_frames min_patches min_pixels n_fft num_crops num_frames
number: num_img_tokens padding_value pan_and_scan_max_num_crops pan_and_scan_min_crop_size
number: pan_and_scan_min_ratio_to_activate preemphasis resample rescale_factor sampling_rate
number: temporal_patch_size tile_size win_length
numbers: borders image_grid_pinpoints image_mean image_std means picture_sizes stds
size: crop_size max_image_size pad_size patch_size size
text: padding_side
"""
PROCESSOR_KEYS = """\
name: processor_class
flag: start_follows_image
number: image_seq_len image_seq_length num_additional_image_tokens num_image_tokens patch_size
number: spatial_merge_size
text: audio_token image_break_token image_end_token image_token video_token vision_aspect_ratio
text: vision_feature_select_strategy
"""
TOKENIZER_KEYS = """\
name: backend processor_class tokenizer_class
flag: add_bos_token add_eos_token add_prefix_space clean_up_tokenization_spaces legacy
flag: sanitize_control_tokens spaces_between_special_tokens split_special_tokens
flag: use_default_system_prompt
number: max_length model_max_length pad_to_multiple_of pad_token_type_id stride
text: errors pad_token_type padding_side truncation_side truncation_strategy
texts: chat_control_tokens model_input_names
token: audio_token boi_token bos_token cls_token context_image_token end_image_token eoi_token
token: eos_token image_token mask_token pad_token sep_token start_image_token unk_token
token: video_token vision_bos_token vision_eos_token
tokens: added_tokens_decoder additional_special_tokens extra_special_tokens
tokens: model_specific_special_tokens
"""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_EDGES = frozenset({"height", "width", "longest_edge", "shortest_edge", "max_height", "max_width"})
_MARKS = frozenset({"lstrip", "rstrip", "normalized", "single_word", "special"})


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MAX_NUMBER


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _numbers(value: Any) -> bool:
    """Numbers, or pairs of them."""
    if not isinstance(value, list) or len(value) > MAX_LIST:
        return _number(value)
    return all(
        _number(item)
        or (isinstance(item, list) and len(item) <= MAX_LIST and all(map(_number, item)))
        for item in value
    )


def _size(value: Any) -> bool:
    if isinstance(value, dict):
        known = value.keys() <= _EDGES
        return known and all(item is None or _number(item) for item in value.values())
    return _numbers(value)


def _token(value: Any) -> bool:
    if not isinstance(value, dict):
        return _text(value)
    kind = value.get("__type", "AddedToken")
    marks = all(_flag(value[mark]) for mark in _MARKS & value.keys())
    known = value.keys() <= _MARKS | {"content", "__type"}
    return known and marks and kind == "AddedToken" and _text(value.get("content"))


def _tokens(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and all(_token(item) for item in items)


FORMS: dict[str, Form] = {
    "flag": _flag,
    "name": lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
    "number": _number,
    "numbers": _numbers,
    "size": _size,
    "text": _text,
    "texts": lambda value: isinstance(value, list) and all(map(_text, value)),
    "token": _token,
    "tokens": _tokens,
}


def _listed(block: str) -> dict[str, Form]:
    lines = (line.split(":") for line in block.splitlines())
    return {key: FORMS[form] for form, keys in lines for key in keys.split()}


PICTURES, TOKENIZER = _listed(PICTURE_KEYS), _listed(TOKENIZER_KEYS)
PROCESSOR = _listed(PROCESSOR_KEYS)
# The parts of a processor, the only objects in its configuration. A tokenizer for audio is none of
# them: transformers loads it from a folder that the configuration names.
PARTS: dict[str, Mapping[str, Form]] = {
    **dict.fromkeys(("image_processor", "video_processor"), PICTURES),
    **dict.fromkeys(("feature_extractor", "audio_processor"), PICTURES),
    "tokenizer": TOKENIZER,
}
FILES: dict[str, Mapping[str, Form]] = {
    "processor/processor_config.json": PROCESSOR,
    "processor/preprocessor_config.json": PICTURES,
    "processor/video_preprocessor_config.json": PICTURES,
    "processor/special_tokens_map.json": TOKENIZER,
    "processor/tokenizer_config.json": TOKENIZER,
}


def listed(path: str, value: dict[str, Any]) -> dict[str, Any]:
    """A configuration as a writer writes it, without what no list has.

    That is where this machine found something, or what no class that kolm uses takes.

    Args:
        path: of the file in the bundle.
        value: what the library wrote.
    """
    keys = FILES.get(path, {})
    kept = {key: item for key, item in value.items() if key in keys}
    for part in PARTS.keys() & value.keys() if keys is PROCESSOR else ():
        if isinstance(value[part], dict):
            kept[part] = {k: item for k, item in value[part].items() if k in PARTS[part]}
    return kept


def problems(path: str, value: dict[str, Any]) -> Iterator[str]:
    """What a configuration says that is on no list."""
    if path not in FILES:
        yield "is not a configuration that a processor has"
        return
    keys = FILES[path]
    parts = PARTS if keys is PROCESSOR else {}
    yield from _unlisted({k: item for k, item in value.items() if k not in parts}, keys)
    for part in parts.keys() & value.keys():
        if isinstance(value[part], dict):
            yield from (f"{part}: {problem}" for problem in _unlisted(value[part], parts[part]))
        elif value[part] is not None:
            yield f"{part} is not a part of a processor"


def _unlisted(value: Mapping[str, Any], keys: Mapping[str, Form]) -> Iterator[str]:
    found = []
    for key, item in value.items():
        if key not in keys:
            what = "part of a processor" if isinstance(item, dict) else "key that is on the list"
            found.append(f"{key!r:.80} is not a {what}")
        elif item is not None and not keys[key](item):
            found.append(f"{key} is {item!r:.80}, which it may not be")
    if not found and keys is PICTURES and _pixels(value) > MAX_PIXELS:
        found.append(f"makes more than {MAX_PIXELS} pixels of a picture")
    yield from found


def _pixels(value: Mapping[str, Any]) -> float:
    """The most pixels that are made of one picture, by what an object of a processor says."""
    areas: list[float] = [abs(value[key]) for key in _AREAS if value.get(key) is not None]
    for key in _SIZES & value.keys():
        edges = _flat(value[key])
        areas += edges if _BUDGETS in value else [edge * edge for edge in edges]
    areas += [edge * edge for edge in _flat(value.get("image_grid_pinpoints"))]
    crops: list[float] = [abs(value[key]) for key in _CROPS if value.get(key) is not None]
    return max(areas, default=0.0) * max([1.0, *crops])


def _flat(value: Any) -> list[float]:
    """The numbers in a value of the form `size` or `numbers`."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [number for item in items for number in _flat(item)]
    return [] if value is None else [abs(value)]
