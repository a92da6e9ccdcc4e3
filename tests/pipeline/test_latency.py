"""K does not flap: what was timed once stays, and a gate within the spread is timed again."""

from __future__ import annotations

import json

import pytest

from tests.support.jobs import Compiled


def test_the_spread_is_in_the_receipt(compiled: Compiled) -> None:
    job, report = compiled.job, compiled.report
    definition = report["receipt"]["predicate"]["buildDefinition"]["internalParameters"]
    spread, median = definition["evaluation"]["latency"], definition["evaluation"]["latency_us"]
    assert spread["answers"] == 30
    assert spread["low_us"] <= median <= spread["high_us"]
    (kept,) = (job.home / "latencies").iterdir()
    assert len(json.loads(kept.read_bytes())) == 30


@pytest.mark.slow  # starts the worker several times
def test_a_gate_within_the_spread_is_timed_again(own_compiled: Compiled) -> None:
    job, report = own_compiled.job, own_compiled.report
    (kept,) = (job.home / "latencies").iterdir()
    # Exactly on the value: no spread leaves it decided, so all that is allowed is measured.
    gate = {"k": report["k_score"]["k"]}
    job.write_spec(evaluate={"gate": gate})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code in (0, 3), done.err
    assert "within the spread of the latency: measuring it again" in done.err
    assert done.json["latency"]["answers"] > 30
    assert len(json.loads(kept.read_bytes())) == done.json["latency"]["answers"]
    (ruling,) = done.json["rulings"]
    low, high = ruling["interval"]
    assert low <= ruling["came"] <= high
    assert job.kolm("verify", done.json["bundle"]).code == 0
    # The same weights on the same device are not timed again, also when they are trained again.
    times = kept.read_bytes()
    forced = job.kolm("compile", "spec.yaml", "--force", "--json")
    assert (forced.code, forced.json["cached"]) == (done.code, False), forced.err
    assert "train: " in forced.err
    assert (forced.json["latency"], forced.json["cid"]) == (done.json["latency"], done.json["cid"])
    assert [one.name for one in (job.home / "latencies").iterdir()] == [kept.name]
    assert kept.read_bytes() == times
