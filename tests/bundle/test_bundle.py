"""A bundle is written and read as the format says, and the same content gives the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kolm_cli.bundle.container.open_bundle import open_bundle
from kolm_cli.bundle.container.unpack import unpack
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.verify import verify
from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, VerificationError
from tests.bundle import factory


def test_a_good_bundle_is_trusted_by_who_trusts_its_key(tmp_path: Path) -> None:
    signer = keys.generate()
    built = factory.make_bundle(tmp_path / "a.kolm", signer)
    report = verify(built.path, factory.trusting(signer))
    assert report.state == "trusted"
    assert report.cid == built.cid
    assert not report.failed
    # Its base is not here, and nobody has measured a server.
    assert [c.name for c in report.checks if c.ok is None] == ["template", "parity"]


def test_an_ed25519_key_signs_as_well(tmp_path: Path) -> None:
    signer = keys.generate("ed25519")
    built = factory.make_bundle(tmp_path / "a.kolm", signer)
    assert verify(built.path, factory.trusting(signer)).state == "trusted"


def test_the_archive_is_what_the_format_says(tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "a.kolm")
    with zipfile.ZipFile(built.path) as archive:
        infos = archive.infolist()
        manifest = archive.read("manifest.json")
        assert archive.comment == b""
    assert infos[0].filename == "manifest.json"
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr for info in infos} == {0o100644 << 16}
    assert {(info.flag_bits, info.extra, info.comment) for info in infos} == {(0, b"", b"")}
    assert digests.cid(manifest) == built.cid
    parsed = json.loads(manifest)
    assert set(parsed) == {"format", "name", "base", "files"}
    listed = {entry["path"] for entry in parsed["files"]}
    names = {info.filename for info in infos}
    assert listed == {n for n in names if n != "manifest.json" and not n.startswith("attestations")}


def test_the_same_content_gives_the_same_bytes_but_for_signatures(tmp_path: Path) -> None:
    signer = keys.generate("ed25519")  # signs the same bytes alike every time
    one = factory.make_bundle(tmp_path / "a.kolm", signer)
    files = factory.make_files()
    other = factory.make_bundle(
        tmp_path / "b.kolm", signer, files=dict(reversed(list(files.items())))
    )
    assert one.path.read_bytes() == other.path.read_bytes()
    by_another = factory.make_bundle(tmp_path / "c.kolm")
    assert by_another.cid == one.cid


def test_files_are_streamed_from_disk(tmp_path: Path) -> None:
    big = tmp_path / "tokenizer.json"
    big.write_bytes(b'"' + b"x" * 3_000_000 + b'"')
    files = {**factory.make_files(), "processor/tokenizer.json": big}
    built = factory.make_bundle(tmp_path / "a.kolm", files=files)
    with open_bundle(built.path) as bundle:
        assert bundle.read("processor/tokenizer.json", 1 << 22) == big.read_bytes()
        with pytest.raises(VerificationError, match="more than 10 bytes"):
            bundle.read("processor/tokenizer.json", 10)


def test_a_file_that_changes_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    path = factory.make_bundle(tmp_path / "a.kolm").path
    with open_bundle(path) as bundle:
        assert bundle.names[0] == "manifest.json"
        assert bundle.read("spec.yaml", 100) == factory.make_files()["spec.yaml"]
        with path.open("r+b") as stream:
            stream.seek(path.read_bytes().index(b"kolm: 1"))
            stream.write(b"evil")
        with pytest.raises(VerificationError, match=r"spec\.yaml: changed while it was read"):
            bundle.read("spec.yaml", 100)
        with pytest.raises(VerificationError, match="has no x"):
            bundle.read("x", 100)


def test_a_damaged_bundle_does_not_open(tmp_path: Path) -> None:
    path = factory.make_bundle(tmp_path / "a.kolm").path
    path.write_bytes(path.read_bytes().replace(b"kolm: 1\n", b"kolm: 2\n"))
    with pytest.raises(VerificationError, match=r"container: spec\.yaml"):
        open_bundle(path)


def test_what_may_not_stand_in_a_bundle_is_refused_all_at_once(tmp_path: Path) -> None:
    files = factory.make_files()
    files["adapter/evil.py"] = b"print()"
    files["README.md"] = b"hello"
    del files["spec.yaml"]
    with pytest.raises(InputError) as caught:
        factory.make_bundle(tmp_path / "a.kolm", files={**factory.make_files(), **files})
    assert {p.where for p in caught.value.problems} == {"adapter/evil.py", "README.md"}
    content = factory.with_files({"spec.yaml": None})
    with pytest.raises(InputError, match=r"spec\.yaml: every bundle has this file"):
        factory.build_bundle(content, keys.generate(), tmp_path / "a.kolm")
    assert not (tmp_path / "a.kolm").exists()


def test_a_local_base_without_a_revision_is_fine(tmp_path: Path) -> None:
    from dataclasses import replace

    content = factory.make_content()
    content = replace(content, base=replace(content.base, revision=""))
    signer = keys.generate()
    built = factory.build_bundle(content, signer, tmp_path / "a.kolm")
    assert verify(built.path, factory.trusting(signer)).state == "trusted"


def test_unpacking_gives_the_very_files(tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "a.kolm")
    folder = tmp_path / "out"
    report = unpack(built.path, folder)
    assert report.state == "untrusted"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path, content in factory.make_files().items():
        assert (folder / path).read_bytes() == content
    with pytest.raises(InputError, match="not an empty folder"):
        unpack(built.path, folder)


def test_unpacking_what_is_damaged_leaves_nothing(tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "a.kolm")
    data = bytearray(built.path.read_bytes())
    data[len(data) // 2] ^= 1
    built.path.write_bytes(data)
    with pytest.raises(VerificationError):
        unpack(built.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_slow_is_imported(tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "a.kolm")
    program = (
        "import sys; from kolm_cli.cli.app import main\n"
        f"sys.argv = ['kolm', 'verify', {str(built.path)!r}, '--allow-untrusted']\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
