"""JSON arrays and CSV: problems carry the line on which they are."""

from __future__ import annotations

import json
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import read_rows
from tests.formats.helpers import IMAGES


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


def test_messages_beside_a_completion_are_messages_in_csv_too(tmp_path: Path) -> None:
    asked = json.dumps([{"role": "user", "content": "q"}]).replace('"', '""')
    table = tmp_path / "rows.csv"
    for header, prompt in (("completion", "q"), ("response", asked.replace('""', '"'))):
        table.write_text(f'prompt,{header},image\n"{asked}",a,\n')
        (row,) = read_rows(table)
        assert isinstance(row, ImportedRow), row
        assert row.conversation.messages[0].text == prompt
