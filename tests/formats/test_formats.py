"""Every format: written and read back without loss, read as others write it, refused by name."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from kolm_cli.capture.exporting import FORMATS
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import Problem
from kolm_cli.formats import ImportedRow, RowReader, read_rows
from kolm_cli.records.conversation import Conversation, Image, Message, Text
from tests.capture.helpers import Kolm, png, write_rows

HARD = 'Ünï "quoted", comma; new\nline\r\nand\ttab \\ back \u2028 sep 😀 [1] {x} '
IMAGES = [png((i, 2 * i, 3 * i)) for i in range(6)]
NAMES = [sha256_bytes(data) for data in IMAGES]


def jpeg_turned() -> bytes:
    buffer = io.BytesIO()
    picture = Picture.new("RGB", (20, 10), "navy")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def simple_pairs() -> list[Conversation]:
    turned = sha256_bytes(jpeg_turned())
    return [
        Conversation.of("plain", "answer", (NAMES[0],)),
        Conversation.of(HARD, HARD, (NAMES[1],)),
        Conversation.of("turned", "yes", (turned,)),
        Conversation.of("same image, other question", "b", (NAMES[0],)),
    ]


def system_pairs() -> list[Conversation]:
    return [*simple_pairs(), Conversation.of("q", "a", (NAMES[2],), system="Be brief.\n")]


def many_images() -> list[Conversation]:
    return [
        *system_pairs(),
        Conversation.of("compare", "same", (NAMES[3], NAMES[4])),
        Conversation.of("twice the same", "yes", (NAMES[5], NAMES[5])),
        Conversation.of("no image at all", "right"),
    ]


def every_kind() -> list[Conversation]:
    turns = (
        Message("system", (Text("Look closely."),)),
        Message("user", (Text("First: "), Image(NAMES[0]), Text(" and then "), Image(NAMES[1]))),
        Message("assistant", (Text("I see."),)),
        Message("user", (Text("Now this:"), Image(NAMES[2]), Text("\nwhich?"))),
        Message("assistant", (Text("The <image> you sent last."),)),
    )
    last = (Message("user", (Image(NAMES[3]),)), Message("assistant", (Text("just an image"),)))
    return [*many_images(), Conversation(turns), Conversation(last)]


HOLDS: dict[str, Any] = {"csv": many_images, "rows": many_images}


def fill(namespace: str, pairs: list[Conversation], **more: Any) -> str:
    data = {sha256_bytes(item): item for item in (*IMAGES, jpeg_turned())}
    with Store.open() as store:
        for pair in pairs:
            images = {sha256: data[sha256] for sha256 in pair.images}
            store.add(namespace, pair, images, source="test", **more)
        return store.namespace_digest(namespace)


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back_without_loss(
    format: str, kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    digest = fill("ns", HOLDS.get(format, every_kind)())
    suffix = {
        "sharegpt": ".json", "csv": ".csv", "parquet": ".parquet", "webdataset": ".tar",
        "imagefolder": "", "sidecar": "",
    }.get(format, ".jsonl")  # fmt: skip
    out = tmp_path / "sub" / f"out{suffix}"
    out.parent.mkdir()
    ran = kolm("capture", "export", "ns", out, "--format", format)
    assert ran.code == 0, ran.err
    # Recognised without being told, in another store, so that only the export speaks.
    ran = kolm("capture", "import", out, "--to", "back", "--json")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        assert store.namespace_digest("back") == digest
        for pair in store.pairs("back"):
            for sha256 in pair.conversation.images:
                assert sha256_bytes(store.image_path(sha256).read_bytes()) == sha256


@pytest.mark.parametrize("format", ["rows", "trl-messages", "trl-prompt", "csv", "parquet",
                                    "imagefolder", "sidecar", "webdataset"])  # fmt: skip
def test_what_is_said_beside_the_conversation_comes_back_too(
    format: str, kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", simple_pairs(), answers=("also", "this [too]"), model="m", tags=("a", "b,c"),
         captured=1_700_000_000_123)  # fmt: skip
    with Store.open() as store:
        store.connection.execute("UPDATE pairs SET review = 1 WHERE id = 2")
    suffixes = {"csv": ".csv", "parquet": ".parquet", "webdataset": ".tar", "rows": ".jsonl"}
    out = tmp_path / f"out{suffixes.get(format, '.jsonl' if 'trl' in format else '')}"
    assert kolm("capture", "export", "ns", out, "--format", format).code == 0
    ran = kolm("capture", "import", out, "--to", "back")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        both = [list(store.pairs(name)) for name in ("ns", "back")]
    for one, other in zip(*both, strict=True):
        for name in ("digest", "answers", "model", "tags", "captured", "review"):
            assert getattr(one, name) == getattr(other, name)


def test_embedded_images_need_no_folder(kolm: Kolm, home: Path, tmp_path: Path) -> None:
    digest = fill("ns", many_images())
    out = tmp_path / "out.jsonl"
    assert kolm("capture", "export", "ns", out, "--embed").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.jsonl"]
    assert kolm("capture", "import", out, "--to", "back").code == 0
    with Store.open() as store:
        assert store.namespace_digest("back") == digest


def test_what_a_format_cannot_hold_is_refused_by_name_and_leaves_nothing(
    kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", every_kind())
    fill("ns", [Conversation.of("more", "a", (NAMES[0],))], answers=("b",))
    fill("ns", [Conversation.of("what is <image>?", "a marker")])
    before = sorted(tmp_path.iterdir())
    for format, expected in (
        ("rows", ["several turns"]),
        ("sharegpt", ["further answers", "a question says <image>"]),
        ("openai-finetune", ["further answers"]),
    ):
        ran = kolm("capture", "export", "ns", tmp_path / "out.json", "--format", format)
        assert ran.code == 2
        for text in expected:
            assert text in ran.err
        assert "pair " in ran.err
        assert sorted(tmp_path.iterdir()) == before
    assert kolm("capture", "export", "ns", "o.jsonl", "--format", "anthropic", "--lossy").code == 0
    again = kolm("capture", "export", "ns", "o.jsonl", "--format", "trl-messages")
    assert again.code == 2
    assert "exists already" in again.err
    assert kolm("capture", "export", "ns", "x", "--format", "nope").code == 2


def test_export_takes_filters_splits_and_review_states(
    kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", [Conversation.of(f"q{i}", "a", (NAMES[i % 6],)) for i in range(60)])
    with Store.open() as store:
        store.connection.execute("UPDATE pairs SET review = 2 WHERE id <= 5")
        store.connection.execute("UPDATE pairs SET review = 1 WHERE id > 50")
        expected = store.count("ns", split="train:0.5")

    def count(name: str, *arguments: object) -> int:
        ran = kolm("capture", "export", *arguments[:1], name, *arguments[1:], "--json")
        assert ran.code == 0, ran.err
        found: int = ran.json["pairs"]
        return found

    assert count("a.jsonl", "ns") == 55
    assert count("b.jsonl", "ns", "--accepted") == 10
    assert count("c.jsonl", "ns", "--review", "rejected") == 5
    assert count("d.jsonl", "ns", "--text", "q59") == 1
    assert count("e.jsonl", "ns@train:0.5") == expected


# -- as others write it ------------------------------------------------------------------------

URI = "data:image/png;base64," + base64.b64encode(IMAGES[0]).decode()
B64 = base64.b64encode(IMAGES[0]).decode()
USER = {"role": "user", "content": [{"type": "text", "text": "q"}]}
ASKED = [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": URI}}]
Q = Message("user", (Text("q"), Image(NAMES[0])))
Q_FIRST = Message("user", (Image(NAMES[0]), Text("q")))
A = Message("assistant", (Text("a"),))

FOREIGN: dict[str, tuple[dict[str, Any], tuple[Message, ...], str]] = {
    "OpenAI fine-tuning, detail and several text parts": (
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "q"},
                        {"type": "image_url", "image_url": {"url": URI, "detail": "low"}},
                        {"type": "text", "text": ""},
                    ],
                },
                {"role": "assistant", "content": "a", "weight": 1},
            ]
        },
        (Message("system", (Text("Be brief."),)), Q, A),
        "openai-finetune",
    ),
    "OpenAI chat log": (
        {
            "request": {"model": "gpt-x", "messages": [{"role": "user", "content": ASKED}]},
            "response": {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": "a", "refusal": None}}],
            },
        },
        (Q, A),
        "openai-chat",
    ),
    "OpenAI batch output joined with its input": (
        {
            "custom_id": "1",
            "body": {"model": "m", "messages": [{"role": "user", "content": ASKED}]},
            "response": {"status_code": 200, "body": {"choices": [
                {"message": {"role": "assistant", "content": "a"}}]}},
        },
        (Q, A),
        "openai-chat",
    ),
    "Anthropic messages": (
        {
            "model": "claude",
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "image",
                     "source": {"type": "base64", "media_type": "image/png", "data": B64}},
                    {"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hmm", "signature": "x"},
                    {"type": "text", "text": "a"}]},
            ],
        },
        (Message("system", (Text("Be brief."),)), Q_FIRST, A),
        "anthropic",
    ),
    "Anthropic call log": (
        {
            "request": {"model": "claude", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "q"},
                {"type": "image",
                 "source": {"type": "base64", "media_type": "image/png", "data": B64}}]}]},
            "response": {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"},
        },
        (Q, A),
        "anthropic",
    ),
    "LLaVA": (
        {
            "id": "000000033471",
            "image": "0.png",
            "conversations": [
                {"from": "human", "value": "<image>\nq"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Q_FIRST, A),
        "sharegpt",
    ),
    "LLaVA, marker last": (
        {
            "image": "0.png",
            "conversations": [
                {"from": "human", "value": "q<image>"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Q, A),
        "sharegpt",
    ),
    "ShareGPT with images and no marker": (
        {
            "images": ["0.png"],
            "system": "Be brief.",
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Message("system", (Text("Be brief."),)), Q_FIRST, A),
        "sharegpt",
    ),
    "TRL messages with plain content": (
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
         "images": ["0.png"]},
        (Q_FIRST, A),
        "trl-messages",
    ),
    "TRL messages with parts and nulls": (
        {"messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "q"}, {"type": "image", "text": None}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]}],
         "images": ["0.png"]},
        (Q, A),
        "trl-messages",
    ),
    "TRL prompt and completion, conversational": (
        {"prompt": [{"role": "user", "content": "q"}],
         "completion": [{"role": "assistant", "content": "a"}], "image": "0.png"},
        (Q_FIRST, A),
        "trl-prompt",
    ),
    "TRL prompt and completion, plain": (
        {"prompt": "q", "completion": "a", "images": ["0.png"]},
        (Q_FIRST, A),
        "trl-prompt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_rows_as_other_programs_write_them(name: str, tmp_path: Path) -> None:
    record, messages, format = FOREIGN[name]
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    path = write_rows(tmp_path / "r.jsonl", [record])
    reader = RowReader(path)
    (row,) = reader
    assert isinstance(row, ImportedRow), row
    assert row.conversation.messages == messages
    assert reader.format == f"json, {format}"
    # An array of the same, over many lines or on one, names the line and the element.
    for indent, where in ((None, "r.json:1[1]"), (1, "r.json:")):
        array = tmp_path / "r.json"
        array.write_text(json.dumps([record, record], indent=indent))
        rows = list(read_rows(array))
        assert [row.conversation.messages for row in rows] == [messages] * 2  # type: ignore[union-attr]
        assert isinstance(rows[1], ImportedRow)
        assert rows[1].where.startswith(where)
        line = int(rows[1].where.split(":")[1].split("[")[0])
        assert line == 1 or array.read_text().splitlines()[line - 1].strip() == "{"


BAD: dict[str, tuple[object, str]] = {
    "tool message": ({"messages": [USER, {"role": "tool", "content": "x"}]}, "is no role"),
    "tool call": (
        {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}]},
        "calls a tool",
    ),
    "ends with the user": ({"messages": [USER]}, "last message is not the assistant's"),
    "weight 0": (
        {"messages": [USER, {"role": "assistant", "content": "a", "weight": 0}]},
        "not to be learnt",
    ),
    "audio part": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]},
                      {"role": "assistant", "content": "a"}]},
        "is no kind of part",
    ),
    "more markers than images": (
        {"image": "0.png", "conversations": [{"from": "human", "value": "<image><image>q"},
                                             {"from": "gpt", "value": "a"}]},
        "2 <image> markers for 1 images",
    ),
    "more images than parts": (
        {"messages": [{"role": "user", "content": [{"type": "image"}]},
                      {"role": "assistant", "content": "a"}], "images": ["0.png", "0.png"]},
        "1 image parts for 2 images",
    ),
    "video": ({"video": "x.mp4", "conversations": [{"from": "human", "value": "q"},
                                                   {"from": "gpt", "value": "a"}]}, "images only"),
    "conversation is text": ({"conversations": "x"}, "expected a list, found text"),
    "refusal": (
        {"request": {"messages": [USER]},
         "response": {"choices": [{"message": {"content": None, "refusal": "no"}}]}},
        "refused to answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_rows_that_teach_nothing_are_named(name: str, tmp_path: Path) -> None:
    record, expected = BAD[name]
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    found = list(read_rows(write_rows(tmp_path / "r.jsonl", [record])))
    assert all(isinstance(problem, Problem) for problem in found)
    assert any(expected in problem.what for problem in found if isinstance(problem, Problem))
    assert all(problem.where == "r.jsonl:1" for problem in found)


def test_an_array_that_breaks_off_is_named_where_it_breaks(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    row = '{"image": "0.png", "prompt": "q", "response": "a"}'
    for text, expected in (
        (f"[{row},\n{row}", "r.json:2[2]: not JSON"),
        (f"[{row},\n{row},]", "comma before the closing bracket"),
        (f"[{row}\n{row}]", "expected ']'"),
        (f"[{row},\n" + '{"image": "0.png", "image": "0.png"}]', "r.json:2[1]: the key 'image'"),
        (f"[{row}] x", "more text after"),
        ("[" * 100_000, "nested too deeply"),
    ):
        (tmp_path / "r.json").write_text(text)
        found = [item for item in read_rows(tmp_path / "r.json") if isinstance(item, Problem)]
        assert expected in str(found[-1])


def test_csv_problems_carry_the_line_on_which_the_row_begins(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    (tmp_path / "r.csv").write_bytes(
        "\ufeffimage,prompt,response\r\n"
        '0.png,"two\nlines",a\r\n'
        "0.png,q\r\n"
        "gone.png,q,a\r\n"
        "0.png,q,\r\n".encode()
    )
    found = [str(item) for item in read_rows(tmp_path / "r.csv") if isinstance(item, Problem)]
    assert found[0] == "r.csv:4: 2 cells, but the header has 3 columns"
    assert found[1].startswith("r.csv:5: image: no such image file")
    assert found[2].startswith("r.csv:6: the key 'response' is missing")
    assert len(found) == 3


def test_a_hostile_archive_writes_nothing_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:

        def put(
            name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
        ) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            archive.addfile(info, io.BytesIO(data))

        put("../../evil.png", IMAGES[0])
        put("../../evil.json", b'{"prompt": "q", "response": "a"}')
        put("l.png", kind=tarfile.SYMTYPE, link="/etc/passwd")
        put("d.png", kind=tarfile.CHRTYPE)
        put("a.png", IMAGES[0])
        put("a.png", IMAGES[1])
        put("a.json", b'{"prompt": "q", "response": "a", "image": "/etc/hostname"}')
        put("b.png", IMAGES[0])
    before = sorted(tmp_path.rglob("*"))
    found = [str(item) for item in read_rows(path) if isinstance(item, Problem)]
    text = "\n".join(found)
    assert "x.tar:l.png: a link or a device" in text
    assert "x.tar:d.png: a link or a device" in text
    assert "x.tar:a.png: stands twice" in text
    # A record of an archive names members of its sample only, never files of the machine.
    assert "x.tar:a: image: no such image file: /etc/hostname" in text
    assert "x.tar:b: has neither" in text
    assert sorted(tmp_path.rglob("*")) == before
    path.write_bytes(path.read_bytes()[:1000])
    assert any("stopped here" in str(item) for item in read_rows(path))


def test_a_shard_folder_and_a_packed_archive(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        with tarfile.open(folder / f"s-{shard}.tar.gz", "w:gz") as archive:
            for i in range(3):
                for name, data in (
                    (f"{i:03}.jpg", jpeg_turned()),
                    (
                        f"{i:03}.json",
                        json.dumps({"prompt": f"{shard}{i}", "response": "a"}).encode(),
                    ),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    rows = list(read_rows(folder))
    assert [row.where for row in rows] == [
        f"s-{s}.tar.gz:{i:03}" for s in range(2) for i in range(3)
    ]


def test_a_sidecar_folder_names_an_image_without_its_json(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(IMAGES[0])
    (folder / "a.json").write_text('{"prompt": "q", "response": "a"}')
    (folder / "deep" / "b.png").write_bytes(IMAGES[1])
    (folder / "README.md").write_text("about")
    row, problem = read_rows(folder)
    assert isinstance(row, ImportedRow)
    assert row.conversation.images == (NAMES[0],)
    assert str(problem) == "deep/b.png: there is no deep/b.json beside it"


def test_an_imagefolder_with_csv_metadata_in_a_subfolder(tmp_path: Path) -> None:
    folder = tmp_path / "f" / "train"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(IMAGES[0])
    (folder / "metadata.csv").write_text("file_name,prompt,response\na.png,q,a\nb.png,q,a\n")
    row, problem = read_rows(tmp_path / "f")
    assert isinstance(row, ImportedRow)
    assert row.where == "train/metadata.csv:2"
    assert str(problem) == "train/metadata.csv:3: image: no such image file: b.png"


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


# -- images ------------------------------------------------------------------------------------


def encoded(picture: Picture.Image, format: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **more)
    return buffer.getvalue()


def test_every_kind_of_image_has_a_defined_reading(kolm: Kolm, tmp_path: Path, home: Path) -> None:
    from pillow_heif import register_heif_opener

    from kolm_cli.records.pictures import decode_rgb

    register_heif_opener()
    half = Picture.new("RGBA", (4, 4), (255, 0, 0, 0))
    frames = [Picture.new("RGB", (4, 4), c) for c in ("red", "blue")]
    palette = Picture.new("RGB", (4, 4), (10, 200, 30)).quantize()
    kinds: dict[str, tuple[bytes, tuple[int, int, int]]] = {
        "cmyk.jpg": (encoded(Picture.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
        "palette.png": (encoded(palette, "PNG"), (10, 200, 30)),
        "grey16.png": (encoded(Picture.new("I;16", (4, 4), 65535 // 2), "PNG"), (127, 127, 127)),
        "clear.png": (encoded(half, "PNG"), (255, 255, 255)),
        "moving.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
                       (255, 0, 0)),
        "moving.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:],
                                lossless=True), (255, 0, 0)),
        "a.avif": (encoded(Picture.new("RGB", (4, 4), "white"), "AVIF"), (255, 255, 255)),
        "a.heic": (encoded(Picture.new("RGB", (64, 64), "white"), "HEIF"), (255, 255, 255)),
        "bw.png": (encoded(Picture.new("1", (4, 4), 1), "PNG"), (255, 255, 255)),
    }  # fmt: skip
    rows = []
    for name, (data, _) in kinds.items():
        (tmp_path / name).write_bytes(data)
        rows.append({"image": name, "prompt": name, "response": "a"})
    ran = kolm("capture", "import", write_rows(tmp_path / "r.jsonl", rows), "--to", "ns")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        for pair in store.pairs("ns"):
            (sha256,) = pair.conversation.images
            expected = kinds[pair.conversation.messages[0].text][1]
            found = decode_rgb(store.image_path(sha256).read_bytes()).getpixel((0, 0))
            assert isinstance(found, tuple)
            assert all(abs(a - b) <= 3 for a, b in zip(found, expected, strict=True)), pair


def test_exif_orientation_is_recorded_and_applied_once(
    kolm: Kolm, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "t.jpg").write_bytes(jpeg_turned())
    rows = write_rows(tmp_path / "r.jsonl", [{"image": "t.jpg", "prompt": "q", "response": "a"}])
    kolm("capture", "import", rows, "--to", "ns")
    assert kolm("capture", "stats", "ns", "--json").json["images"]["turned_by_exif"] == 1
    with Store.open() as store:
        assert store.connection.execute(
            "SELECT width, height, orientation FROM images"
        ).fetchall() == [(10, 20, 6)]
    kolm("capture", "import", rows, "--to", "bare", "--strip-metadata")
    with Store.open() as store:
        (pair,) = store.pairs("bare")
        data = store.image_path(pair.conversation.images[0]).read_bytes()
    with Picture.open(io.BytesIO(data)) as bare:
        # Upright already, and nothing left that could turn it a second time.
        assert bare.size == (10, 20)
        assert not bare.getexif()
        assert not bare.info


def test_a_bomb_is_refused(kolm: Kolm, tmp_path: Path) -> None:
    bomb = encoded(Picture.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    (tmp_path / "bomb.png").write_bytes(bomb)
    rows = write_rows(tmp_path / "r.jsonl", [{"image": "bomb.png", "prompt": "q", "response": "a"}])
    ran = kolm("capture", "import", rows, "--to", "ns")
    assert ran.code == 2
    assert "r.jsonl:1: image: a decompression bomb" in ran.err
