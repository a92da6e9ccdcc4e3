"""`kolm parity` against a server that answers from the bundle, or otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parity.fake_server import completion, image_of, serving
from tests.support.command import KOLM, Done
from tests.support.jobs import Compiled


@pytest.fixture
def parity(compiled: Compiled) -> Callable[..., Done]:
    def run(url: str, *more: str, **env: str) -> Done:
        return compiled.job.kolm(
            "parity", compiled.bundle, "--server", url, "--progress", "none", *more, **env
        )

    return run


def test_a_server_that_answers_as_the_bundle(
    answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    paths = {"/version": {"version": "0.32.0"}}
    with serving(lambda body, image: completion(answers.get(image)), paths=paths) as fake:
        done = parity(fake.url, "--json", KOLM_SERVER_TOKEN="s3cret")
    assert done.code == 0, done.err
    assert fake.headers["Authorization"] == "Bearer s3cret"
    report = done.json
    assert report["server"] == {
        **{"name": "vLLM", "version": "0.32.0", "model": "m"},
        **report["bundle"],
    }
    assert report["bundle"].keys() == {"accuracy", "accuracy_ci95"}
    assert (report["rows"], report["equal"], report["agreement"]) == (6, 6, 1.0)
    assert report["differences"] == []
    assert report["passed"] is True
    assert {check["name"] for check in report["checks"]} == {"base", "picture", "template"}
    asked = [body for body in fake.requests if image_of(body)]
    assert len(asked) == 6
    assert {body["max_tokens"] for body in asked} == {4}
    assert {body["temperature"] for body in asked} == {0}


def test_each_row_that_differs_is_shown_with_both_answers(
    answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    odd = next(iter(answers))

    def answer(body: dict[str, Any], image: str) -> tuple[int, bytes]:
        return completion("\x1b[2Jother" if image == odd else answers.get(image))

    with serving(answer) as fake:
        done = parity(fake.url)
        lower = parity(fake.url, "--min-agreement", "0.8", "--rows", "6")
        few = parity(fake.url, "--rows", "1", "--json")
    assert (done.code, lower.code, few.code) == (3, 0, 3)
    assert "agreement  0.8333  (5 of 6 answers are equal; asked for: 1.0000 in float32)" in done.out
    assert "differs    eval.jsonl:1" in done.out
    assert f"bundle   {answers[odd]!r}".replace("None", "nothing") in done.out
    assert "\x1b" not in done.out
    assert "other" in done.out
    assert "no parity: agreement 0.8333 is below 1.0000" in done.err
    assert few.json["rows"] == 1
    assert few.json["failed"] == ["agreement 0.0000 is below 1.0000"]


def test_what_a_server_counts_and_renders_is_compared(
    answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    """Too few tokens for the pictures, and a template of its own."""
    paths = {"/tokenize": {"tokens": [1, 2, 3], "count": 3}}
    with serving(lambda body, image: completion(answers.get(image), 3), paths=paths) as fake:
        done = parity(fake.url, "--json")
    assert done.code == 3
    checks = {check["name"]: check for check in done.json["checks"]}
    assert done.json["agreement"] == 1.0
    assert checks["template"]["ok"] is False
    assert "compared token by token" in checks["template"]["detail"]
    assert checks["picture"]["ok"] is False
    assert "fewer: the server shows other pictures" in checks["picture"]["detail"]


def test_a_path_that_tokenizes_other_things_is_not_believed(
    answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    """llama.cpp's `/tokenize` wants a text, and gives no tokens for a chat."""
    paths = {"/tokenize": {"tokens": []}, "/apply-template": {"prompt": "another"}}
    with serving(lambda body, image: completion(answers.get(image)), paths=paths) as fake:
        done = parity(fake.url, "--json")
    template = done.json["checks"][2]
    assert template["ok"] is False
    assert "compared as text" in template["detail"]


