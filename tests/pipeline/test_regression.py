"""Groups, weights and a comparison with the bundle before: spec, rows, bundle, verifier."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from tests.support.jobs import Compiled, Job


def group_rows(job: Job) -> None:
    """Put the evaluation rows into two groups; one counts more, one has a metric of its own."""
    path = job.folder / "eval.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for place, row in enumerate(rows):
        row["group"] = "odd" if place % 2 else "even"
    rows[0]["weight"] = 3
    rows[1]["metric"] = "anls"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_gate_on_groups_and_on_the_bundle_before(own_compiled: Compiled) -> None:
    job, before = own_compiled.job, own_compiled.report["cid"]
    group_rows(job)
    gate = {
        "groups": {"odd": 0.0},
        "worst_group": 0.0,
        "axes": {"S": 0.1},
        "no_regression": {"against": "tiny:latest", "margin": 0.05},
    }
    job.write_spec(evaluate={"gate": gate})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    # The pack is another one, so that the bundle before had to answer it.
    previous = done.json["compared"]["previous"]
    assert (previous["against"], previous["cid"]) == ("tiny:latest", before)
    assert [r["gate"] for r in done.json["rulings"]] == [
        "axes.S", "groups.odd", "worst_group", "no_regression",
    ]  # fmt: skip
    assert set(done.json["groups"]) == {"even", "odd"}

    with zipfile.ZipFile(done.json["bundle"]) as opened:
        evaluation = json.loads(opened.read("eval/evaluation.json"))
        line = json.loads(opened.read("eval/pack.jsonl").splitlines()[0])
    assert evaluation["format"] == "kolm-eval/3"
    assert evaluation["row_keys"] == ["group", "metric", "weight"]
    assert (line["group"], line["metric"], line["weight"]) == ("even", None, 3)
    verified = job.kolm("verify", done.json["bundle"], "--json").json
    assert verified["state"] == "trusted", verified

    # It is the bundle of that name now, and is not made again to be compared with itself.
    again = job.kolm("compile", "spec.yaml", "--json")
    assert (again.code, again.json["cached"]) == (0, True), again.err
    assert again.json["cid"] == done.json["cid"]


def test_what_cannot_be_compared_is_said_before_anything_is_trained(
    own_compiled: Compiled, tmp_path: Path
) -> None:
    job = own_compiled.job
    for gate, words in (
        ({"no_regression": {"against": "other:latest"}}, "gate.no_regression.against"),
        ({"no_regression": {"against": "dist/tiny.kolm"}}, "no bundle of the registry"),
        ({"groups": {"dates": 0.5}}, "no evaluation row is in the group 'dates'"),
        ({"worst_group": 0.5}, "no evaluation row is in a group"),
        ({"axes": {"X": 0.5}}, "gate.axes"),
        ({"axes": {}}, "gate.axes"),
        ({"groups": {}}, "gate.groups"),
    ):
        job.write_spec(evaluate={"gate": gate}, train={"seed": 7})
        done = job.kolm("compile", "spec.yaml", "--json")
        assert done.code == 2, done.out
        assert words in done.err
    # A tag that was removed is not taken for a first compile.
    job.write_spec(evaluate={"gate": {"no_regression": {"against": "tiny:latest"}}})
    assert job.kolm("rm", "tiny:latest").code == 0
    done = job.kolm("compile", "spec.yaml")
    assert done.code == 2
    assert "was the tag removed?" in done.err
    assert f"kolm tag {own_compiled.report['cid']} tiny:latest" in done.err
    # The first compile of a name has nothing to be worse than.
    job.write_spec(name="first", evaluate={"gate": {"no_regression": {"against": "first:live"}}})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert done.json["compared"]["previous"] == {"against": "first:live", "cid": None}
    assert "there is no first:live yet" in done.err
