"""Two readers of the format agree: kolm's and `second_reader.py`, which imports none of it."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.checks.catalog import CHECKS
from kolm_cli.bundle.format import configurations
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import verify
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import KolmError
from tests.bundle import factory
from tests.bundle.checks import (
    test_adapter,
    test_chain,
    test_claims,
    test_configs,
    test_dataset,
    test_evidence,
    test_manifest,
    test_modules,
    test_signatures,
)
from tests.bundle.checks.helpers import claiming, part
from tests.bundle.container import test_hostile
from tests.bundle.forge import files_of, items_of, pack
from tests.bundle.mutations.json_changes import mend
from tests.bundle.signing.low_order import LOW
from tests.fuzz.mutate import documents, lines
from tests.interop import second_reader
from tests.interop.two_readers import agreed

READER = Path(second_reader.__file__)
GOLDEN = Path(__file__).parents[1] / "bundle" / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_bytes())


@dataclass(frozen=True)
class Bench:
    """A good bundle, its files, its signer, and where others are written."""

    good: bytes
    files: dict[str, bytes]
    signer: keys.Signer
    path: Path

    @property
    def trust(self) -> TrustPolicy:
        return factory.trusting(self.signer)

    def agree(self, data: bytes) -> str:
        """What both say: `trusted`, `untrusted`, `invalid`; or `undecided`, for kolm to refuse."""
        self.path.write_bytes(data)
        report = verify(self.path, self.trust)
        failed = [check.name for check in report.failed]
        return agreed(data, failed, report.state, report.cid, [self.signer.key_id])


@pytest.fixture(scope="module", params=["ecdsa-p256", "ed25519"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    path, signer = tmp_path_factory.mktemp("readers") / "a.kolm", keys.generate(request.param)
    factory.make_bundle(path, signer)
    return Bench(path.read_bytes(), files_of(path), signer, path)


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    names = re.findall(r"^(?:import|from) (\w+)", READER.read_text(), re.MULTILINE)
    assert set(names) - {"cryptography"} <= set(sys.stdlib_module_names)


def test_it_leaves_checks_that_there_are() -> None:
    assert {check.name for check in CHECKS} >= set(second_reader.UNDECIDED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_golden_bundles(name: str) -> None:
    policy = load_policy(GOLDEN / "trust.toml")
    trusted = [key.id for key in policy.keys]
    needed = policy.threshold(name.removesuffix(".kolm"))
    cid, state = second_reader.read((GOLDEN / name).read_bytes(), trusted, needed)
    assert (cid, state) == (EXPECTED[name]["cid"], EXPECTED[name]["state"])


def test_the_command(tmp_path: Path) -> None:
    signer = keys.generate()
    built = factory.make_bundle(tmp_path / "a.kolm", signer)
    for who, code in ((signer, 0), (keys.generate(), 4)):
        (tmp_path / "key.pem").write_bytes(who.public_pem)
        command = [sys.executable, str(READER), str(built.path), str(tmp_path / "key.pem")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code
        assert built.cid in done.stdout
        assert "k-score" in done.stdout


def test_a_stranger_and_a_good_one(bench: Bench, tmp_path: Path) -> None:
    assert bench.agree(bench.good) == "trusted"
    stranger = factory.make_bundle(tmp_path / "s.kolm").path
    assert bench.agree(stranger.read_bytes()) == "untrusted"


def test_archives(bench: Bench) -> None:
    bench.path.write_bytes(bench.good)
    items = items_of(bench.path)
    for name, (forge, _) in test_hostile.CASES.items():
        assert bench.agree(forge(items)) == "invalid", name


def test_manifests_and_files(bench: Bench) -> None:
    manifest = bench.files["manifest.json"]
    for name, (change, _) in test_manifest.MANIFESTS.items():
        assert bench.agree(pack({**bench.files, "manifest.json": change(manifest)})) == "invalid", (
            name
        )
    for path, data in bench.files.items():
        without = {name: other for name, other in bench.files.items() if name != path}
        assert bench.agree(pack(without)) == "invalid", path
        assert bench.agree(pack({**without, path: data + b" "})) == "invalid", path
    for path in ("adapter/model.pkl", "setup.py", "processor/extra.json", "attestations/x.json"):
        assert bench.agree(pack({**bench.files, path: b"{}"})) == "invalid", path


def test_signatures_and_chains(tmp_path: Path) -> None:
    path, signer = tmp_path / "a.kolm", keys.generate()
    factory.make_bundle(path, signer)
    bench = Bench(path.read_bytes(), files_of(path), signer, path)
    for name, (change, *_) in test_signatures.CASES.items():
        assert bench.agree(pack(change(dict(bench.files)))) == "invalid", name
    for name, (forge, *_) in test_chain.CHAINS.items():
        assert bench.agree(pack(forge(dict(bench.files), signer))) == "invalid", name


def contents() -> Iterator[tuple[str, str, bytes]]:
    """Name, path and content of a file that a trusted key signed all the same."""
    for name, (change, *_) in test_modules.MODULES.items():
        yield f"modules: {name}", "modules.json", change(part("modules.json"))
    for name, (edit, _) in test_adapter.SAFETENSORS.items():
        yield f"adapter: {name}", test_adapter.ADAPTER, edit(part(test_adapter.ADAPTER))
    for name, (path, data, _) in test_configs.CONFIGS.items():
        yield f"configs: {name}", path, data
    for name, (path, forge, *_) in test_dataset.DATA.items():
        yield f"dataset: {name}", path, forge(part(path))


# What only a score shows.
BY_METRIC = {
    "dataset: another metric",
    "dataset: unknown metric",
    "dataset: another price",
    "dataset: no price",
    "dataset: a gate that was not met",
    "dataset: a row without accepted answers",
    "dataset: a better prediction",
    "dataset: a worse base",
    "dataset: a prediction for a row without one",
}


def test_contents_that_a_trusted_key_signed(bench: Bench, tmp_path: Path) -> None:
    for name, path, data in contents():
        content = factory.with_files({path: data})
        built = build_bundle(content, bench.signer, tmp_path / "a.kolm")
        said = bench.agree(built.path.read_bytes())
        assert said == ("undecided" if name in BY_METRIC else "invalid"), name


@pytest.mark.parametrize("include", ["answers", "digests"])
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_evaluations_and_data_changed_at_random(
    include: str, data: st.DataObject, tmp_path: Path
) -> None:
    """One value of one file; the rest fits, and a trusted key signed it."""
    files = factory.make_files(include=include)
    paths = [path for path in files if path.startswith(("eval/", "data/"))]
    path = data.draw(st.sampled_from(sorted(paths)))
    content = files[path]
    assert isinstance(content, bytes)
    strategy = documents if path.endswith(".json") else lines
    changed = data.draw(strategy([content]))
    signer = keys.generate("ed25519")
    try:
        made = factory.with_files({**files, path: changed})
        build_bundle(made, signer, tmp_path / "a.kolm")
    except KolmError:
        return  # what cannot be written need not be read
    Bench(b"", {}, signer, tmp_path / "b.kolm").agree((tmp_path / "a.kolm").read_bytes())


def test_layers_that_target_modules_does_not_name(bench: Bench, tmp_path: Path) -> None:
    """In each of the forms that an expression may have, of one to three towers."""
    path = "adapter/adapter_config.json"
    names = "|".join(["k_proj"] * 40)
    for layers in (r"model\.(?:.*\.)?k_proj", rf"model\..*(?:{names})"):
        for towers in range(1, 5):
            config = {**json.loads(part(path)), "target_modules": "|".join([layers] * towers)}
            content = factory.with_files({path: canonical_json.dumps(config)})
            built = build_bundle(content, bench.signer, tmp_path / "a.kolm")
            said = bench.agree(built.path.read_bytes())
            assert said == "invalid", config["target_modules"]


def test_a_rank_for_a_part_without_lora(tmp_path: Path) -> None:
    path, signer = claiming(tmp_path, lambda said: said["vlm_train"].update(projector_lora_r=8))
    assert Bench(b"", {}, signer, path).agree(path.read_bytes()) == "invalid"


def test_a_rank_of_zero(tmp_path: Path) -> None:
    config = {**json.loads(part("adapter/adapter_config.json")), "r": 0}
    content = factory.with_files({"adapter/adapter_config.json": canonical_json.dumps(config)})
    receipt = json.loads(canonical_json.dumps(dict(content.receipt)))
    receipt["vlm_train"].update(lora_r=0, language_lora_r=receipt["vlm_train"]["lora_r"])
    path, signer = tmp_path / "a.kolm", keys.generate()
    build_bundle(replace(content, receipt=receipt), signer, path)
    assert Bench(b"", {}, signer, path).agree(path.read_bytes()) == "invalid"


OTHER_FORMS = ("true as an accuracy", "negative latency")


def test_claims_about_scores_are_left_undecided_and_those_about_training_are_not(
    tmp_path: Path,
) -> None:
    for name, (change, _) in test_claims.CLAIMS.items():
        path, signer = claiming(tmp_path, lambda receipt, c=change: c(receipt["evaluation"]))
        # A score of another form needs no scoring to be refused.
        formless = name.endswith("as text") or name in OTHER_FORMS
        wanted = "invalid" if formless and "passed" not in name else "undecided"
        assert Bench(b"", {}, signer, path).agree(path.read_bytes()) == wanted, name
    for name, (edit, _) in test_evidence.EVIDENCE.items():
        path, signer = claiming(tmp_path, edit)
        assert Bench(b"", {}, signer, path).agree(path.read_bytes()) == "invalid", name


def test_bytes_changed_at_random(bench: Bench) -> None:
    draw = random.Random(1)  # noqa: S311  # places, not secrets
    for _ in range(400):
        at, much = draw.randrange(len(bench.good)), draw.choice([0, 0, 1, 3])
        piece = draw.choice([draw.randbytes(1), b"", b"\0" * 4, b"PK\5\6", b'"', b"1e999"])
        data = bench.good[:at] + piece + bench.good[at + much :]
        assert bench.agree(data) == ("trusted" if data == bench.good else "invalid")


def test_values_changed_at_random(bench: Bench) -> None:
    """With the manifest made to fit: nobody signed it."""
    draw = random.Random(2)  # noqa: S311
    names = [n for n in bench.files if n.endswith(".json")]
    for _ in range(200):
        name = draw.choice(names)
        value = json.loads(bench.files[name])
        key = draw.choice(list(value))
        value[key] = draw.choice([None, True, 0, -1, 1.5, "x", [], {}, [{}], 2**53 - 1])
        files = mend({**bench.files, name: canonical_json.dumps(value)}, name)
        assert bench.agree(pack(files)) in ("invalid", "trusted")


def test_low_order_keys_are_refused() -> None:
    for raw in LOW:
        key = second_reader.ed25519.Ed25519PublicKey.from_public_bytes(raw)
        spki = second_reader.serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_bytes(second_reader.serialization.Encoding.PEM, spki)
        with pytest.raises(ValueError, match="low-order"):
            second_reader.read_key(pem)


def test_numbers_are_written_as_rfc_8785_says() -> None:
    draw = random.Random(3)  # noqa: S311
    values = [draw.uniform(-1, 1) * 10.0 ** draw.randint(-30, 30) for _ in range(2_000)]
    for value in [*values, 0.0, -0.0, 1e21, 1e16, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, 0.1]:
        assert second_reader.canonical(value).encode() == canonical_json.dumps(value)


def _refused(path: str, data: bytes) -> bool:
    try:
        second_reader.read_configs({path: data})
    except second_reader.MALFORMED:
        return True
    return False


@settings(max_examples=300, deadline=None, database=None)
@given(st.data())
def test_configurations_changed_at_random(data: st.DataObject) -> None:
    """Each list of keys, with values of most forms."""
    token = {"content": "a", "lstrip": True, "__type": "AddedToken"}
    size = {"height": 9, "shortest_edge": None}
    pictures = {"size": size, "crop_size": [3, [4, 5]], "image_mean": [0.5], "max_pixels": 9}
    pictures |= {"do_pad": True, "resample": 2, "padding_side": "left", "max_patches": 3}
    tokens = {"eos_token": token, "added_tokens_decoder": {"1": token}, "legacy": False}
    tokens |= {"model_input_names": ["a"], "additional_special_tokens": ["b", token]}
    whole = {"processor_class": "A", "image_processor": pictures, "tokenizer": tokens}
    samples = [whole, pictures, pictures | {"temporal_patch_size": 2}, tokens]
    sample = data.draw(documents([canonical_json.dumps(sample) for sample in samples]))
    path = data.draw(st.sampled_from(sorted(second_reader.CONFIGS)))
    assert _refused(path, sample) == bool(configurations.problems_of(path, sample)), (path, sample)
