"""Good bundles, changed at random thousands of times: none verifies, none crashes the verifier."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, verify
from kolm_cli.core import canonical_json
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import KolmError
from tests.bundle import factory
from tests.bundle.forge import archive, files_of, items_of, pack

Mutation = Callable[[bytes], bytes]


def often(examples: int) -> settings:
    """Each example must end within a second, however hostile it is."""
    return settings(
        max_examples=examples,
        deadline=timedelta(seconds=1),
        suppress_health_check=list(HealthCheck),
    )


def encoded(value: Any) -> bytes:
    """Canonical JSON, or the next best of what has no canonical form."""
    try:
        return canonical_json.dumps(value)
    except KolmError:
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, repr=False)
class Good:
    """A bundle whose signer the policy trusts, and where mutants are written."""

    data: bytes
    files: dict[str, bytes]
    signer: keys.Signer
    policy: TrustPolicy
    mutant: Path

    def judge(self, data: bytes) -> Report:
        self.mutant.write_bytes(data)
        return verify(self.mutant, self.policy)

    def assert_refused(self, data: bytes) -> None:
        """Only the very bytes that were signed are anything but invalid."""
        report = self.judge(data)
        assert report.state == "invalid" or data == self.data


@pytest.fixture(scope="module", params=["ecdsa-p256", "ed25519"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Good:
    folder = tmp_path_factory.mktemp("mutants")
    signer = keys.generate(request.param)
    stages = factory.STAGES if request.param == "ecdsa-p256" else factory.STAGES[1:]
    path = factory.make_bundle(folder / "good.kolm", signer, stages=stages).path
    policy = factory.trusting(signer)
    assert verify(path, policy).state == "trusted"
    return Good(path.read_bytes(), files_of(path), signer, policy, folder / "mutant.kolm")


# --- bytes -----------------------------------------------------------------------------------

positions = st.integers(0, 1 << 20)


def flip(at: int, bit: int) -> Mutation:
    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

    return change


def insert(at: int, what: bytes) -> Mutation:
    return lambda data: data[: at % (len(data) + 1)] + what + data[at % (len(data) + 1) :]


def delete(at: int, count: int) -> Mutation:
    return lambda data: data[: at % len(data)] + data[at % len(data) + count :]


def overwrite(at: int, what: bytes) -> Mutation:
    return lambda data: data[: at % len(data)] + what + data[at % len(data) + len(what) :]


def move(source: int, count: int, to: int) -> Mutation:
    def change(data: bytes) -> bytes:
        start = source % len(data)
        piece = data[start : start + count]
        rest = data[:start] + data[start + count :]
        place = to % (len(rest) + 1)
        return rest[:place] + piece + rest[place:]

    return change


def truncate(at: int) -> Mutation:
    return lambda data: data[: at % len(data)]


# Few bytes, and those that mean something to a ZIP, JSON, base64 or DER.
pieces = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from(
        [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\xff" * 4, b"\0" * 8]
    ),
    st.sampled_from([b'"', b"{", b"}", b"\\u0000", b"NaN", b"1e999", b"=", b",", b" ", b"\n"]),
)
byte_mutations = st.one_of(
    st.builds(flip, positions, st.integers(0, 7)),
    st.builds(insert, positions, pieces),
    st.builds(delete, positions, st.integers(1, 200)),
    st.builds(overwrite, positions, pieces),
    st.builds(move, positions, st.integers(1, 400), positions),
    st.builds(truncate, positions),
)


def mutated_bytes(good: Good, mutations: list[Mutation]) -> bytes:
    data = good.data
    for mutation in mutations:
        data = mutation(data) or data
    return data


@often(900)
@given(mutations=st.lists(byte_mutations, min_size=1, max_size=3))
def test_bytes(good: Good, mutations: list[Mutation]) -> None:
    good.assert_refused(mutated_bytes(good, mutations))


@pytest.mark.slow
@often(15_000)
@given(mutations=st.lists(byte_mutations, min_size=1, max_size=4))
def test_bytes_thoroughly(good: Good, mutations: list[Mutation]) -> None:
    good.assert_refused(mutated_bytes(good, mutations))


@pytest.mark.slow
def test_every_bit(good: Good) -> None:
    """Not at random: each bit of the file, one after the other."""
    for place in range(len(good.data)):
        good.assert_refused(flip(place, place % 8)(good.data))


# --- entries ---------------------------------------------------------------------------------

names = st.one_of(
    st.sampled_from([*factory.make_files(), "manifest.json", "attestations/model.sig"]),
    st.from_regex(r"(adapter|processor|eval|attestations)/[a-z0-9]{1,8}\.(json|pkl|py|pem)"),
    st.text(max_size=12),
)


@st.composite
def entry_mutants(draw: st.DrawFn, good: Good) -> bytes:
    """A structurally faultless archive with other entries."""
    items = items_of_bytes(good)
    at = draw(st.integers(0, len(items) - 1))
    other = draw(st.integers(0, len(items) - 1))
    kind = draw(st.sampled_from(["drop", "twice", "rename", "swap", "content", "exchange", "add"]))
    if kind == "drop":
        items = items[:at] + items[at + 1 :]
    elif kind == "twice":
        items = [*items[: other + 1], items[at], *items[other + 1 :]]
    elif kind == "rename":
        items[at] = replace(items[at], name=draw(names).encode("utf-8", "surrogatepass"))
    elif kind == "swap":
        items[at], items[other] = items[other], items[at]
    elif kind == "content":
        items[at] = replace(items[at], data=draw(st.binary(max_size=60)))
    elif kind == "exchange":
        items[at] = replace(items[at], data=items[other].data)
    else:
        name = draw(names).encode("utf-8", "surrogatepass")
        items.insert(at, replace(items[at], name=name))
    return archive(items)


def items_of_bytes(good: Good) -> list[Any]:
    path = good.mutant.with_name("source.kolm")
    if not path.exists():
        path.write_bytes(good.data)
    return items_of(path)


@often(500)
@given(data=st.data())
def test_entries(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(entry_mutants(good)))


@pytest.mark.slow
@often(6_000)
@given(data=st.data())
def test_entries_thoroughly(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(entry_mutants(good)))


# --- JSON values -----------------------------------------------------------------------------

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "manifest.json", "capture", "../x", "0" * 64, "F32", "lora"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)

Place = tuple[Any, Any]  # a container and a key of it


def places(value: Any) -> Iterator[Place]:
    keyed = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in keyed:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def change_value(draw: st.DrawFn, value: Any) -> None:
    """Replaces, removes or adds one value somewhere in a JSON document."""
    found = list(places(value))
    if not found:
        return
    holder, key = found[draw(st.integers(0, len(found) - 1))]
    kind = draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
    if kind == "replace":
        holder[key] = draw(values)
    elif kind == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, holder[key] if kind == "repeat" else draw(values))
    else:
        holder[draw(st.text(max_size=6))] = draw(values)


def mend(files: dict[str, bytes], changed: str) -> dict[str, bytes]:
    """The manifest made to fit a changed file, so that later checks get to see it."""
    if changed == "manifest.json":
        return files
    manifest = json.loads(files["manifest.json"])
    for record in manifest["files"]:
        if record["path"] == changed:
            record.update(size=len(files[changed]), sha256=sha256_bytes(files[changed]))
    return {**files, "manifest.json": encoded(manifest)}


@st.composite
def json_mutants(draw: st.DrawFn, good: Good) -> bytes:
    files = dict(good.files)
    name = draw(st.sampled_from([n for n in files if n.endswith((".json", ".jsonl", ".sig"))]))
    number, lines = 0, [files[name]]
    if name.endswith(".jsonl"):
        lines = files[name].split(b"\n")
        number = draw(st.integers(0, len(lines) - 2))
    value = json.loads(lines[number])
    inside = "dsseEnvelope" in value and draw(st.booleans())
    target = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"])) if inside else value
    change_value(draw, target)
    if inside:
        value["dsseEnvelope"]["payload"] = base64.b64encode(encoded(target)).decode()
    lines[number] = encoded(value)
    files[name] = b"\n".join(lines)
    return pack(mend(files, name) if draw(st.booleans()) else files)


@often(600)
@given(data=st.data())
def test_json_values(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(json_mutants(good)))


@pytest.mark.slow
@often(8_000)
@given(data=st.data())
def test_json_values_thoroughly(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(json_mutants(good)))


# --- signed nonsense -------------------------------------------------------------------------


@st.composite
def nonsense(draw: st.DrawFn) -> tuple[Any, ...]:
    """Contents that a trusted key signs although they make no sense."""
    content = factory.make_content()
    files = dict(content.files)
    name = draw(st.sampled_from(sorted(files)))
    data = files[name]
    assert isinstance(data, bytes)
    if name.endswith((".json", ".jsonl")) and draw(st.booleans()):
        lines = data.split(b"\n") if name.endswith(".jsonl") else [data]
        value = json.loads(lines[0])
        change_value(draw, value)
        lines[0] = encoded(value)
        files[name] = b"\n".join(lines)
    else:
        for mutation in draw(st.lists(byte_mutations, max_size=2)):
            data = mutation(data) if data else data
        files[name] = data
    receipt = json.loads(canonical_json.dumps(dict(content.receipt)))
    if draw(st.booleans()):
        change_value(draw, receipt)
    return replace(content, files=files, receipt=receipt)  # type: ignore[return-value]


def judged(good: Good, content: Any) -> Report | None:
    try:
        build_bundle(content, good.signer, good.mutant)
    except KolmError:
        return None  # what cannot be written need not be verified
    return verify(good.mutant, good.policy)


@often(200)
@given(content=nonsense())
@example(content=factory.make_content())
def test_signed_nonsense_gets_a_verdict(good: Good, content: Any) -> None:
    """The signer is trusted, so some of it verifies; none of it may crash the verifier."""
    report = judged(good, content)
    assert report is None or report.state in ("trusted", "invalid")


@pytest.mark.slow
@often(2_000)
@given(content=nonsense())
def test_signed_nonsense_thoroughly(good: Good, content: Any) -> None:
    report = judged(good, content)
    assert report is None or report.state in ("trusted", "invalid")