def test_one_row_without_an_answer_is_one_and_five_are_an_end(
    answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    odd = next(iter(answers))

    def answer(body: dict[str, Any], image: str) -> tuple[int, bytes]:
        return (400, b"cannot read it") if image == odd else completion(answers.get(image))

    with serving(answer) as fake:
        done = parity(fake.url, "--json")
    assert done.code == 3
    (row,) = done.json["differences"]
    assert row["error"] == "it answers 400 cannot read it"
    with serving(lambda body, image: (500, b"broken")) as fake:
        done = parity(fake.url)
    assert done.code == 5
    assert "5 rows in a row have no answer: it answers 500 broken" in done.err
    assert not done.out


def test_which_model_is_asked(
    compiled: Compiled, answers: dict[str, str | None], parity: Callable[..., Done]
) -> None:
    models = [("base", "vllm"), ("lora", "vllm")]
    with serving(lambda body, image: completion(answers.get(image)), models=models) as fake:
        many, wrong = parity(fake.url), parity(fake.url, "--model", "other")
        right = parity(fake.url, "--model", "lora", "--json")
        fake.models.append((compiled.report["cid"], "vllm"))
        by_cid = parity(fake.url, "--json")
        fake.models[-1] = ("tiny", "vllm")
        by_name = parity(fake.url, "--json")
        # `transformers serve` lists what it finds in its cache, and loads what it is asked for.
        fake.models = [("org/model", "org")]
        unlisted = parity(fake.url, "--model", "lora", "--json")
    assert (many.code, wrong.code, right.code, by_cid.code) == (2, 2, 0, 0)
    assert unlisted.code == 0
    assert by_cid.json["server"]["model"] == compiled.report["cid"]
    assert by_name.json["server"]["model"] == "tiny"
    assert "it has 2 models; the server lists: base, lora" in many.err
    assert "there is no model 'other'" in wrong.err
    assert {body["model"] for body in fake.requests} == {"lora", "tiny", compiled.report["cid"]}


def test_what_cannot_be_compared(
    compiled: Compiled, parity: Callable[..., Done], tmp_path: Path
) -> None:
    with serving(lambda body, image: completion("a")) as fake:
        other = parity(fake.url, "--pack", "train.jsonl")
        nowhere = parity("127.0.0.1:8000")
        away = compiled.job.kolm(
            *("parity", compiled.bundle, "--server", fake.url, "--allow-untrusted"),
            KOLM_HOME=str(tmp_path / "other-home"),
        )
        given = parity(fake.url, "--pack", "eval.jsonl")
    assert (other.code, nowhere.code, away.code, given.code) == (2, 2, 2, 3)
    assert "not the rows that the bundle was scored on" in other.err
    assert "is not a server's address" in nowhere.err
    assert "give it with --pack FILE" in away.err
    assert not other.out
    policy = tmp_path / "nobody.toml"
    policy.write_text('format = "kolm-trust/1"\n')
    untrusted = parity("http://127.0.0.1:1", "--trust", str(policy))
    assert untrusted.code == 4
    gone = parity("http://127.0.0.1:1")
    assert gone.code == 5
    assert "the server cannot be asked" in gone.err


def test_a_run_that_passed_is_signed_into_the_bundle(
    own_compiled: Compiled, answers: dict[str, str | None]
) -> None:
    kolm, bundle = own_compiled.job.kolm, own_compiled.bundle
    with serving(lambda body, image: completion(answers.get(image))) as fake:
        run = ("parity", bundle, "--server", fake.url, "--progress", "none", "--json")
        again = kolm(*run, "--rows", "3", "--sign")
        done = kolm(*run, "--sign", "--out", "signed.kolm")
        lonely = kolm(*run, "--out", "signed.kolm")
    assert (again.code, done.code, lonely.code) == (2, 0, 2)
    assert "--rows and --sign exclude each other" in again.err
    assert "has no effect without --sign" in lonely.err
    assert done.json["signed"]["bundle"] == "signed.kolm"
    verified = kolm("verify", "signed.kolm", "--json").json
    assert (verified["state"], verified["cid"]) == ("trusted", own_compiled.report["cid"])
    check = next(check for check in verified["checks"] if check["name"] == "parity")
    assert check["detail"].startswith("vLLM: 6 of 6 answers equal, signed by")
    assert "how it is served" in kolm("receipt", "signed.kolm").out
    before = kolm("verify", bundle, "--json").json
    assert next(c for c in before["checks"] if c["name"] == "parity")["ok"] is None


def test_a_run_that_did_not_pass_signs_nothing(own_compiled: Compiled) -> None:
    data = own_compiled.bundle.read_bytes()
    with serving(lambda body, image: completion("other")) as fake:
        done = own_compiled.job.kolm(
            *("parity", own_compiled.bundle, "--server", fake.url, "--sign", "--json")
        )
    assert done.code == 3
    assert done.json["signed"] is None
    assert own_compiled.bundle.read_bytes() == data


def test_a_bundle_of_the_registry_is_signed_there(
    own_compiled: Compiled, answers: dict[str, str | None]
) -> None:
    kolm = own_compiled.job.kolm
    assert kolm("push", own_compiled.bundle, "tiny:live").code == 0
    with serving(lambda body, image: completion(answers.get(image))) as fake:
        done = kolm("parity", "tiny:live", "--server", fake.url, "--sign", "--progress", "none")
    assert done.code == 0, done.err
    assert "of 6 answers equal" in kolm("verify", "tiny:live").out
    assert "no server was measured" in kolm("verify", own_compiled.bundle).out


@pytest.mark.slow  # the loop runs `kolm parity` in a process of its own
def test_a_loop_promotes_what_a_server_answers_alike(
    own_compiled: Compiled, answers: dict[str, str | None]
) -> None:
    job, said = own_compiled.job, dict.fromkeys(answers, "other")
    with serving(lambda body, image: completion(said.get(image))) as fake:
        ask = f'{" ".join(KOLM)} parity "$KOLM_LOOP_CID" --server {fake.url} --progress none'
        turn = ("loop", "spec.yaml", "--once", "--before-promote", f"sh -c '{ask}'", "--json")
        kept = job.kolm(*turn)
        job.kolm("loop", "status", "tiny")
        said.update(answers)
        again = job.kolm(*turn)
        job.write_spec(evaluate={"gate": {"accuracy": 0.0}})
        promoted = job.kolm(*turn)
    assert (kept.code, kept.json["state"], kept.json["in_use"]) == (3, "kept", "")
    assert "no parity: agreement 0.0000 is below 1.0000" in kept.json["why"]
    assert again.json["state"] == "nothing new"
    assert (promoted.code, promoted.json["state"]) == (0, "promoted"), promoted.err
