"""Who is admitted, and where the token comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.serving.access import Access, read_token

TOKEN = "0123456789abcdef"


def test_loopback_admits_programs_of_this_machine_alone() -> None:
    access = Access("127.0.0.1", "")
    assert access.refusal([(b"host", b"127.0.0.1:8000")]) is None
    assert access.refusal([(b"host", b"localhost:8000")]) is None
    assert access.refusal([(b"host", b"[::1]:8000")]) is None
    for host in (b"evil.example:8000", b"[::1].evil.example", b"localhost:80@evil.example"):
        assert access.refusal([(b"host", host)]) is not None, host
    both = [(b"host", b"localhost"), (b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
    assert access.refusal(both) == (
        400,
        "the request has both Content-Length and Transfer-Encoding",
    )
    page = [(b"host", b"127.0.0.1:8000"), (b"origin", b"https://evil.example")]
    assert access.refusal(page) == (403, "a web page may not use this server")


def test_elsewhere_needs_a_token() -> None:
    with pytest.raises(InputError, match="a token is needed"):
        Access("0.0.0.0", "")  # noqa: S104 - the point
    for weak in ("short", "ä" * 20, "0123456789abcdef\n"):
        with pytest.raises(InputError, match="fewer than 16"):
            Access("0.0.0.0", weak)  # noqa: S104
    access = Access("0.0.0.0", TOKEN)  # noqa: S104
    assert access.refusal([(b"Authorization", f"Bearer {TOKEN}".encode())]) is None
    for shown in (b"", b"Bearer wrong", TOKEN.encode()):
        refusal = access.refusal([(b"authorization", shown)])
        assert refusal is not None
        assert refusal[0] == 401
    assert access.refusal([]) is not None


def test_the_token_is_in_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KOLM_SERVE_TOKEN", raising=False)
    assert read_token(None) == ""
    monkeypatch.setenv("KOLM_SERVE_TOKEN", TOKEN)
    assert read_token(None) == TOKEN
    (tmp_path / "token").write_text("another-token-of-16\n")
    assert read_token(tmp_path / "token") == "another-token-of-16"
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    for name, words in (("empty", "is empty"), ("odd", "ASCII"), ("none", "No such file")):
        with pytest.raises(InputError, match=words):
            read_token(tmp_path / name)
