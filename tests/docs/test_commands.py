"""Every command in the documents runs, or its page says why it does not.

A page's blocks run in order, in one shell session. A scene prepares what a page takes for granted
and says what the test writes differently. Pages that need a bundle begin where the tutorial ended,
so that all of them share its one compile.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kolm_cli import open_bundle
from tests.docs.pages import COMMANDS, PAGES, ROOT, blocks, name_of
from tests.docs.runner import Session
from tests.registry.fake_registry import serving

Start = Callable[..., Session]
Scene = Callable[[Start], Iterator[Session]]


def at_the_end_of_the_tutorial(start: Start) -> Iterator[Session]:
    yield start()


def readme(start: Start) -> Iterator[Session]:
    """The walk-through, on the tutorial's charts and with its small base and settings."""
    session = start({"Qwen/Qwen2.5-VL-3B-Instruct": "base", 'dtype="auto"': 'dtype="float32"'})
    folder = session.folder
    small = (folder / "kolm.yaml").read_text()
    shutil.copytree(folder / "charts" / "images", folder / "images")
    shutil.copy(folder / "charts" / "images" / "00000.png", folder / "chart.png")
    shutil.copy(folder / "charts" / "data.jsonl", folder / "pairs.jsonl")
    (folder / "tiny").symlink_to("base")
    session.instead_of_files["kolm.yaml"] = small
    session.changes |= {"VLMTrainConfig(lora_r=16)": "VLMTrainConfig(lora_r=16, bf16=False)"}
    yield session
    assert "'tensors_with_gradient'" in session.said  # the trainer's receipt


def python_api(start: Start) -> Iterator[Session]:
    session = start({"VLMTrainConfig(lora_r=8)": "VLMTrainConfig(lora_r=8, bf16=False)"})
    shutil.copy(session.folder / "charts" / "images" / "00000.png", session.folder / "chart.png")
    yield session


def logs(start: Start) -> Iterator[Session]:
    """A log of two calls, as applications write them."""
    session = start()
    lines = []
    for number, answer in enumerate(("H", "B")):
        image = (session.folder / "charts" / "images" / f"0000{number}.png").read_bytes()
        url = "data:image/png;base64," + base64.b64encode(image).decode()
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "Name the longest bar."},
        ]
        request = {"model": "large", "messages": [{"role": "user", "content": content}]}
        message = {"role": "assistant", "content": answer}
        response = {"choices": [{"message": message, "finish_reason": "stop"}]}
        lines.append(json.dumps({"request": request, "response": response}))
    (session.folder / "calls.jsonl").write_text("\n".join(lines) + "\n")
    yield session


def exported(start: Start) -> Iterator[Session]:
    session = start()
    yield session
    assert "all" in session.said
    assert "files are what the bundle gives" in session.said
    assert "load_state_dict(projector" in session.said


def audit(start: Start) -> Iterator[Session]:
    session = start()
    shutil.copy(session.folder / "dist" / "chart-qa.kolm", session.folder / "x.kolm")
    shutil.copy(session.folder / "my-key.pem", session.folder / "vendor.pem")
    yield session


def capture(start: Start) -> Iterator[Session]:
    session = start()
    shutil.copy(session.folder / "charts" / "data.jsonl", session.folder / "pairs.jsonl")
    shutil.copytree(session.folder / "charts" / "images", session.folder / "images")
    shutil.copy(session.folder / "charts" / "images" / "00000.png", session.folder / "a.png")
    yield session


def keys(start: Start) -> Iterator[Session]:
    session = start()
    shutil.copy(session.folder / "dist" / "chart-qa.kolm", session.folder / "x.kolm")
    shutil.copy(session.folder / "my-key.pem", session.folder / "vendor.pem")
    yield session


def local_registry(start: Start) -> Iterator[Session]:
    session = start()
    bundle = session.folder / "chart-qa.kolm"
    shutil.copy(session.folder / "dist" / "chart-qa.kolm", bundle)
    yield session
    assert (session.folder / "x.kolm").read_bytes() == bundle.read_bytes()
    # Each command names the bundle that it was about; `gc` keeps it, as it has a tag.
    assert session.said.count(cid_of(bundle)) >= 5


def remote_registry(start: Start) -> Iterator[Session]:
    with serving() as fake:
        yield start({"localhost:5000": f"localhost:{fake.port}"})


def cid_of(bundle: Path) -> str:
    with open_bundle(bundle) as opened:
        return opened.cid


SCENES: dict[str, Scene] = {
    "README.md": readme,
    "docs/how-to/audit-a-bundle.md": audit,
    "docs/how-to/ci.md": at_the_end_of_the_tutorial,
    "docs/how-to/hourly-job.md": at_the_end_of_the_tutorial,
    "docs/how-to/logs-to-an-adapter.md": logs,
    "docs/how-to/my-columns.md": at_the_end_of_the_tutorial,
    "docs/how-to/read-a-report.md": at_the_end_of_the_tutorial,
    "docs/how-to/remote-registry.md": remote_registry,
    "docs/how-to/serve-with-transformers.md": exported,
    "docs/how-to/serve-with-vllm.md": at_the_end_of_the_tutorial,
    "docs/reference/capture.md": capture,
    "docs/reference/keys.md": keys,
    "docs/reference/python-api.md": python_api,
    "docs/reference/registry.md": local_registry,
    "docs/reference/rows.md": at_the_end_of_the_tutorial,
}
TUTORIAL = "docs/tutorial.md"


def test_the_tutorial_runs(tutorial: Session) -> None:
    assert "the spec and its data are fine" in tutorial.said
    assert (tutorial.folder / "dist" / "chart-qa.kolm").is_file()


@pytest.mark.parametrize("page", sorted(SCENES))
def test_the_commands_of_the_page_run(page: str, after_tutorial: Start) -> None:
    with contextlib.contextmanager(SCENES[page])(after_tutorial) as session:
        session.run(blocks(ROOT / page))


def test_every_page_with_commands_has_a_scene() -> None:
    with_commands = {name_of(p) for p in PAGES if any(block.runs for block in blocks(p))}
    assert with_commands == set(SCENES) | {TUTORIAL}


def test_every_mark_is_one() -> None:
    for page in PAGES:
        for block in blocks(page):
            if not block.mark:
                continue
            kind = block.mark.partition(":")[0]
            assert kind in ("not run", "run by", "file", "exit"), block
            assert block.marked(kind), f"{block}: says nothing after {kind!r}"
            if kind == "run by":
                test = (ROOT / str(block.marked(kind))).read_text(encoding="utf-8")
                assert page.name in test, f"{block}: that test does not open this page"


def test_no_command_hides_in_an_indented_block() -> None:
    """Only `make`, which the Makefile's own tests and CI run, may be shown without a fence."""
    programs = "kolm|pip|python|unzip|openssl|export|sh|bash|docker|git|cd|curl"
    hidden = re.compile(rf"^    +\$? ?({programs}) .*$", re.MULTILINE)
    fences = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        assert not hidden.search(fences.sub("", page.read_text(encoding="utf-8"))), page
    for page in PAGES:
        for block in blocks(page):
            starts = re.search(r"^(kolm|pip|openssl) ", block.text, re.MULTILINE)
            assert block.language in COMMANDS or not starts, f"{block}: commands need a fence of sh"
