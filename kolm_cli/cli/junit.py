"""JUnit XML: each gate is a test case, so that a job's page shows what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from kolm_cli.cli.verdict import ruling_text
from kolm_cli.core.printable import printable


def junit(report: Mapping[str, Any]) -> bytes:
    """A finished compile as a test suite."""
    rulings = report["rulings"]
    failed = [ruling for ruling in rulings if not ruling["passed"]]
    name = str(report["receipt"]["predicate"]["buildDefinition"]["externalParameters"]["name"])
    counts = {"tests": str(len(rulings) + 1), "failures": str(len(failed)), "errors": "0"}
    suites = Xml.Element("testsuites", counts)
    suite = Xml.SubElement(suites, "testsuite", {"name": f"kolm.{name}", **counts})
    properties = Xml.SubElement(suite, "properties")
    for key, value in (
        ("cid", report["cid"]),
        ("bundle", report["bundle"]),
        ("accuracy", report["accuracy"]),
        ("base_accuracy", report["base_accuracy"]),
        ("k", report["k_score"]["k"]),
    ):
        if value is not None:  # K is undefined without a price
            Xml.SubElement(properties, "property", {"name": key, "value": printable(str(value))})
    Xml.SubElement(suite, "testcase", {"classname": f"kolm.{name}", "name": "compiled"})
    for ruling in rulings:
        case = Xml.SubElement(
            suite,
            "testcase",
            {"classname": f"kolm.{name}.gate", "name": printable(str(ruling["gate"]))},
        )
        if not ruling["passed"]:
            message = printable(str(ruling["note"]))
            Xml.SubElement(case, "failure", {"message": message}).text = message
        Xml.SubElement(case, "system-out").text = printable(ruling_text(ruling))
    Xml.indent(suites)
    text: bytes = Xml.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
