"""`kolm diff` names what changed, and nothing that did not."""

from __future__ import annotations

import json
from pathlib import Path

from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from kolm_cli.core.progress import Silent
from kolm_cli.registry.differences import compare
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry
from tests.bundle import factory
from tests.registry.helpers import bundle
from tests.support.command import kolm


def test_a_bundle_and_itself_do_not_differ(tmp_path: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    found = kolm("diff", built.path, built.path, "--json").json
    assert found.pop("same_content") is True
    assert found.pop("cids") == [built.cid, built.cid]
    for part in found.values():
        assert not any(part.values()) if isinstance(part, dict) else not part


def test_each_change_is_named_and_no_other(tmp_path: Path) -> None:
    signer = keys.generate()
    before = factory.make_files()
    after = dict(before)
    after["spec.yaml"] = b"name: tiny-chart\n"
    rows = factory.lines_of(before, "data/train.jsonl")
    rows[1]["sha256"] = factory.digest("another text")
    rows.append({"id": "train.jsonl:6", "sha256": factory.digest("new"), "images": []})
    del rows[0]
    after["data/train.jsonl"] = factory.jsonl(rows)
    dataset = json.loads(after["data/dataset.json"])  # type: ignore[arg-type]
    dataset["train"] = {
        "rows": 5,
        "images": 4,
        "sha256": factory.hashlib.sha256(
            canonical_json.dumps([[row["id"], row["sha256"]] for row in rows])
        ).hexdigest(),
    }
    after["data/dataset.json"] = canonical_json.dumps(dataset)
    said = factory.lines_of(before, "eval/predictions.jsonl")
    assert said[3]["prediction"] == "no idea"
    said[3]["prediction"], said[0]["prediction"], said[7]["prediction"] = "40", "wrong", "hm"
    after["eval/predictions.jsonl"] = factory.jsonl(said)
    a = factory.make_bundle(tmp_path / "a.kolm", signer, files=before)
    b = factory.make_bundle(tmp_path / "b.kolm", signer, files=after)
    found = compare(a.path, b.path)
    assert found.cids == (a.cid, b.cid)
    assert not found.base
    assert found.spec == {"kolm": (1, None)}
    assert found.train.added == ["train.jsonl:6"]
    assert found.train.removed == ["train.jsonl:1"]
    assert found.train.changed == ["train.jsonl:2"]
    assert not found.eval
    assert not found.trainable
    assert not found.frozen
    assert found.predictions.differ == ["eval.jsonl:1", "eval.jsonl:4", "eval.jsonl:8"]
    assert found.predictions.better == ["eval.jsonl:4"]
    assert found.predictions.worse == ["eval.jsonl:1"]
    assert found.scores["coverage"] == (0.9, 1.0)
    assert "accuracy" not in found.scores, "one row up, one row down"
    assert found.scores["k"][0] < found.scores["k"][1]
    assert sorted(found.files.changed) == [
        "data/dataset.json", "data/train.jsonl", "eval/predictions.jsonl", "spec.yaml",
    ]  # fmt: skip
    assert not found.signers
    text = kolm("diff", a.path, b.path).out
    assert "kolm: 1 -> (none)" in text
    assert "+ train.jsonl:6" in text
    assert "coverage: 0.9 -> 1  (+0.1)" in text


def test_names_in_the_registry_are_compared_and_other_signers_seen(tmp_path: Path) -> None:
    one, two = (bundle(tmp_path / f"{n}.kolm", 1) for n in (1, 2))
    registry = Registry()
    registry.push(one.path, Tag("x", "1"), Silent())
    registry.push(two.path, Tag("x", "2"), Silent())
    found = kolm("diff", "x:1", "x:2", "--json").json
    assert found["same_content"] is True
    assert len(found["signers"]["added"]) == len(found["signers"]["removed"]) == 1
    assert not list((registry.root.parent / "tmp").iterdir())


def test_what_a_bundle_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    files = factory.make_files()
    files["spec.yaml"] = b'kolm: 1\nname: "\\e[2J evil"\n'
    a = bundle(tmp_path / "a.kolm")
    b = factory.make_bundle(tmp_path / "b.kolm", files=files)
    out = kolm("diff", a.path, b.path).out
    assert "evil" in out
    assert "\x1b" not in out
