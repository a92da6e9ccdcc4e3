"""`kolm capture stats`: counts and near duplicates."""

from __future__ import annotations

from pathlib import Path

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from tests.capture.helpers import Kolm, put, write_rows


def test_near_duplicates_are_reported_not_removed(kolm: Kolm, tmp_path: Path) -> None:
    from PIL import Image as Picture
    from PIL import ImageDraw

    def draw(name: str, *boxes: tuple[int, int, int, int], scale: int = 1) -> None:
        picture = Picture.new("RGB", (128, 128), "white")
        for box in boxes:
            ImageDraw.Draw(picture).rectangle(box, fill="navy")
        picture.resize((128 * scale, 128 * scale)).save(tmp_path / name)

    draw("a.png", (10, 60, 30, 120), (50, 20, 70, 120))
    draw("a-large.png", (10, 60, 30, 120), (50, 20, 70, 120), scale=2)
    draw("b.png", (80, 5, 120, 30), (5, 5, 20, 30))
    rows = [
        {"image": "a.png", "prompt": "How tall is the first bar?", "response": "60"},
        {"image": "a.png", "prompt": "how tall is  the first bar", "response": "60"},
        {"image": "a.png", "prompt": "Which bar is the tallest?", "response": "2"},
        {"image": "a-large.png", "prompt": "Colour?", "response": "navy"},
        {"image": "b.png", "prompt": "How tall is the first bar?", "response": "25"},
    ]
    kolm("capture", "import", write_rows(tmp_path / "r.jsonl", rows), "--to", "ns")
    ran = kolm("capture", "stats", "ns", "--near", "--json")
    found = {(n["kind"], *sorted((n["first"], n["second"]))) for n in ran.json["near_duplicates"]}
    names = [sha256_bytes((tmp_path / f).read_bytes()) for f in ("a.png", "a-large.png")]
    assert found == {("image", *sorted(names)), ("prompt", "1", "2")}
    assert kolm("capture", "ls", "--json").json[0]["pairs"] == 5


def test_stats_count_what_is_there(store: Store, kolm: Kolm) -> None:
    put(store, "a", 1, model="m", tags=("t",))
    put(store, "b", 1, 2)
    put(store, "c")
    figures = kolm("capture", "stats", "ns", "--json").json
    assert figures["pairs"]["all"] == 3
    assert figures["pairs"]["without_image"] == 1
    assert figures["pairs"]["with_several_images"] == 1
    assert figures["images"]["all"] == 2
    assert figures["models"] == {"(none)": 2, "m": 1}
    assert figures["tags"] == {"t": 1}
