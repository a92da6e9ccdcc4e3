"""Which pairs a filter finds."""

from __future__ import annotations

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from tests.capture.helpers import Kolm, png, put


def test_filters_by_time_model_tag_text_source_state_and_image(store: Store, kolm: Kolm) -> None:
    put(store, 'Say "Größe" twice', 1, captured=1_000, model="gpt", tags=("a", "b"))
    put(store, "role of the user", 2, captured=2_000_000_000_000, model="other", tags=("b",))

    def found(*arguments: str) -> list[str]:
        ran = kolm("capture", "ls", "ns", "--json", *arguments)
        assert ran.code == 0, ran.err
        return [pair["messages"][0]["content"][1]["text"][:4] for pair in ran.json]

    assert found() == ["role", "Say "]
    assert found("--limit", "1") == ["role"]
    assert found("--since", "1970-01-02") == ["role"]
    assert found("--until", "1970-01-02") == ["Say "]
    assert found("--model", "gpt") == ["Say "]
    assert found("--tag", "a") == ["Say "]
    assert found("--tag", "b") == ["role", "Say "]
    assert found("--text", 'SAY "GRÖSSE"') == ["Say "]
    # Words of the stored JSON that no message says do not match.
    assert found("--text", '"role"') == []
    assert found("--text", "role") == ["role"]
    assert found("--source", "test") == ["role", "Say "]
    assert found("--source", "tes") == []
    assert found("--review", "accepted") == []
    assert found("--image", sha256_bytes(png((2, 2, 2)))) == ["role"]
    bad = kolm("capture", "ls", "ns", "--since", "soon", "--review", "good", "--image", "nope")
    assert bad.code == 2
    assert bad.err.count("error:") == 3


def test_a_misspelt_namespace_is_named_with_the_likely_one(store: Store, kolm: Kolm) -> None:
    put(store, "a", 1, namespace="chart-qa")
    ran = kolm("capture", "ls", "chart-q")
    assert ran.code == 2
    assert "did you mean chart-qa?" in ran.err
