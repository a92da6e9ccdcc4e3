"""A projector and a tower that learn by LoRA: compiled, verified, exported as one adapter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kolm_cli.core import canonical_json
from tests.support.jobs import Job


def test_the_whole_result_is_one_adapter(new_job: Callable[..., Job], tmp_path: Path) -> None:
    job = new_job(
        train={"projector": "lora", "projector_lora_r": 4, "vision": "lora", "num_train_epochs": 1}
    )
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert "frozen, since it cannot take LoRA: model.visual.merger.ln_q.weight" in done.err
    bundle = done.json["bundle"]
    verified = job.kolm("verify", bundle, "--json")
    assert verified.code == 0, verified.out
    receipt = job.kolm("receipt", bundle, "--json").json
    block = receipt["predicate"]["buildDefinition"]["internalParameters"]["vlm_train"]
    assert (block["projector"], block["projector_lora_r"], block["vision"]) == ("lora", 4, "lora")
    assert block["freeze_vision"] is False
    counts = block["evidence"]["adapters_per_part"]
    assert counts["projector"] == 2
    assert counts["vision"] > 0
    assert sorted(block["evidence"]["frozen_digests_after"]) == ["language", "projector", "vision"]

    exported = job.kolm("export", bundle, tmp_path / "vllm", "--to", "vllm", "--json")
    assert exported.code == 0, exported.err
    assert exported.json["serve"]["tower_connector"] is True
    assert "--enable-tower-connector-lora" in (tmp_path / "vllm" / "serve.sh").read_text()
    weights = [path.name for path in (tmp_path / "vllm" / "base").glob("*.safetensors")]
    assert weights == ["model.safetensors"], "nothing but a link to the base"
    config = canonical_json.loads(
        (tmp_path / "vllm" / "adapter" / "adapter_config.json").read_bytes(), max_bytes=1 << 20
    )
    assert set(config["rank_pattern"].values()) == {4}
    assert set(config["alpha_pattern"].values()) == {8}

    # What starts from it trains the same parts.
    spec = json.loads(job.spec.read_bytes())
    spec["base"]["adapter"] = "registry:tiny:latest"
    spec["train"] |= {"projector": "train"}
    del spec["train"]["projector_lora_r"]
    job.spec.write_text(json.dumps(spec))
    refused = job.kolm("compile", "spec.yaml")
    assert refused.code == 2
    assert "its projector is lora, not train" in refused.err
