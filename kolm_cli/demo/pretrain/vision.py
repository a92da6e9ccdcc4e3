"""The vision tower on many images of one size at a time.

The stock forward loops over images inside every block. Charts all have one size, so here the whole
batch goes through each block at once: the same modules, the same numbers, several times quicker.
"""

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import Qwen2_5_VLProcessor
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    Qwen2_5_VLVisionAttention,
    apply_rotary_pos_emb_vision,
)
from transformers.vision_utils import get_vision_position_ids

from kolm_cli.demo.charts import SIDE, SLOTS
from kolm_cli.demo.pretrain.model import MERGE, PATCH

CELLS = SLOTS * SLOTS
PATCHES = (SIDE // PATCH) ** 2


def pixels(processor: Qwen2_5_VLProcessor, images: list[Image.Image]) -> Tensor:
    """The stock image processor's patches, [images, PATCHES, 1176], cell by cell."""
    flat: Tensor = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    return flat.view(len(images), PATCHES, -1)


def encode(visual: Qwen2_5_VisionTransformerPretrainedModel, patches: Tensor) -> Tensor:
    """What enters the merger, [images, CELLS, 4 · width], of patches [images, PATCHES, 1176]."""
    count = patches.shape[0]
    hidden = visual.patch_embed(patches.reshape(count * PATCHES, -1)).view(count, PATCHES, -1)
    side = SIDE // PATCH
    positions = get_vision_position_ids(torch.tensor([[1, side, side]]), MERGE)
    cos, sin = visual.rotary_pos_emb(hidden, positions)  # [PATCHES, head width] each
    for block in visual.blocks:
        hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin)
        hidden = hidden + block.mlp(block.norm2(hidden))
    encoded: Tensor = hidden.view(count, CELLS, -1)
    return encoded


def merge(visual: Qwen2_5_VisionTransformerPretrainedModel, encoded: Tensor) -> Tensor:
    """Image tokens, [images, CELLS, language width], of what `encode` returned."""
    count = encoded.shape[0]
    width = visual.config.hidden_size
    merged: Tensor = visual.merger(encoded.reshape(count * PATCHES, width))
    return merged.view(count, CELLS, -1)


def _attend(
    attention: Qwen2_5_VLVisionAttention, hidden: Tensor, cos: Tensor, sin: Tensor
) -> Tensor:
    """Full attention within each image; hidden and result are [images, PATCHES, width]."""
    count, length, width = hidden.shape
    split = attention.qkv(hidden).view(count, length, 3, attention.num_heads, -1)
    query, key, value = split.unbind(2)  # [images, PATCHES, heads, head width] each
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), scale=attention.scaling
    )
    out: Tensor = attention.proj(mixed.transpose(1, 2).reshape(count, length, width))
    return out
