"""Faultless archives, signed by a trusted key, whose content is not what a bundle may hold."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.bundle.forge import assert_refused, edit_json, files_of, good, pack, verdict

ADAPTER = "adapter/adapter_model.safetensors"
Value = dict[str, Any]


def signed(tmp_path: Path, changes: dict[str, bytes | None]) -> tuple[Path, keys.Signer]:
    """A bundle with these files, signed by a key that the verifier trusts."""
    signer = keys.generate()
    build_bundle(factory.with_files(changes), signer, tmp_path / "a.kolm")
    return tmp_path / "a.kolm", signer


def part(path: str) -> bytes:
    content = factory.make_files()[path]
    assert isinstance(content, bytes)
    return content


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("adapter/model.pkl", "adapter/pytorch_model.bin", "adapter/adapter_model.pt"),
        *("processor/processing_evil.py", "adapter/modeling.py", "setup.py", "processor/x.so"),
        *("readme.md", "data/train.parquet", "eval/images/1.png", "attestations/key.pem"),
        *("adapter/other.safetensors", "attestations/extra.sigstore.json", "modules.json.bak"),
    ],
)
def test_what_is_not_on_the_allow_list(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({**files_of(path), name: pickle.dumps({})}))
    assert_refused(path, signer, "files", f"{name} is not a file that a bundle may hold")


def test_a_file_that_the_manifest_does_not_list(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({**files_of(path), "processor/extra.json": b"{}"}))
    assert_refused(path, signer, "files", "processor/extra.json is not in the manifest")


@pytest.mark.parametrize("name", sorted(p for p in factory.make_files()))
def test_a_missing_file(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({k: v for k, v in files_of(path).items() if k != name}))
    assert_refused(path, signer, "files", f"{name} is missing")


@pytest.mark.parametrize("name", sorted(p for p in factory.make_files()))
def test_a_changed_file(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    files = files_of(path)
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    path.write_bytes(pack(files))
    assert_refused(path, signer, "files", f"{name} has the SHA-256")


def test_files_in_another_order(tmp_path: Path) -> None:
    from tests.bundle.forge import archive, items_of

    path, signer = good(tmp_path / "a.kolm")
    first, second, third, *rest = items_of(path)
    path.write_bytes(archive([first, third, second, *rest]))
    assert_refused(path, signer, "files", "order")


def test_no_manifest(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({k: v for k, v in files_of(path).items() if k != "manifest.json"}))
    assert_refused(path, signer, "manifest", "the bundle has no manifest.json")


# --- manifest --------------------------------------------------------------------------------


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def edited(edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    return lambda data: edit_json(data, edit)


MANIFESTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "duplicate key": (replaced(b'"name":', b'"name":"other","name":'), "stands twice"),
    "NaN": (replaced(b'"size":', b'"size":NaN,"siz":'), "NaN is not JSON"),
    "Infinity": (replaced(b'"size":', b'"size":Infinity,"siz":'), "Infinity is not JSON"),
    "huge number": (replaced(b'"size":', b'"size":99999999999999999999,"x":'), "beyond 2^53"),
    "float": (edited(lambda v: v["files"][0].update(size=1.5)), "the size 1.5"),
    "deep nesting": (lambda _: b"[" * 5000 + b"]" * 5000, "nested deeper"),
    "deep nesting in objects": (lambda _: b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    "white space": (replaced(b":", b": "), "canonical form"),
    "another order of keys": (
        lambda d: json.dumps(dict(reversed(json.loads(d).items())), separators=(",", ":")).encode(),
        "canonical form",
    ),
    "an escape that is not needed": (replaced(b'"tiny-chart"', b'"\\u0074iny-chart"'), "canonical"),
    "half a surrogate pair": (replaced(b'"tiny-chart"', b'"\\ud800"'), "surrogate"),
    "byte order mark": (lambda d: b"\xef\xbb\xbf" + d, "BOM"),
    "not UTF-8": (replaced(b"tiny-chart", b"tiny\xffchart"), "not UTF-8"),
    "trailing bytes": (lambda d: d + b"\n", "canonical form"),
    "not an object": (lambda _: b"[]", "not exactly the keys"),
    "no bytes": (lambda _: b"", "line 1"),
    "unknown key": (edited(lambda v: v.update(extra=1)), "not exactly the keys"),
    "no name": (edited(lambda v: v.pop("name")), "not exactly the keys"),
    "a name that leads elsewhere": (edited(lambda v: v.update(name="../x")), "cannot be a name"),
    "two dots in a name": (edited(lambda v: v.update(name="a..b")), "cannot be a name"),
    "another format": (edited(lambda v: v.update(format="kolm-bundle/0")), "the format is"),
    "base without weights": (edited(lambda v: v["base"].update(weights={})), "names no weights"),
    "weights without digest": (
        edited(lambda v: v["base"].update(weights={"model.safetensors": "x"})),
        "not a SHA-256",
    ),
    "a file listed twice": (edited(lambda v: v["files"].append(v["files"][-1])), "listed twice"),
    "files out of order": (edited(lambda v: v["files"].reverse()), "order of the format"),
    "the manifest lists itself": (
        edited(lambda v: v["files"][0].update(path="manifest.json")),
        "must not be listed",
    ),
    "the manifest lists an attestation": (
        edited(lambda v: v["files"][0].update(path="attestations/model.sig")),
        "must not be listed",
    ),
    "a file that is not allowed": (
        edited(lambda v: v["files"][0].update(path="adapter/model.pkl")),
        "not a file that a bundle may hold",
    ),
    "a path that leads elsewhere": (
        edited(lambda v: v["files"][0].update(path="../../etc/passwd")),
        "not a file that a bundle may hold",
    ),
    "upper-case digest": (
        edited(lambda v: v["files"][0].update(sha256="AB" * 32)),
        "is not a SHA-256",
    ),
    "true as a size": (edited(lambda v: v["files"][0].update(size=True)), "the size True"),
    "negative size": (edited(lambda v: v["files"][0].update(size=-1)), "the size -1"),
    "files as an object": (edited(lambda v: v.update(files={})), "not a list"),
    "too many files": (edited(lambda v: v.update(files=v["files"] * 40)), "lists 600 files"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    change, words = MANIFESTS[name]
    files = files_of(path)
    path.write_bytes(pack({**files, "manifest.json": change(files["manifest.json"])}))
    assert_refused(path, signer, "manifest", words)


def test_another_content_under_an_honest_signature(tmp_path: Path) -> None:
    """A manifest rewritten to fit a changed file is one that nobody signed."""
    path, signer = good(tmp_path / "a.kolm")
    other = files_of(factory.make_bundle(tmp_path / "b.kolm", name="tiny-chart-2").path)
    files = files_of(path)
    path.write_bytes(pack({**files, "manifest.json": other["manifest.json"]}))
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_another_cid_than_was_asked_for(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    _, report = verdict(path, signer)
    assert verdict(path, signer, arguments=["--cid", report["cid"]])[0] == 0
    other = "bafkreiablk6x6xgfpiw5ss3vsdyevwaiijzzaxxdh3c45pvomitwvf7ymi"
    code, report = verdict(path, signer, arguments=["--cid", other])
    assert code == 4
    assert [c["name"] for c in report["checks"] if c["ok"] is False] == ["cid"]


# --- configurations --------------------------------------------------------------------------

CONFIGS: dict[str, tuple[str, bytes, str]] = {
    "auto_map": (
        "processor/processor_config.json",
        b'{"auto_map": {"AutoProcessor": "evil--processing.Evil"}}',
        "auto_map could make a loader run code",
    ),
    "auto_map deep inside": (
        "processor/tokenizer_config.json",
        b'{"a": [{"b": {"auto_map": {"AutoTokenizer": ["evil.Evil", null]}}}]}',
        "auto_map could make a loader run code",
    ),
    "auto_map under an escape": (
        "processor/processor_config.json",
        b'{"\\u0061uto_map": {"AutoProcessor": "x.Y"}}',
        "auto_map could make a loader run code",
    ),
    "auto_map in the adapter": (
        "adapter/adapter_config.json",
        b'{"auto_mapping":{"base_model_class":"x","parent_library":"evil"}}',
        "auto_mapping could make a loader run code",
    ),
    "trust_remote_code": (
        "processor/config.json",
        b'{"trust_remote_code": true}',
        "trust_remote_code could make a loader run code",
    ),
    "duplicate key": ("processor/config.json", b'{"a": 1, "a": 2}', "stands twice"),
    "NaN": ("processor/config.json", b'{"a": NaN}', "NaN is not JSON"),
    "huge number": ("processor/config.json", b'{"a": 1e999}', "beyond a double"),
    "huge integer": ("processor/config.json", b'{"a": ' + b"9" * 5000 + b"}", "beyond 2^53"),
    "deep nesting": ("processor/config.json", b"[" * 900 + b"]" * 900, "nested deeper"),
    "not an object": ("processor/config.json", b"[]", "not an object"),
    "not JSON": ("processor/config.json", b"import os", "line 1"),
    "pickle": ("processor/config.json", pickle.dumps({}), "not UTF-8"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration(name: str, tmp_path: Path) -> None:
    file, data, words = CONFIGS[name]
    path, signer = signed(tmp_path, {file: data})
    assert_refused(path, signer, "configs", words)


# --- modules and adapter ---------------------------------------------------------------------

MODULES: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "duplicate key": (replaced(b'"format":', b'"format":1,"format":'), "modules", "stands twice"),
    "not canonical": (replaced(b":", b": "), "modules", "canonical form"),
    "deep nesting": (lambda _: b"[" * 900 + b"]" * 900, "modules", "nested deeper"),
    "another format": (edited(lambda v: v.update(format="x")), "modules", "kolm-modules/1"),
    "unsorted": (edited(lambda v: v["trainable"].reverse()), "modules", "not sorted"),
    "twice": (edited(lambda v: v["frozen"].append(v["frozen"][-1])), "modules", "names one twice"),
    "trainable and frozen": (
        edited(
            lambda v: v["frozen"].append(
                {k: v["trainable"][-1][k] for k in ("name", "part", "shape", "dtype")}
            )
        ),
        "modules",
        "as trainable and as frozen",
    ),
    "nothing trainable": (edited(lambda v: v.update(trainable=[])), "modules", "nothing is listed"),
    "unknown part": (edited(lambda v: v["frozen"][0].update(part="x")), "modules", "no part"),
    "summary disagrees": (
        edited(lambda v: v["frozen"].pop()),
        "modules",
        "vlm_train.frozen_modules does not summarise",
    ),
    "tensor in no file": (
        edited(lambda v: v["trainable"][0].update(tensor="x")),
        "adapter",
        "does not hold x",
    ),
    "shape": (edited(lambda v: v["trainable"][0].update(shape=[8, 2])), "adapter", "is F32 (2, 8)"),
    "dtype": (edited(lambda v: v["trainable"][0].update(dtype="BF16")), "adapter", "not BF16"),
    "file": (
        edited(lambda v: v["trainable"][0].update(file="adapter/vision.safetensors")),
        "adapter",
        "vision.safetensors does not hold",
    ),
    "escaping file": (
        edited(lambda v: v["trainable"][0].update(file="../x.safetensors")),
        "modules",
        "kind or file is wrong",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str, tmp_path: Path) -> None:
    change, check, words = MODULES[name]
    path, signer = signed(tmp_path, {"modules.json": change(part("modules.json"))})
    assert_refused(path, signer, check, words)


def tensors(edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    """Edits the header of a safetensors file; the tensors stay."""

    def change(data: bytes) -> bytes:
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])
        edit(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return change


def raw_header(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        length = struct.unpack("<Q", data[:8])[0]
        text = edit(data[8 : 8 + length])
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return change


A0 = f"{factory.LORA}model.language_model.layers.0.self_attn.q_proj.lora_A.weight"
B0 = A0.replace("lora_A", "lora_B")

SAFETENSORS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "duplicate key": (
        raw_header(lambda t: t.replace(b'"__metadata__"', b'"__metadata__":{},"__metadata__"', 1)),
        "stands twice",
    ),
    "the same tensor twice": (
        raw_header(lambda t: t.replace(B0.encode(), A0.encode(), 1)),
        "stands twice",
    ),
    "oversized header": (lambda d: struct.pack("<Q", 1 << 40) + d[8:], "the header claims"),
    "header beyond the file": (lambda d: struct.pack("<Q", 1 << 20) + d[8:], "inside its header"),
    "no header": (lambda _: b"\1\2", "inside its header"),
    "no bytes": (lambda _: b"", "inside its header"),
    "header is a list": (raw_header(lambda t: b"[1]"), "does not begin with {"),
    "header begins with a space": (raw_header(lambda t: b" " + t), "does not begin with {"),
    "header is a pickle": (raw_header(lambda t: pickle.dumps({})), "does not begin with {"),
    "NaN": (raw_header(lambda t: t.replace(b"[2,8]", b"[2,NaN]", 1)), "NaN is not JSON"),
    "deep nesting": (raw_header(lambda t: b'{"a":' + b"[" * 99 + b"]" * 99 + b"}"), "deeper"),
    "more metadata": (
        tensors(lambda h: h["__metadata__"].update(evil="x")),
        "says more than the format",
    ),
    "metadata that is not text": (
        tensors(lambda h: h["__metadata__"].update(format=1)),
        "does not map texts",
    ),
    "gap": (tensors(lambda h: h.pop(A0)), "leaves a gap"),
    "overlap": (tensors(lambda h: h[B0].update(data_offsets=[0, 64])), "overlaps another"),
    "offsets backwards": (tensors(lambda h: h[A0].update(data_offsets=[64, 0])), "data_offsets"),
    "negative offset": (tensors(lambda h: h[A0].update(data_offsets=[-64, 0])), "data_offsets"),
    "true as an offset": (tensors(lambda h: h[A0].update(data_offsets=[True, 65])), "data_offsets"),
    "bytes behind": (lambda d: d + b"\0" * 8, "fill"),
    "bytes missing": (lambda d: d[:-4], "fill"),
    "shape and bytes disagree": (tensors(lambda h: h[A0].update(shape=[2, 9])), "of its shape"),
    "negative shape": (tensors(lambda h: h[A0].update(shape=[-2, -8])), "no shape"),
    "many dimensions": (tensors(lambda h: h[A0].update(shape=[1] * 40)), "no shape"),
    "unknown dtype": (tensors(lambda h: h[A0].update(dtype="F99")), "the dtype 'F99'"),
    "another dtype": (tensors(lambda h: h[A0].update(dtype="I32")), "is I32"),
    "unknown field": (tensors(lambda h: h[A0].update(code="x")), "has not exactly dtype"),
    "renamed tensor": (
        raw_header(lambda t: t.replace(b"q_proj", b"k_proj")),
        "is not in modules.json",
    ),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors(name: str, tmp_path: Path) -> None:
    change, words = SAFETENSORS[name]
    path, signer = signed(tmp_path, {ADAPTER: change(part(ADAPTER))})
    assert_refused(path, signer, "adapter", words)


def test_a_further_tensor_that_modules_json_does_not_list(tmp_path: Path) -> None:
    data = factory.safetensors_bytes({"model.visual.merger.mlp.0.weight": [4, 4], "z.evil": [2]})
    path, signer = signed(tmp_path, {"adapter/projector.safetensors": data})
    assert_refused(path, signer, "adapter", "z.evil of adapter/projector.safetensors is not in")


@pytest.mark.parametrize(
    ("key", "value"),
    [("peft_type", "BONE"), ("base_model_name_or_path", "evil/base"), ("r", 3), ("lora_alpha", 9)],
)
def test_the_adapter_configuration_must_fit(key: str, value: Any, tmp_path: Path) -> None:
    file = "adapter/adapter_config.json"
    path, signer = signed(tmp_path, {file: edit_json(part(file), lambda v: v.update({key: value}))})
    assert_refused(path, signer, "adapter", f"{key} is {value!r}")


# --- data and score --------------------------------------------------------------------------


def line(number: int, edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines[number] = edit_json(lines[number], edit)
        return b"\n".join(lines)

    return change


def without(number: int) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(x for i, x in enumerate(data.split(b"\n")) if i != number)


DATA: dict[str, tuple[str, Callable[[bytes], bytes], str, str]] = {
    "a training row less": ("data/train.jsonl", without(2), "dataset", "is not the training data"),
    "another training row": (
        "data/train.jsonl",
        line(2, lambda v: v.update(sha256="0" * 64)),
        "dataset",
        "is not the training data",
    ),
    "another image": (
        "data/train.jsonl",
        line(2, lambda v: v["images"].append("0" * 64)),
        "dataset",
        "is not the training data",
    ),
    "training text": (
        "data/train.jsonl",
        line(2, lambda v: v.update(prompt="secret")),
        "dataset",
        "line 3: has not exactly the keys",
    ),
    "a line that is not canonical": (
        "data/train.jsonl",
        replaced(b":", b": "),
        "dataset",
        "line 1: not in canonical form",
    ),
    "duplicate key in a line": (
        "data/train.jsonl",
        replaced(b'{"id":', b'{"id":"x","id":'),
        "dataset",
        "stands twice",
    ),
    "last line without an end": (
        "data/train.jsonl",
        lambda d: d[:-1],
        "dataset",
        "the last line has no end",
    ),
    "a very long line": (
        "data/train.jsonl",
        lambda d: b'{"id":"' + b"x" * 2_000_000 + b'"}\n' + d,
        "dataset",
        "line 1",
    ),
    "dataset of another form": (
        "data/dataset.json",
        edited(lambda v: v.update(format="x")),
        "dataset",
        "kolm-dataset/1",
    ),
    "eval rows": (
        "data/dataset.json",
        edited(lambda v: v["eval"].update(rows=9)),
        "dataset",
        "is not the evaluation data",
    ),
    "evaluation of another form": (
        "eval/evaluation.json",
        edited(lambda v: v.update(format="x")),
        "k-score",
        "kolm-eval/1",
    ),
    "another metric": (
        "eval/evaluation.json",
        edited(lambda v: v.update(metric="anls")),
        "k-score",
        "metric: the receipt says 'exact_match'",
    ),
    "unknown metric": (
        "eval/evaluation.json",
        edited(lambda v: v.update(metric="always_one")),
        "k-score",
        "there is no metric 'always_one'",
    ),
    "another price": (
        "eval/evaluation.json",
        edited(lambda v: v.update(usd_per_hour=0.01)),
        "k-score",
        "K: the receipt says",
    ),
    "no price": (
        "eval/evaluation.json",
        edited(lambda v: v.update(usd_per_hour=None)),
        "k-score",
        "the files give None",
    ),
    "a gate that was not met": (
        "eval/evaluation.json",
        edited(lambda v: v["gate"].update(accuracy=0.95)),
        "gate",
        "the gate was not met; the receipt says passed: True",
    ),
    "fewer rows than said": (
        "eval/evaluation.json",
        edited(lambda v: v.update(rows=11)),
        "coverage",
        "has 10 rows, not 11",
    ),
    "a hard row left out": (
        "eval/pack.jsonl",
        without(3),
        "coverage",
        "has 9 rows, not 10",
    ),
    "the same row twice": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(id="eval.jsonl:1")),
        "coverage",
        "not 10 different ones",
    ),
    "a row without accepted answers": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(answers=[])),
        "k-score",
        "without an accepted answer",
    ),
    "an answer that is no text": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(answers=[30])),
        "k-score",
        "are not texts",
    ),
    "a better prediction": (
        "eval/predictions.jsonl",
        line(3, lambda v: v.update(prediction="40")),
        "k-score",
        "accuracy: the receipt says 0.8",
    ),
    "a worse base": (
        "eval/base_predictions.jsonl",
        line(0, lambda v: v.update(prediction="?")),
        "k-score",
        "base accuracy: the receipt says 0.1",
    ),
    "a prediction for a row without one": (
        "eval/predictions.jsonl",
        line(7, lambda v: v.update(prediction="?")),
        "coverage",
        "the receipt says 0.9",
    ),
    "a prediction left out": ("eval/predictions.jsonl", without(7), "coverage", "pack's rows"),
    "predictions in another order": (
        "eval/predictions.jsonl",
        lambda d: b"\n".join([*reversed(d.split(b"\n")[:-1]), b""]),
        "coverage",
        "pack's order",
    ),
    "a text that would take long to score": (
        "eval/predictions.jsonl",
        line(0, lambda v: v.update(prediction="x" * 70_000)),
        "k-score",
        "more than 65536 characters",
    ),
    "a prediction that is a number": (
        "eval/predictions.jsonl",
        line(0, lambda v: v.update(prediction=10)),
        "k-score",
        "neither text nor null",
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_data_and_score(name: str, tmp_path: Path) -> None:
    file, change, check, words = DATA[name]
    path, signer = signed(tmp_path, {file: change(part(file))})
    assert_refused(path, signer, check, words)


def train(edit: Callable[[Value], Any]) -> Callable[[Value], Any]:
    return lambda receipt: edit(receipt["vlm_train"]["evidence"])


EVIDENCE: dict[str, tuple[Callable[[Value], Any], str]] = {
    "a frozen part changed": (
        train(lambda e: e["frozen_digests_after"].update(vision="00" * 32)),
        "do not have the same digests",
    ),
    "no digests": (train(lambda e: e.pop("frozen_digests_before")), "do not have the same digests"),
    "a tensor without a gradient": (
        train(lambda e: e.update(tensors_with_gradient=4)),
        "tensors_with_gradient is 4, modules.json lists 5",
    ),
    "other tensors than are listed": (
        train(lambda e: e.update(tensors_trainable=6)),
        "tensors_trainable is 6",
    ),
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence(name: str, tmp_path: Path) -> None:
    edit, words = EVIDENCE[name]
    path, signer = claiming(tmp_path, edit)
    assert_refused(path, signer, "evidence", words)


def claiming(tmp_path: Path, edit: Callable[[Value], Any]) -> tuple[Path, keys.Signer]:
    """A bundle whose receipt says something else, signed by a trusted key."""
    content = factory.make_content()
    receipt = json.loads(canonical_json.dumps(dict(content.receipt)))
    edit(receipt)
    signer = keys.generate()
    build_bundle(replace(content, receipt=receipt), signer, tmp_path / "a.kolm")
    return tmp_path / "a.kolm", signer


CLAIMS: dict[str, tuple[Callable[[Value], Any], str]] = {
    "a higher K": (lambda e: e["k_score"].update(k=0.99), "k-score"),
    "K without a decimal": (lambda e: e["k_score"].update(k="0.8"), "k-score"),
    "an axis": (lambda e: e["k_score"]["axes"].update(A=1.0), "k-score"),
    "an axis more": (lambda e: e["k_score"]["axes"].update(X=1.0), "k-score"),
    "another formula": (lambda e: e["k_score"].update(spec="k-score-0"), "k-score"),
    "accuracy": (lambda e: e.update(accuracy=0.9), "k-score"),
    "accuracy as text": (lambda e: e.update(accuracy="0.8"), "k-score"),
    "true as an accuracy": (lambda e: e.update(accuracy=True), "k-score"),
    "base accuracy": (lambda e: e.update(base_accuracy=0.0), "k-score"),
    "no K": (lambda e: e.pop("k_score"), "k-score"),
    "latency": (lambda e: e.update(latency_us=1), "k-score"),
    "negative latency": (lambda e: e.update(latency_us=-1), "k-score"),
    "latency as text": (lambda e: e.update(latency_us="1"), "k-score"),
    "no latency": (lambda e: e.pop("latency_us"), "k-score"),
    "coverage": (lambda e: e.update(coverage=1.0), "coverage"),
    "no coverage": (lambda e: e.pop("coverage"), "coverage"),
    "gate": (lambda e: e["gate"].update(passed=False), "gate"),
    "gate passed as text": (lambda e: e["gate"].update(passed="yes"), "gate"),
    "no gate": (lambda e: e.pop("gate"), "gate"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_signed_claim_that_the_files_contradict(name: str, tmp_path: Path) -> None:
    edit, check = CLAIMS[name]
    path, signer = claiming(tmp_path, lambda receipt: edit(receipt["evaluation"]))
    assert_refused(path, signer, check, "")


def test_an_honest_receipt_of_a_gate_that_was_not_met_is_intact(tmp_path: Path) -> None:
    files = factory.make_files()
    files["eval/evaluation.json"] = edit_json(
        part("eval/evaluation.json"), lambda v: v["gate"].update(accuracy=0.95)
    )
    path, signer = good(tmp_path / "a.kolm", files=files)
    code, report = verdict(path, signer)
    assert code == 0
    detail = next(c["detail"] for c in report["checks"] if c["name"] == "gate")
    assert detail.startswith("NOT met, as the receipt says: accuracy 0.8000 is below")


def test_what_cannot_be_recomputed_never_passes(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm", files=factory.make_files(include="digests"))
    code, report = verdict(path, signer)
    assert code == 0
    told = {c["name"]: (c["ok"], c["detail"]) for c in report["checks"]}
    for name in ("k-score", "gate", "coverage"):
        assert told[name][0] is None
        assert told[name][1].startswith("not recomputable")


def test_digests_with_predictions_beside_them(tmp_path: Path) -> None:
    closed = factory.make_files(include="digests")
    files = {**closed, "eval/predictions.jsonl": part("eval/predictions.jsonl")}
    path, signer = good(tmp_path / "a.kolm", files=files)
    assert_refused(path, signer, "k-score", "stands beside an evaluation by digests alone")
