"""Bundles that a trusted key signed, and that would cost or do what no verifier bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
NAMED = "processor/additional_chat_templates/"
ASK = ("--prompt", "hue 1?", "--json")


class Hostile:
    """Forges a compiled bundle, and uses it as somebody does who trusts the forger."""

    def __init__(self, compiled: Compiled, folder: Path) -> None:
        self.compiled, self.folder = compiled, folder
        self.signer = keys.generate()
        add_key(folder / "t.toml", factory.trusting(self.signer).keys[0])
        self.files = files_of(compiled.bundle)

    def with_files(self, changes: dict[str, bytes | None]) -> None:
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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({TEMPLATE: None}, "DIFFERS"),
        ({TEMPLATE: None, f"{NAMED}default.jinja": "own"}, "the base's own"),
        ({f"{NAMED}default.jinja": "own"}, "the base's own"),
        ({f"{NAMED}default.jinja": b"x"}, "DIFFERS"),
        (
            {f"{NAMED}tool_use.jinja": b"x"},
            "says nothing: processor/additional_chat_templates/tool",
        ),
        ({"processor/other.jinja": b"x"}, "says nothing: processor/other.jinja"),
        ({TEMPLATE: b"x", "processor/a.jinja": b"x"}, "DIFFERS"),
    ],
)
def test_no_template_of_another_kind_goes_unsaid(
    hostile: Hostile, changes: dict[str, Any], words: str
) -> None:
    own = hostile.files[TEMPLATE]
    hostile.with_files({path: own if data == "own" else data for path, data in changes.items()})
    done = hostile.kolm("verify", "--json")
    check = {check["name"]: check for check in done.json["checks"]}["template"]
    assert words in check["detail"]
    assert check["ok"] is (True if words == "the base's own" else None)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("processor/tokenizer_config.json", "chat_template"),
        ("processor/processor_config.json", "chat_template"),
        ("processor/processor_config.json", "tokenizer.chat_template"),
        ("processor/special_tokens_map.json", "chat_template"),
        ("processor/preprocessor_config.json", "chat_template"),
        ("processor/chat_template.json", "chat_template"),
    ],
)
def test_a_template_within_a_configuration_is_refused(
    hostile: Hostile, path: str, key: str
) -> None:
    config = json.loads(hostile.files.get(path, b"{}"))
    section, _, last = key.rpartition(".")
    (config.setdefault(section, {}) if section else config)[last] = "hue 2?"
    hostile.with_files({path: json.dumps(config).encode()})
    done = hostile.kolm("verify", "--json")
    assert done.code == 4
    checks = {check["name"]: check for check in done.json["checks"]}
    assert checks["configs"]["ok"] is False
    assert "chat_template" in checks["configs"]["detail"]


def test_tokens_that_say_something_else_are_said_to_differ(hostile: Hostile) -> None:
    """What a template puts around a question comes from the tokenizer, as what words stand for."""
    path = "processor/tokenizer.json"
    tokenizer = json.loads(hostile.files[path])
    words = tokenizer["model"]["vocab"]
    one, other = sorted(words)[-2:]
    words[one], words[other] = words[other], words[one]
    hostile.with_files({path: json.dumps(tokenizer).encode()})
    done = hostile.kolm("run", *ASK)
    assert done.code == 0, done.err
    assert "WARNING: its tokens differ from its base's" in done.err
    hostile.with_files({})
    assert "WARNING" not in hostile.kolm("run", *ASK).err


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
