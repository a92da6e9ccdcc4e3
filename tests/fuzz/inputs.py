"""Each parser that meets files of strangers: bundles, rows, pictures, specs, trust files, calls."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kolm_cli.bundle.container.sinks import Tensors
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import configurations
from kolm_cli.bundle.format.dataset import TrainRowsReader, read_dataset
from kolm_cli.bundle.format.evaluation import read_settings
from kolm_cli.bundle.format.manifest import read_manifest
from kolm_cli.bundle.format.modules import read_modules
from kolm_cli.bundle.format.pack import read_pack
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.bundle.format.spec_file import read_spec
from kolm_cli.bundle.signing import public_keys
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.signing.sigstore import read_envelope
from kolm_cli.bundle.trust.file import parse as parse_trust
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import judge
from kolm_cli.capture.proxy.calls import CallReader, UnreadableError
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.spool import Call, entry
from kolm_cli.core.errors import KolmError
from kolm_cli.core.yaml_positions import parse as parse_yaml
from kolm_cli.records.pictures import ImageError, decode_rgb
from kolm_cli.registry.index import read_index
from kolm_cli.registry.oci_image import image_of, read_image
from kolm_cli.registry.remote.auth import challenges
from kolm_cli.spec.load import load_spec
from tests.fuzz.mutate import damaged, documents, lines
from tests.fuzz.target import Target, bundles, in_file, parts, png, rows


def _verify(data: bytes) -> object:
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.flush()
        stream.seek(0)
        return judge(read_contents(stream), TrustPolicy(), now=datetime(2026, 1, 3, tzinfo=UTC))


def _tensors(data: bytes) -> object:
    sink = Tensors(len(data))
    for at in range(0, len(data), 1000):
        sink.write(memoryview(data[at : at + 1000]))
    sink.close()
    return sink.problem


def _train_rows(data: bytes) -> object:
    reader = TrainRowsReader()
    for at in range(0, len(data), 100):
        reader.write(memoryview(data[at : at + 100]))
    reader.close()
    return reader.facts


def _pack(data: bytes) -> object:
    for include in ("answers", "digests"):
        try:
            read_pack(data, include)  # type: ignore[arg-type]
        except KolmError:
            continue
    return None


def _configuration(data: bytes) -> object:
    names = ("processor", "tokenizer", "preprocessor", "video_preprocessor", "other")
    paths = [*(f"processor/{name}_config.json" for name in names), "processor/chat_template.json"]
    return [configurations.problems_of(path, data) for path in paths]


def _settings() -> Sequence[bytes]:
    """Each configuration of the good bundles, and one with values of most forms."""
    named = {"size": {"height": 9, "width": 9}, "image_mean": [0.5], "patch_size": 2}
    named |= {"eos_token": {"content": "a"}, "added_tokens_decoder": {"1": {"content": "a"}}}
    return [
        *(
            data
            for files in bundles()
            for path, data in files.items()
            if path.startswith("processor/") and configurations.is_configuration(path)
        ),
        json.dumps(named).encode(),
        json.dumps({"image_processor": named, "tokenizer": named}).encode(),
    ]


def _images() -> Sequence[bytes]:
    kinds = [("RGB", "PNG"), ("P", "PNG"), ("RGB", "JPEG"), ("RGB", "GIF"), ("RGB", "BMP")]
    return [png(mode, kind) for mode, kind in (*kinds, ("RGB", "TIFF"), ("RGB", "WEBP"))]


def _jsonl() -> Sequence[bytes]:
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "how many?"}]}
    records = (
        {"image": "a.png", "prompt": "how many?", "response": "7"},
        {"images": ["a.png"], "messages": [turn, {"role": "assistant", "content": "7"}]},
        {
            "image": "a.png",
            "conversations": [
                {"from": "human", "value": "<image>\nhow many?"},
                {"from": "gpt", "value": "7"},
            ],
        },
        {"question": "how many?", "answers": ["7"], "image": {"bytes": "iVBORw0KGgo="}},
    )
    return [b"".join(json.dumps(record).encode() + b"\n" for _ in range(3)) for record in records]


def _csv() -> Sequence[bytes]:
    return [b'image,prompt,response\na.png,"how, many?",7\nb.png,who,"a\nb"\n']


def _tar() -> Sequence[bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in (("a.png", png()), ("a.json", b'{"prompt": "q", "response": "7"}')):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.json"))
    return [stream.getvalue(), packed.getvalue()]


def _parquet() -> Sequence[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    table = pa.table({"image": [png()] * 3, "prompt": ["a", "b", "c"], "response": ["1"] * 3})
    pq.write_table(table, stream)
    return [stream.getvalue()]


def _call(path: str, request: bytes, response: bytes, kind: str) -> bytes:
    return Call("k", "ns", 1, path, "", "", kind, request, response).pack()


def _calls() -> Sequence[bytes]:
    asked = {"model": "m", "messages": [{"role": "user", "content": "how many?"}]}
    chosen = {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "7"}, "finish_reason": "stop"}
        ]
    }
    event = {"choices": [{"index": 0, "delta": {"content": "7"}, "finish_reason": "stop"}]}
    stream = b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "7"}],
        "stop_reason": "end_turn",
    }
    request, plain = json.dumps(asked).encode(), "application/json"
    return [
        _call("/v1/chat/completions", request, json.dumps(chosen).encode(), plain),
        _call("/v1/chat/completions", request, stream, "text/event-stream"),
        _call("/v1/messages", request, json.dumps(said).encode(), plain),
        _call("/v1/responses", b'{"input":"q"}', b'{"output":[]}', plain),
    ]


def _body(data: bytes) -> object:
    """Both bodies of a call; what is no entry of a spool is taken for a request's body."""
    try:
        call = entry(data)
    except ValueError:
        call = Call("k", "ns", 1, "/v1/chat/completions", "", "", "", data, data)
    return CallReader(Fetcher()).read(call)


