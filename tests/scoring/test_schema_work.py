"""A stranger's schema cannot keep a verifier busy."""

from __future__ import annotations

import json
import time

from kolm_cli.scoring.metrics.catalog import choose


def test_many_alternatives_for_many_values() -> None:
    alternatives = [*({"minimum": number} for number in range(10, 400)), True]
    metric = choose("json_fields", {"schema": {"items": {"anyOf": alternatives}}})
    text = json.dumps([1] * 30_000)
    started = time.process_time()
    assert metric.score(text, [text]) == 0
    assert time.process_time() - started < 5
    few = json.dumps([1] * 50)
    assert metric.score(few, [few]) == 1


def test_a_form_of_many_fields_fits() -> None:
    fields = {f"field{number}": {"type": "string", "maxLength": 80} for number in range(50)}
    schema = {"type": "object", "properties": fields, "required": sorted(fields)}
    text = json.dumps({name: "x" for name in fields})
    assert choose("json_fields", {"schema": schema}).score(text, [text]) == 1
