"""`kolm capture import`, `add` and `ls` as a user meets them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from tests.capture.helpers import Kolm, png, write_rows


def test_import_then_again_adds_nothing_and_says_so(kolm: Kolm, charts: Path) -> None:
    first = kolm("capture", "import", charts, "--to", "qa")
    assert first.code == 0, first.err
    assert "5 rows, 5 new pairs in qa" in first.out
    assert "rows (recognized)" in first.err
    second = kolm("capture", "import", charts, "--to", "qa")
    assert second.code == 0
    assert "0 new pairs" in second.out
    assert "nothing added" in second.out
    listed = kolm("capture", "ls", "--json")
    assert listed.json == [{"name": "qa", "pairs": 5, "pending": 5, "accepted": 0, "rejected": 0}]


def test_every_problem_is_named_at_once_and_nothing_is_kept(
    kolm: Kolm, charts: Path, home: Path
) -> None:
    folder = charts.parent
    whole = png(size=(64, 64))
    (folder / "cut.png").write_bytes(png(size=(64, 64))[:-40])
    os.mkfifo(folder / "pipe.png")
    bad = write_rows(
        folder / "bad.jsonl",
        [
            {"image": "0.png", "prompt": "fine", "response": "fine"},
            {"image": "0.png", "promt": "x", "response": "y"},
            {"image": "nope.png", "prompt": "x", "response": ""},
            "no json",
            {"image": "charts.jsonl", "prompt": 3, "response": "y"},
            {"prompt": "x", "response": "y"},
            [1],
            {"image": "0.png", "prompt": "x", "response": "  "},
            '{"image": "0.png", "prompt": "a", "prompt": "b", "response": "c"}',
            {"image": "cut.png", "prompt": "x", "response": "y"},
            {"image": "pipe.png", "prompt": "x", "response": "y"},
            {"image": "data:image/png;base64,@@@", "prompt": "x", "response": "y"},
            {"image": "https://example.org/a.png", "prompt": "x", "response": "y"},
            {"image": base64.b64encode(whole[:-40]).decode(), "prompt": "x", "response": "y"},
            {"image": "0.png", "prompt": "x", "response": "y", "answers": ["z", True]},
            {"image": "0.png", "prompt": "\ud800", "response": "y"},
        ],
    )
    ran = kolm("capture", "import", bad, "--to", "qa")
    assert ran.code == 2
    for expected in (
        "bad.jsonl:2: unknown key 'promt'",
        "did you mean prompt?",
        "bad.jsonl:3: image: no such image file: nope.png",
        "bad.jsonl:3: the response is empty",
        "bad.jsonl:4: not JSON",
        "bad.jsonl:5: image: not an image",
        "bad.jsonl:5: prompt: expected text, found a number (3)",
        "bad.jsonl:6: the key 'image' is missing",
        "bad.jsonl:7: expected an object, found a list",
        "bad.jsonl:8: the response is empty",
        "bad.jsonl:9: the key 'prompt' occurs twice",
        "bad.jsonl:10: image: damaged or truncated",
        "bad.jsonl:11: image: not a regular file",
        "bad.jsonl:12: image: damaged base64",
        "bad.jsonl:13: image: https://example.org/a.png is a URL",
        "bad.jsonl:14: image: damaged or truncated",
        "bad.jsonl:15: answers[1]: expected text, found true or false",
        "bad.jsonl:16: prompt: holds half of a surrogate pair",
    ):
        assert expected in ran.err
    assert "bad.jsonl:1:" not in ran.err
    assert kolm("capture", "ls", "--json").json == []
    assert not (home / "images").exists()


def test_skip_bad_imports_the_rest_and_lists_what_it_left_out(kolm: Kolm, charts: Path) -> None:
    with charts.open("a") as stream:
        stream.write('{"image": "gone.png", "prompt": "x", "response": "y"}\n')
    ran = kolm("capture", "import", charts, "--to", "qa", "--skip-bad", "left.jsonl", "--json")
    assert ran.code == 0
    assert ran.json["added"] == 5
    assert ran.json["skipped"] == 1
    left = (charts.parent.parent / "left.jsonl").read_text().splitlines()
    assert [json.loads(line)["where"] for line in left] == ["charts.jsonl:6"]


def test_images_may_be_a_path_a_data_uri_or_base64(kolm: Kolm, tmp_path: Path) -> None:
    data = png()
    (tmp_path / "a.png").write_bytes(data)
    text = base64.b64encode(data).decode()
    rows = write_rows(
        tmp_path / "r.jsonl",
        [
            {"image": "a.png", "prompt": "p", "response": "r"},
            {"images": [f"data:image/png;base64,{text}"], "prompt": "p", "response": "r"},
            {"image": text, "prompt": "p", "response": "r"},
            {"images": [text, "a.png"], "prompt": "p", "response": "r"},
        ],
    )
    ran = kolm("capture", "import", rows, "--to", "qa", "--json")
    # Three spellings of one image are one pair; two images are another.
    assert (ran.json["rows"], ran.json["added"], ran.json["already_there"]) == (4, 2, 2)


def test_a_missing_file_an_unknown_format_and_a_bad_namespace_are_refused(
    kolm: Kolm, charts: Path
) -> None:
    assert kolm("capture", "import", "nope.jsonl", "--to", "qa").code == 2
    ran = kolm("capture", "import", charts, "--to", "qa", "--format", "rws")
    assert ran.code == 2
    assert "did you mean rows?" in ran.err
    ran = kolm("capture", "import", charts, "--to", "../qa")
    assert ran.code == 2
    assert "is not a namespace" in ran.err


def test_add_one_pair_and_list_it(kolm: Kolm, charts: Path) -> None:
    image = charts.parent / "0.png"
    arguments = ("--image", image, "--prompt", "p", "--response", "r", "--tag", "t")
    ran = kolm("capture", "add", "--to", "qa", *arguments, "--json")
    assert ran.code == 0
    assert ran.json["new"] is True
    again = kolm("capture", "add", "--to", "qa", *arguments)
    assert "nothing added" in again.out
    bad = kolm("capture", "add", "--to", "qa", "--image", charts, "--prompt", "", "--response", "")
    assert bad.code == 2
    assert bad.err.count("error:") == 3


def test_the_store_is_private(kolm: Kolm, charts: Path, home: Path) -> None:
    kolm("capture", "import", charts, "--to", "qa")
    for path in [home, *home.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_images_stand_under_their_digest(kolm: Kolm, charts: Path, home: Path) -> None:
    import hashlib

    kolm("capture", "import", charts, "--to", "qa")
    files = [path for path in (home / "images").rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.parent.name == path.name[:2]


def test_unused_keys_are_said_not_hidden(kolm: Kolm, charts: Path) -> None:
    rows = [json.loads(line) for line in charts.read_text().splitlines()]
    write_rows(charts, [{**row, "difficulty": 3} for row in rows])
    ran = kolm("capture", "import", charts, "--to", "ns", "--json")
    assert "the key 'difficulty' (5 rows)" in ran.err
    assert ran.json["unused_keys"] == {"difficulty": 5}


def test_the_images_folder_can_be_named(kolm: Kolm, charts: Path, tmp_path: Path) -> None:
    moved = charts.rename(tmp_path / "charts.jsonl")
    assert kolm("capture", "import", moved, "--to", "ns").code == 2
    assert kolm("capture", "import", moved, "--to", "ns", "--images", charts.parent).code == 0