def _streamed(data: bytes) -> object:
    kind = "text/event-stream"
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        try:
            CallReader(Fetcher()).read(Call("k", "ns", 1, path, "", "", kind, b"{}", data))
        except UnreadableError:
            continue
    return None


def _events() -> Sequence[bytes]:
    event = {"choices": [{"index": 0, "delta": {"content": "7"}, "finish_reason": "stop"}]}
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    return [
        b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n",
        b"event: x\ndata: " + json.dumps(start).encode() + b"\n\n",
    ]


def _bodies() -> Sequence[bytes]:
    return [*_calls(), b'{"model":"m","messages":[{"role":"user","content":"a"}],"choices":[]}']


def _spec() -> Sequence[bytes]:
    return [
        b"kolm: 1\nname: a\nbase: {model: org/m}\ndata:\n  train: capture:a@train\n  eval: &a x\n"
        b"evaluate:\n  metric: {name: relaxed_accuracy, tolerance: 0.1}\n  gate: {accuracy: 0.8}\n",
        b"kolm: 1\nname: 'b'\nbase:\n  model: |\n    x\ntrain: {lora_targets: [q_proj, v_proj]}\n",
    ]


def _trust() -> Sequence[bytes]:
    return [
        b'format = "kolm-trust/1"\n[[key]]\nid = "' + b"ab" * 32 + b'"\nnames = ["a*"]\n'
        b'valid_until = 2027-01-01T00:00:00Z\n[[threshold]]\nname = "a"\nsignatures = 2\n'
    ]


def _manifests() -> Sequence[bytes]:
    from kolm_cli.bundle.container.open_bundle import open_bundle

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.kolm"
        path.write_bytes(bundles()[0][""])
        with open_bundle(path) as bundle:
            return [image_of(bundle).data]


def _index() -> Sequence[bytes]:
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "size": 3,
        "digest": "sha256:" + "ab" * 32,
        "annotations": {"dev.kolm.cid": "b" + "a" * 58},
    }
    return [json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()]


ATTESTED = ("attestations/receipt.sigstore.json", "attestations/train.sigstore.json")
TARGETS: tuple[Target, ...] = (
    Target("bundle", parts(""), damaged, _verify),
    Target("manifest", parts("manifest.json"), documents, read_manifest),
    Target(
        "statement", parts(*ATTESTED), documents, lambda data: read_statement(read_envelope(data))
    ),
    Target(
        "key",
        lambda: [
            data for files in bundles() for path, data in files.items() if path.endswith(".pem")
        ],
        damaged,
        public_keys.from_pem,
    ),
    Target("safetensors", parts("adapter/projector.safetensors"), damaged, _tensors),
    Target("modules", parts("modules.json"), documents, read_modules),
    Target("evaluation", parts("eval/evaluation.json"), documents, read_settings),
    Target("pack", parts("eval/pack.jsonl"), lines, _pack),
    Target(
        "predictions",
        parts("eval/predictions.jsonl"),
        lines,
        lambda data: read_predictions(data, "p"),
    ),
    Target("dataset", parts("data/dataset.json"), documents, read_dataset),
    Target("train-rows", parts("data/train.jsonl"), lines, _train_rows),
    Target("configuration", _settings, documents, _configuration),
    Target(
        "adapter-configuration",
        parts("adapter/adapter_config.json"),
        documents,
        lambda data: configurations.problems_of("adapter/adapter_config.json", data),
    ),
    Target("bundled-spec", _spec, damaged, read_spec),
    Target("yaml", _spec, damaged, lambda data: parse_yaml(data, "spec.yaml")),
    Target("spec", _spec, damaged, in_file("spec.yaml", load_spec)),
    Target("trust", _trust, damaged, lambda data: parse_trust(data, "trust.toml")),
    Target("image", _images, damaged, decode_rgb, (ImageError,)),
    Target("rows-json", _jsonl, lines, in_file("a.jsonl", rows)),
    Target("rows-csv", _csv, damaged, in_file("a.csv", rows)),
    Target("rows-tar", _tar, damaged, in_file("a.tar", rows)),
    Target("rows-parquet", _parquet, damaged, in_file("a.parquet", rows)),
    Target("proxy-call", _bodies, damaged, _body, (UnreadableError,)),
    Target("proxy-stream", _events, damaged, _streamed),
    Target("spool-entry", _calls, damaged, entry, (ValueError,)),
    Target("oci-manifest", _manifests, documents, read_image),
    Target("oci-index", _index, documents, in_file("index.json", read_index)),
    Target(
        "oci-challenge",
        lambda: [b'Bearer realm="https://a/token",service="a",scope="repository:a:pull"'],
        damaged,
        lambda data: challenges([data.decode("latin-1")]),
    ),
)
