"""The base: the real Qwen2.5-VL classes at about a thousandth of their size."""

import math

import torch
from torch import nn
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from kolm_cli.demo.charts import SIDE
from kolm_cli.demo.pretrain import tokenizer as tok

PATCH = 14
MERGE = 2
VISION_DEPTH = 4
TEXT_DEPTH = 4

_EMBEDDING_STD = 0.05


def build_config(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLConfig:
    """Shapes of the base: 1.4 M parameters in `model.visual`, 1.9 M in the language tower."""
    token = tokenizer.convert_tokens_to_ids
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": TEXT_DEPTH,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
            "max_position_embeddings": 1024,
            # The angles of a head of 32: 4 for time, 6 for the row, 6 for the column. A theta of
            # 1000 and not the usual million: with 16 angles and short texts most would stand still.
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000.0,
                "mrope_section": [4, 6, 6],
            },
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": token(tok.TURN_END),
            "pad_token_id": token(tok.PAD),
        },
        vision_config={
            "depth": VISION_DEPTH,
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_heads": 4,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "out_hidden_size": 192,
            # Every block sees the whole image, and a chart is one window, so that the tower's
            # output is in the order of its input.
            "fullatt_block_indexes": list(range(VISION_DEPTH)),
            "window_size": 2 * SIDE,
        },
        image_token_id=token(tok.IMAGE),
        video_token_id=token(tok.VIDEO),
        vision_start_token_id=token(tok.VISION_START),
        vision_end_token_id=token(tok.VISION_END),
        tie_word_embeddings=True,
    )


def build_processor(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLProcessor:
    """The stock processor, set so that every image is scaled to about `SIDE`² pixels."""
    size = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=PATCH, merge_size=MERGE, size=size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=PATCH, merge_size=MERGE, size=size),
        chat_template=tok.CHAT_TEMPLATE,
    )


def build_model(config: Qwen2_5_VLConfig, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """A model in fp32 with weights drawn from N(0, 1/fan_in).

    What writes into the residual stream is smaller by √(2·depth). Transformers' own 0.02 is meant
    for widths of thousands, and seemed slower here.
    """
    model = Qwen2_5_VLForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.Embedding):
                module.weight.normal_(0.0, _EMBEDDING_STD, generator=generator)
            elif isinstance(module, nn.Linear | nn.Conv3d) and name != "lm_head":  # lm_head is tied
                std = module.weight[0].numel() ** -0.5
                if name.endswith(("o_proj", "down_proj", "attn.proj")):
                    depth = VISION_DEPTH if ".visual." in name else TEXT_DEPTH
                    std /= math.sqrt(2 * depth)
                module.weight.normal_(0.0, std, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
    model.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=config.text_config.eos_token_id,
        pad_token_id=config.text_config.pad_token_id,
    )
    return model
