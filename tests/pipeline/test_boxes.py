"""A job whose rows carry boxes, from the file to a verified score."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from kolm_cli.records.pictures import pixel_digest
from tests.support.jobs import Job


def boxed(job: Job, name: str, **more: Any) -> None:
    """Each row of a file asks for a box in its picture of 56 x 28 or 56 x 56."""
    path = job.folder / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(
            json.dumps(
                {
                    "messages": [
                        {"role": "user", "content": row["prompt"]},
                        {"role": "assistant", "content": "<bbox>"},
                    ],
                    "images": [row["image"]],
                    "objects": {"bbox": [[7, 7, 35, 21]]},
                    **more,
                }
            )
            + "\n"
            for row in rows
        )
    )


def test_boxes_are_trained_scored_and_verified(new_job: Callable[..., Job]) -> None:
    job = new_job(
        data={"images": {"max_pixels": 1568}},
        evaluate={"metric": "iou", "max_new_tokens": 24},
    )
    boxed(job, "train")
    checked = job.kolm("validate", "spec.yaml", "--json")
    assert checked.code == 2  # the pack has no boxes yet
    assert "holds no box" in checked.err
    boxed(job, "eval")
    shown = job.kolm("validate", "spec.yaml", "--show-mask", "2")
    assert shown.code == 0, shown.err
    # The first picture is shown as it is, 56 x 28; the second, 56 x 56, as 28 x 28.
    assert "⟦[7, 7, 35, 21]" in shown.out
    assert "⟦[4, 4, 18, 11]" in shown.out
    elsewhere = job.folder.with_name(f"{job.folder.name}-elsewhere.png")
    (job.folder / "images/0.png").rename(elsewhere)
    (job.folder / "images/0.png").symlink_to(elsewhere)
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert f"1 images outside {job.folder}/" in done.err
    bundle = Path(done.json["bundle"])
    definition = done.json["receipt"]["predicate"]["buildDefinition"]
    trained = definition["internalParameters"]["vlm_train"]
    assert trained["coordinates"] == "pixels of the picture as shown"
    with zipfile.ZipFile(bundle) as archive:
        pack = [json.loads(line) for line in archive.read("eval/pack.jsonl").splitlines()]
        dataset = json.loads(archive.read("attestations/dataset.sigstore.json"))
    statement = json.loads(base64.b64decode(dataset["dsseEnvelope"]["payload"]))
    facts = statement["predicate"]["facts"]
    assert [facts[split].get("images_outside") for split in ("train", "eval")] == [1, None]
    for split, rows in (("train", 16), ("eval", 6)):
        pictures = facts[split]["pictures"]
        assert len(pictures) == rows
        assert [p["size"] for row in pictures[:2] for p in row] == [[56, 28], [56, 56]]
        assert [p["shown"] for row in pictures[:2] for p in row] == [[56, 28], [28, 28]]
        assert [p["tokens"] for row in pictures[:2] for p in row] == [2, 1]
    with Image.open(job.folder / "images" / "0.png") as picture:
        assert facts["train"]["pictures"][0][0]["pixels"] == pixel_digest(picture.convert("RGB"))
    assert {tuple(row["answers"]) for row in pack} == {("[7, 7, 35, 21]",)}
    verified = job.kolm("verify", bundle, "--json")
    assert verified.json["state"] == "trusted", verified.out
    asked = job.kolm("run", bundle, "--image", "images/0.png", "--prompt", "Where?", "--json")
    assert asked.code == 0, asked.err
    again = job.kolm("eval", bundle, "--json")
    assert again.code == 0, again.err
    assert again.json["predictions_as_in_bundle"] is True
    # The report draws them on the pictures.
    assert job.kolm("report", bundle, "-o", "report.html").code == 0
    page = (job.folder / "report.html").read_text()
    assert page.count('class="mark right" d="M7 7H35V21H7Z"') == 6
    assert "by 28 pixels: right [7, 7, 35, 21]" in page
