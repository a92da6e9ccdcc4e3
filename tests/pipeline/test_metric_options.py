"""A metric's option on its whole way: spec, evaluation.json, receipt, verifier, `kolm eval`."""

from __future__ import annotations

import json
import zipfile

from tests.support.jobs import Compiled


def test_a_tolerance_reaches_the_verifier(own_compiled: Compiled) -> None:
    metric = {"name": "relaxed_accuracy", "tolerance": 0.25}
    job = own_compiled.job
    job.write_spec(evaluate={"metric": metric})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    bundle = done.json["bundle"]
    with zipfile.ZipFile(bundle) as opened:
        evaluation = json.loads(opened.read("eval/evaluation.json"))
    assert evaluation["format"] == "kolm-eval/2"
    assert (evaluation["metric"], evaluation["metric_options"]) == (
        "relaxed_accuracy",
        {"tolerance": 0.25},
    )
    definition = done.json["receipt"]["predicate"]["buildDefinition"]
    assert definition["internalParameters"]["evaluation"]["metric_options"] == {"tolerance": 0.25}
    verified = job.kolm("verify", bundle, "--json").json
    assert {check["name"]: check["ok"] for check in verified["checks"]}["k-score"] is True

    # The default, written or not, is the same bundle; the weights are not trained again.
    job.write_spec(evaluate={"metric": {"name": "relaxed_accuracy", "tolerance": 0.05}})
    written = job.kolm("compile", "spec.yaml", "--json").json
    job.write_spec(evaluate={"metric": "relaxed_accuracy"})
    plain = job.kolm("compile", "spec.yaml", "--json").json
    assert len({done.json["cid"], written["cid"], plain["cid"]}) == 3
