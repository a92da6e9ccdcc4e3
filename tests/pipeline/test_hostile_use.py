"""Bundles that a trusted key signed, and that would cost or do what no verifier bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key
from kolm_cli.encoding import guarded_rendering
from tests.bundle import factory
from tests.bundle.forge import files_of
from tests.bundle.rebuilt import rebuilt
from tests.support.command import Done
from tests.support.jobs import Compiled

TEMPLATE = "processor/chat_template.jinja"
ASK = ("--prompt", "hue 1?", "--json")


class Hostile:
    """Forges a compiled bundle, and uses it as somebody does who trusts the forger."""

    def __init__(self, compiled: Compiled, folder: Path) -> None:
        self.compiled, self.folder = compiled, folder
        self.signer = keys.generate()
        add_key(folder / "t.toml", factory.trusting(self.signer).keys[0])
        self.files = files_of(compiled.bundle)

    def with_files(self, changes: dict[str, bytes]) -> None:
        rebuilt(self.compiled.bundle, self.folder / "h.kolm", self.signer, changes)

    def kolm(self, command: str, *more: str) -> Done:
        trust = ("--trust", str(self.folder / "t.toml"))
        return self.compiled.job.kolm(command, str(self.folder / "h.kolm"), *more, *trust)


@pytest.fixture
def hostile(compiled: Compiled, tmp_path: Path) -> Hostile:
    return Hostile(compiled, tmp_path)


def test_the_base_s_own_template_is_said_to_be_that(hostile: Hostile) -> None:
    hostile.with_files({})
    verified = hostile.kolm("verify")
    assert verified.code == 0, verified.out
    assert "the base's own" in verified.out


def test_a_template_that_asks_another_question_is_said_to_differ(hostile: Hostile) -> None:
    hostile.with_files({TEMPLATE: hostile.files[TEMPLATE] + b"hue 2?"})
    verified = hostile.kolm("verify")
    assert "DIFFERS from the base's" in verified.out
    exported = str(hostile.folder / "export")
    for done in (
        hostile.kolm("run", *ASK),
        hostile.kolm("export", exported, "--to", "peft"),
    ):
        assert done.code == 0, done.err
        assert "WARNING: its chat template differs from its base's" in done.err


@pytest.mark.parametrize("command", ["run", "eval"])
def test_a_template_that_never_ends(
    hostile: Hostile, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_rendering, "SECONDS", 0.3)
    loops = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    hostile.with_files({TEMPLATE: loops.encode()})
    done = hostile.kolm(command, *(ASK if command == "run" else ("--json",)))
    assert done.code == 4, done.err
    assert "seconds of a processor" in done.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"max_seq_length: 2048", b"max_seq_length: -2048"),
        (b"batch_size: 8", b"batch_size: 8000000000"),
        (b"threads: 1", b"threads: 100000000"),
        (b"truncation: prompt_start", b"truncation: somewhere"),
        (b"attention: auto", b"attention: evil/kernels"),
        (b"launch:", b"launch:\n  evil: 1"),
    ],
)
def test_a_spec_beyond_its_limits(hostile: Hostile, old: bytes, new: bytes) -> None:
    spec = hostile.files["spec.yaml"]
    assert old in spec, spec
    hostile.with_files({"spec.yaml": spec.replace(old, new, 1)})
    done = hostile.kolm("run", *ASK, "--allow-untrusted")
    assert done.code == 4, done.err
    assert "spec" in done.err


def test_a_tokenizer_that_does_other_things_to_a_text(hostile: Hostile) -> None:
    tokenizer = json.loads(hostile.files["processor/tokenizer.json"])
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 4096}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [grow] * 8}
    hostile.with_files({"processor/tokenizer.json": json.dumps(tokenizer).encode()})
    done = hostile.kolm("run", *ASK)
    assert done.code == 4, done.err
    assert "its tokenizer is not its base's: normalizer differ" in done.err


def test_a_processor_of_another_class(hostile: Hostile) -> None:
    hostile.with_files({"processor/processor_config.json": b'{"processor_class": "Evil"}'})
    done = hostile.kolm("run", *ASK)
    assert done.code == 4, done.err
    assert "its processor is of" in done.err


def test_an_adapter_for_layers_that_are_not_listed(hostile: Hostile) -> None:
    config = json.loads(hostile.files["adapter/adapter_config.json"])
    config["target_modules"] = config["target_modules"].replace("q_proj", "x_proj")
    data = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    hostile.with_files({"adapter/adapter_config.json": data})
    done = hostile.kolm("run", *ASK)
    assert done.code == 4, done.err
    assert "adapter: adapter/adapter_config.json: target_modules" in done.err
