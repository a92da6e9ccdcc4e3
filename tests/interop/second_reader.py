"""A second reader of bundles, after docs/reference/bundle-format.md alone: it imports no kolm.

`python second_reader.py BUNDLE TRUSTED.pem...` decides all but the checks in `UNDECIDED`.
"""

import hashlib
import json
import re
import struct
import sys
import zlib
from base64 import b32encode, b64decode, b64encode
from decimal import Decimal
from math import prod
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

UNDECIDED = ("k-score", "gate", "coverage", "agreement", "parity")
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error)
MALFORMED += (InvalidSignature, UnsupportedAlgorithm)
# Section 6: what the stages are about; a capture is about its own facts.
MADE = {"capture": (), "dataset": "data/", "train": ("adapter/", "processor/", "modules.json")}
MADE["evaluate"] = "eval/"
# The page prints tables for programs: which paths there are, and the keys of configurations.
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bundle-format.md"
PATHS, *KEYS = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
KINDS = [line.split() for line in PATHS.splitlines()]
KEYS = [[line.split(": ") for line in block.splitlines()] for block in KEYS]
KEYS = [{key: form for form, keys in lines for key in keys.split()} for lines in KEYS]
PROCESSOR, PICTURES, TOKENIZER, CLAIMS = KEYS
CONFIGS = {"processor": PROCESSOR, "preprocessor": PICTURES, "video_preprocessor": PICTURES}
CONFIGS = {f"processor/{name}_config.json": keys for name, keys in CONFIGS.items()}
CONFIGS |= dict.fromkeys(["processor/tokenizer_config.json"], TOKENIZER)
CONFIGS |= dict.fromkeys(["processor/special_tokens_map.json"], TOKENIZER)
PARTS = dict.fromkeys(["image_processor", "video_processor"], PICTURES)
PARTS |= dict.fromkeys(["feature_extractor", "audio_processor"], PICTURES) | {
    "tokenizer": TOKENIZER
}
SIZES = {1: "BOOL U8 I8 F8_E4M3 F8_E5M2", 2: "U16 I16 F16 BF16", 4: "U32 I32 F32", 8: "U64 I64 F64"}
SIZES = {dtype: size for size, dtypes in SIZES.items() for dtype in dtypes.split()}
MASKS = {"F8_E4M3": 0x7F, "F8_E5M2": 0x7C, "F16": 0x7C00, "BF16": 0x7F80, "F32": 0x7F800000}
MASKS["F64"] = 0x7FF0000000000000
# Section 4: what `target_modules` may be, and the one value of other keys.
NAMES = r"(?:\(\?:(?:\w|\\[.-])+(?:\|(?:\w|\\[.-])+)*\)|(?:\w|\\[.-])+)"
LAYERS = rf"{NAMES}(?:\\\.\(\?:\.\*\\\.\)\?|\\\.\.\*){NAMES}"
TARGETS = rf"{LAYERS}(?:\|{LAYERS}){{0,2}}"
FIXED = {"bias": "none", "peft_type": "LORA", "task_type": "CAUSAL_LM", "init_lora_weights": True}
FIXED |= {"inference_mode": True, "fan_in_fan_out": False, "use_dora": False, "use_rslora": False}
HOOKS = {"auto_map", "auto_mapping", "custom_pipelines", "trust_remote_code", "remote_code"}
EDGES = {"height", "width", "longest_edge", "shortest_edge", "max_height", "max_width"}
MARKS = {"lstrip", "rstrip", "normalized", "single_word", "special"}
AREAS = ["max_pixels", "min_pixels", "cap_pixels_per_frame"]
CROPS = ["dynamic_hd", "max_image_tiles", "max_patches", "num_crops", "pan_and_scan_max_num_crops"]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P, Y8 = 2**255 - 19, 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
INTOTO, SIGSTORE = "application/vnd.in-toto+json", "application/vnd.dev.sigstore.bundle.v0.3+json"


def need(holds, words):
    if not holds:
        raise ValueError(words)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    """RFC 8785, as text."""
    if isinstance(value, dict):
        order = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in order) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    if not isinstance(value, float):
        return json.dumps(value, ensure_ascii=False)
    text = repr(value or 0)
    text = f"{Decimal(text):f}" if 1e-6 <= abs(value) < 1e21 else text
    return re.sub(r"\.0$|(?<=e[+-])0", "", text)


def same(one, other):
    return canonical(one) == canonical(other)


def strict(data, depth=64):
    """Section 4: JSON that every reader reads alike."""

    def unique(pairs):
        need(len(dict(pairs)) == len(pairs), "a key occurs twice")
        return dict(pairs)

    def number(text, kind=float):
        limit = float("inf") if kind is float else 2**53
        need(len(text) <= (64 if kind is float else 17) and abs(kind(text)) < limit, "a number")
        return kind(text)

    def deep(value):
        inside = value.values() if isinstance(value, dict) else value
        return 1 + max(map(deep, inside), default=0) if isinstance(value, dict | list) else 0

    whole, constant = (lambda text: number(text, int)), (lambda text: need(False, text))
    hooks = {"parse_int": whole, "parse_float": number, "parse_constant": constant}
    value = json.loads(data.decode(), object_pairs_hook=unique, **hooks)
    need(deep(value) <= depth, "nested too deeply")
    canonical(value).encode()  # fails for half of a surrogate pair
    return value


def exact(data, most=1 << 32):
    value = strict(data)
    need(canonical(value).encode() == data and len(data) <= most, "not canonical, or too long")
    return value


def archive(data):
    """Section 1."""
    found, at, central = {}, 0, b""
    need(len(data) < 2**32, "too long")
    while data[at : at + 4] == b"PK\3\4":
        crc, size, length = struct.unpack("<L4xLH", data[at + 14 : at + 28])
        name, start = data[at + 30 : at + 30 + length], at + 30 + length
        facts, content = (crc, size, size, length), data[start : start + size]
        local = struct.pack("<4s5H3L2H", b"PK\3\4", 10, 0, 0, 0, 0x21, *facts, 0)
        need(data[at : at + 30] == local, "a local header is of another form")
        segments = re.fullmatch(rb"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*", name)
        need(segments and length <= 160 and name.decode() not in found, "a name is not allowed")
        need(len(content) == size and zlib.crc32(content) == crc, "size or CRC is wrong")
        central += struct.pack("<4s6H3L", b"PK\1\2", 0x314, 10, 0, 0, 0, 0x21, *facts[:3])
        central += struct.pack("<5H2L", length, 0, 0, 0, 0, 0x81A40000, at) + name
        found[name.decode()], at = content, start + size
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[len(found)] * 2, len(central), at, 0)
    need(0 < len(found) <= 256 and data[at:] == central + end, "the directory is of another form")
    return found


def read_manifest(files):
    """Sections 2 and 3."""
    value = exact(files["manifest.json"], (256 << 10) - 1)
    base = value["base"]
    content = {p: c for p, c in files.items() if not p.startswith(("manifest.", "attestations/"))}
    facts = [{"path": p, "sha256": sha256(c), "size": len(c)} for p, c in content.items()]
    form = {"base": {key: base[key] for key in ("model", "revision", "weights")}, "files": facts}
    form |= {"format": "kolm-bundle/1", "name": value["name"]}
    need(same(form, value), "the manifest, or the files are not those that are listed")
    name = re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", value["name"])
    need(name and ".." not in value["name"], "the name")
    need(0 < len(base["model"]) <= 256 and base["model"].isprintable(), "the base")
    need(len(base["revision"]) <= 256 and base["revision"].isprintable(), "the revision")
    digests = base["weights"].values()
    need(digests and all(re.fullmatch("[0-9a-f]{64}", d) for d in digests), "the base's weights")
    order, held = [], 0
    for path, data in files.items():
        kind = next(i for i, (form, *_) in enumerate(KINDS) if re.fullmatch(form, path))
        order.append((kind, path))
        held += len(data) if "H" in KINDS[kind][2] else 0
        need(len(data) <= int(KINDS[kind][1]) << 10, f"{path} is too long")
    need(order == sorted(order) and held <= 128 << 20, "the order, or too much to hold")
    required = {form.replace("\\", "") for form, _, flags in KINDS if "R" in flags}
    need(files.keys() >= required, "a file is missing")
    return value


def read_key(pem):
    """Section 5: a key and its id."""
    key, spki = serialization.load_pem_public_key(pem), serialization.PublicFormat
    pem_form, der_form = serialization.Encoding.PEM, serialization.Encoding.DER
    if isinstance(key, ed25519.Ed25519PublicKey):
        y = int.from_bytes(key.public_bytes_raw(), "little") % 2**255 % P
        need(y not in (0, 1, P - 1, Y8, P - Y8), "a low-order key")
    else:
        need(isinstance(key.curve, ec.SECP256R1), "another curve")
    need(key.public_bytes(pem_form, spki.SubjectPublicKeyInfo) == pem, "not the PEM of its key")
    return key, sha256(key.public_bytes(der_form, spki.SubjectPublicKeyInfo))


def opened(data, keys, hint=None):
    """An envelope's payload and key id, once its form and signature are right."""
    outer = exact(data)
    inner = outer["dsseEnvelope"]
    key_id, sig = inner["signatures"][0]["keyid"], inner["signatures"][0]["sig"]
    payload, signature, key = b64decode(inner["payload"]), b64decode(sig), keys[key_id]
    texts = [b64encode(data).decode() for data in (payload, signature)]
    signed = {"payloadType": INTOTO, "signatures": [{"keyid": key_id, "sig": texts[1]}]}
    form = {"dsseEnvelope": signed | {"payload": texts[0]}, "mediaType": SIGSTORE}
    form["verificationMaterial"] = {"publicKey": {"hint": hint or key_id}}
    need(same(form, outer), "an envelope is of another form")
    pae = b"DSSEv1 %d %b %d %b" % (len(INTOTO), INTOTO.encode(), len(payload), payload)
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, pae)
    else:
        r, s = utils.decode_dss_signature(signature)
        need(utils.encode_dss_signature(r, s) == signature and 0 < s <= P256_ORDER // 2, "high S")
        key.verify(signature, pae, ec.ECDSA(hashes.SHA256()))
    return payload, key_id


def subjects(about):
    return [{"digest": {"sha256": digest}, "name": name} for name, digest in about]


def says(payload, about, kind, predicate):
    """Fails unless the payload is this in-toto statement and nothing else."""
    form = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects(about)}
    form |= {"predicateType": kind, "predicate": predicate}
    need(canonical(form).encode() == payload, f"a statement {kind} is of another form")


def read_statements(files, manifest):
    """Sections 5 and 6: the receipt's facts, and the ids of all who signed it."""
    pems = {path: read_key(data) for path, data in files.items() if path.endswith(".pem")}
    need(all(p == f"attestations/{key_id}.pem" for p, (_, key_id) in pems.items()), "a key's path")
    keys = {key_id: key for key, key_id in pems.values()}
    receipt, signer = opened(files["attestations/receipt.sigstore.json"], keys)
    sums = {path: sha256(data) for path, data in files.items() if "attestations/" not in path}
    name, bundle = manifest["name"], [("manifest.json", sums["manifest.json"])]
    links, stages = read_stages(files, keys, signer, name, sums)
    signers, measured = {signer}, []
    after = {"name": name, "previous": {"sha256": sha256(receipt), "stage": "bundle"}}
    further = re.compile(r"attestations/(receipt|parity)\.([0-9a-f]{64})")
    for which in filter(None, map(further.match, files)):
        payload, key_id = opened(files[which.string], keys)
        if which[1] == "receipt":
            need(payload == receipt and which[2] == key_id != signer, "another's signature")
            signers.add(key_id)
        else:
            predicate = exact(payload, 3 << 20)["predicate"]
            says(payload, bundle, "urn:kolm:parity:1", predicate | after)
            need(which[2] == sha256(payload), "a parity statement's path")
            measured.append(key_id)
    need(len(signers) <= 17 and len(measured) <= 16, "too many statements")
    need(signers.union(measured) == set(keys), "a key that signed nothing")
    p256 = isinstance(keys[signer], ec.EllipticCurvePublicKey)
    need(("attestations/model.sig" in files) == p256, "model.sig")
    if p256:
        hint = sha256(files[f"attestations/{signer}.pem"])
        payload, key_id = opened(files["attestations/model.sig"], keys, hint)
        need(key_id == signer, "model.sig is by another key")
        listed = [{"algorithm": "sha256", "digest": d, "name": p} for p, d in sorted(sums.items())]
        root = sha256(b"".join(bytes.fromhex(entry["digest"]) for entry in listed))
        how = {"allow_symlinks": False, "hash_type": "sha256", "method": "files"}
        predicate = {"resources": listed, "serialization": how | {"ignore_paths": ["attestations"]}}
        says(payload, [(name, root)], "https://model_signing/signature/v1.0", predicate)
    chain = {"stages": links, "starts_at": links[0]["stage"]}
    if chain["starts_at"] != "capture":
        chain["why"] = "the training data did not come from a capture"
    predicate, base = exact(receipt, 3 << 20)["predicate"], manifest["base"]
    facts = predicate["buildDefinition"]["internalParameters"] | {"chain": chain}
    used = [(f"base/{path}", digest) for path, digest in sorted(base["weights"].items())]
    used += [(path, sums[path]) for path in ("data/dataset.json", "data/train.jsonl")]
    asked = {"base": {key: base[key] for key in ("model", "revision")}, "name": name}
    asked["spec"] = {"path": "spec.yaml", "sha256": sums["spec.yaml"]}
    form = {"buildType": "urn:kolm:build:vlm-adapter:1", "resolvedDependencies": subjects(used)}
    form |= {"externalParameters": asked, "internalParameters": facts}
    form = {"buildDefinition": form, "runDetails": predicate["runDetails"]}
    says(receipt, bundle, "https://slsa.dev/provenance/v1", form)
    read_claims({"receipt": facts, "run": predicate["runDetails"], "stage": stages})
    return facts, signers


def read_stages(files, keys, signer, name, sums):
    """Section 6: the chain of stages, as the receipt has to tell it."""
    links, stages = [], {}
    for stage in list(MADE)["attestations/capture.sigstore.json" not in files :]:
        payload, key_id = opened(files[f"attestations/{stage}.sigstore.json"], keys)
        facts = exact(payload, 3 << 20)["predicate"]["facts"]
        need(isinstance(facts, dict) and key_id == signer, f"the facts or the key of {stage}")
        about = [item for item in sums.items() if item[0].startswith(MADE[stage])]
        about = [(stage, sha256(canonical(facts).encode()))] if stage == "capture" else about
        predicate = {"facts": facts, "name": name, "stage": stage}
        predicate["previous"] = links[-1] if links else None
        says(payload, about, "urn:kolm:stage:1", predicate)
        links.append({"sha256": sha256(payload), "stage": stage})
        stages[stage] = facts
    return links, stages


def read_tensors(data):
    """Section 4, safetensors: name to dtype and shape."""
    length = int.from_bytes(data[:8], "little")
    text, body = data[8 : 8 + length], data[8 + length :]
    need(len(text) == length <= 8 << 20 and text[:1] == b"{", "a safetensors header")
    value, at = strict(text.rstrip(b" "), 4), 0
    need(value.pop("__metadata__", {}) in ({}, {"format": "pt"}), "__metadata__")
    for entry in value.values():
        numbers = [*entry["shape"], *entry["data_offsets"]]
        need(set(entry) == {"dtype", "shape", "data_offsets"}, "a tensor's keys")
        need(all(type(n) is int and n >= 0 for n in numbers), "a tensor's numbers")
    for entry in sorted(value.values(), key=lambda entry: entry["data_offsets"]):
        start, end = entry["data_offsets"]
        size = prod(entry["shape"]) * SIZES[entry["dtype"]]
        need(start == at and end - start == size and len(entry["shape"]) <= 8, "gap or overlap")
        mask, width = MASKS.get(entry["dtype"], 0), SIZES[entry["dtype"]]
        numbers = (int.from_bytes(body[i : i + width], "little") for i in range(start, end, width))
        need(not mask or all(n & mask != mask for n in numbers), "NaN or infinity")
        at = end
    need(at == len(body), "bytes behind the tensors")
    return {name: [entry["dtype"], entry["shape"]] for name, entry in value.items()}


def read_modules(files, facts, model):
    """Sections 4 and 7: the module lists, the tensors and the receipt's words about them."""
    value, said = exact(files["modules.json"]), facts["vlm_train"]
    need(set(value) == {"format", "trainable", "frozen"}, "modules.json")
    need(value["format"] == "kolm-modules/1" and value["trainable"], "modules.json")
    common = {"name", "part", "shape", "dtype"}
    for which, more in (("trainable", {"kind", "file", "tensor"}), ("frozen", set())):
        names = [entry["name"] for entry in value[which]]
        need(names == sorted(set(names)), f"{which} is not sorted")
        words = (".".join("*" if w.isdigit() else w for w in name.split(".")) for name in names)
        need(set(words) == set(said[f"{which}_modules"]), f"the receipt's {which}_modules")
        for entry in value[which]:
            need(set(entry) == common | more and type(entry["dtype"]) is str, "a tensor's keys")
            need(entry["part"] in ["vision", "projector", "language", "head", "other"], "a part")
            need(all(type(n) is int and n >= 0 for n in entry["shape"]), "a shape")

    parts = {entry["name"]: entry["part"] for entry in value["frozen"]}
    need(not any(".lora_A." in name or ".lora_B." in name for name in parts), "a frozen adapter")
    listed = {}
    for entry in value["trainable"]:
        name, part, shape = entry["name"], entry["part"], entry["shape"]
        own = said.get(f"{part}_lora_r")
        rank = said["lora_r"] if own is None else own
        place = ("full", f"adapter/{part}.safetensors", name)
        for matrix, at in ((".lora_A.", 0), (".lora_B.", 1)):
            if matrix in name:
                place = ("lora", "adapter/adapter_model.safetensors", "base_model.model." + name)
                need(len(shape) == 2 and 0 not in shape and shape[at] == rank, "rank")
                need(parts.get(name.partition(".lora_")[0] + ".weight") == part, "no layer")
        need((entry["kind"], entry["file"], entry["tensor"]) == place, "a place")
        need(name not in parts, "trainable and frozen")
        listed[place[1:]] = [entry["dtype"], shape]
    for part in ("projector", "vision"):
        has_lora = any(e["part"] == part and e["kind"] == "lora" for e in value["trainable"])
        need(has_lora or said.get(f"{part}_lora_r") is None, f"a rank for {part}, without LoRA")
    tensors = {p: read_tensors(data) for p, data in files.items() if p.endswith(".safetensors")}
    held = {(p, name): fact for p, names in tensors.items() for name, fact in names.items()}
    need(held == listed, "the tensors are not those of modules.json")
    evidence = said.get("evidence")
    if isinstance(evidence, dict):
        before, count = evidence["frozen_digests_before"], len(value["trainable"])
        need(same(before, evidence["frozen_digests_after"]), "frozen parts changed")
        need(isinstance(before, dict) and (before or not parts), "no digests of frozen parts")
        for key in ("tensors_trainable", "tensors_with_gradient", "tensors_changed"):
            need(evidence.get(key, count) == count, f"{key} of the evidence")
    config = read_adapter(exact(files["adapter/adapter_config.json"]))
    shapes = {entry["name"]: entry["shape"] for entry in value["trainable"]}
    if "target_modules" in config:
        adapted = {name.partition(".lora_")[0] for name in shapes if ".lora_" in name}
        weights = {name[:-7] for name in parts if name.endswith(".weight")}
        found = {n for n in weights if re.fullmatch(config["target_modules"], n)}
        need(found == adapted, "target_modules")
    r, alpha = said["lora_r"], said["lora_alpha"]
    wanted = {"base_model_name_or_path": model, "r": r, "lora_alpha": alpha}
    need(all(same(config[key], wanted[key]) for key in wanted), "adapter_config.json")
    ranks = {n.partition(".lora_A.")[0]: s[0] for n, s in shapes.items() if ".lora_A." in n}
    ranks = {name: rank for name, rank in ranks.items() if rank != r}
    alphas = {name: alpha * rank // r for name, rank in ranks.items()}
    patterns = config.get("rank_pattern", {}), config.get("alpha_pattern", {})
    need(patterns == (ranks, alphas), "rank_pattern or alpha_pattern")


def count(value):
    return type(value) is int and value >= 1


def number(value):
    return type(value) in (int, float) and abs(value) <= 2**31


def read_adapter(config):
    """Section 4: `adapter_config.json`, which is `config` itself."""
    for key, value in config.items():
        if key.endswith("_pattern"):
            names = all(re.fullmatch(r"\w+(\.\w+)*", n, re.A) and len(n) <= 256 for n in value)
            fits = 0 < len(value) <= 1024 and names and all(map(count, value.values()))
            need(key in ("rank_pattern", "alpha_pattern") and fits, key)
        elif key == "target_modules":
            few = len(value) <= 8192 and value.count("|") < 256
            need(few and re.fullmatch(TARGETS, value, re.A), key)
        elif key == "lora_dropout":
            need(type(value) in (int, float) and 0 <= value < 1, key)
        elif key not in ("r", "lora_alpha", "base_model_name_or_path"):
            need(same(FIXED[key], value), key)
    need(count(config["r"]) and count(config["lora_alpha"]), "r or lora_alpha")
    need(config["peft_type"] == "LORA", "peft_type")
    return config


def fits(form, value):
    """Section 4: whether a value is of the form of its key."""
    if form in ("tokens", "texts"):
        items = value.values() if form == "tokens" and isinstance(value, dict) else value
        return isinstance(value, list | dict) and all(fits(form[:-1], item) for item in items)
    if form in ("token", "text"):
        if form == "text" or not isinstance(value, dict):
            return isinstance(value, str) and len(value) <= 1024
        marks = [item for key, item in value.items() if key in MARKS]
        known = value.keys() <= MARKS | {"content", "__type"} and fits("text", value.get("content"))
        return (
            known
            and {*map(type, marks)} <= {bool}
            and value.get("__type", "AddedToken") == "AddedToken"
        )
    if form == "size" and isinstance(value, dict):
        return value.keys() <= EDGES and all(v is None or number(v) for v in value.values())
    if form in ("size", "numbers") and isinstance(value, list):
        items = [item if isinstance(item, list) else [item] for item in value]
        return all(len(item) <= 4096 and all(map(number, item)) for item in [value[:0], *items])
    if form == "name":
        return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", value, re.A)
    return isinstance(value, bool) if form == "flag" else number(value)


def inside(value):
    """Every key and value in it, at any depth."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield str(key), item
        if isinstance(item, dict | list):
            yield from inside(item)


def flat(value):
    """The sizes of all numbers in it."""
    return [abs(item) for _, item in inside([value]) if number(item)]


def read_configs(files):
    """Section 4: configurations."""
    for path, data in files.items():
        kind = next(kind for kind in KINDS if re.fullmatch(kind[0], path))
        if not re.match("adapter/|processor/", path) or "H" not in kind[2]:
            continue
        value, own = strict(data), path.startswith("processor/")
        need(isinstance(value, dict), f"{path} is no object")
        for key, item in inside(value):
            elsewhere = key.endswith("name_or_path") or key.startswith("audio_tokenizer")
            need(item is None or not (own and elsewhere), key)
            need(key not in HOOKS or item in (None, False), key)
        if own and CONFIGS[path] is PROCESSOR:
            parts = [key for key in PARTS if value.get(key, None) is not None]
            need(all(isinstance(value[key], dict) for key in parts), "a part is no object")
            for key in parts:
                read_group(PARTS[key], value[key])
            value = {key: item for key, item in value.items() if key not in PARTS}
        if own:
            read_group(CONFIGS[path], value)


def read_group(keys, group):
    """Section 4: the values of an object of a configuration, and the pixels that they make."""
    need(group.keys() <= keys.keys(), "a key that is on no list")
    need(all(v is None or fits(keys[key], v) for key, v in group.items()), "a value's form")
    sizes = ["size", "crop_size", "pad_size", "max_image_size"]
    edges = [edge for key in sizes for edge in flat(group.get(key))]
    edges = edges if "temporal_patch_size" in group else [edge * edge for edge in edges]
    edges += [edge * edge for edge in flat(group.get("image_grid_pinpoints"))]
    areas = edges + [area for key in AREAS for area in flat(group.get(key))]
    crops = [1, *(crop for key in CROPS for crop in flat(group.get(key)))]
    need(keys is not PICTURES or max([0, *areas]) * max(crops) <= 2**26, "too many pixels")


def said(value, steps):
    """What a document has at a dotted name, of which `*` is each entry."""
    if not steps:
        yield value
    elif steps[0] == "*":
        items = value.values() if isinstance(value, dict) else value
        for item in items if isinstance(value, dict | list) else ():
            yield from said(item, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from said(value[steps[0]], steps[1:])


def read_claims(documents):
    """Section 7: the forms of what is signed; those of spec.yaml are for readers of YAML."""
    kinds = {"list": list, "object": dict, "flag": bool, "text": str}
    for name, form in CLAIMS.items():
        name, kind = name.replace("spec.train.", "receipt.vlm_train."), form.rstrip("?")
        for value in said(documents, name.split(".")):
            short = not isinstance(value, str) or len(value) <= 1024
            texts = isinstance(value, list) and all(fits("text", item) for item in value)
            fit = short and type(value) is kinds.get(kind)
            if kind in ("texts", "names"):
                fit = texts or (kind == "names" and fits("text", value))
            elif kind == "digest":
                fit = digest(value)
            elif kind in ("count", "number", "amount", "share"):
                fit = type(value) in ((int,) if kind == "count" else (int, float))
                fit = fit and (kind == "number" or value >= 0) and (kind != "share" or value <= 1)
            need(fit or (value is None and form[-1] == "?"), f"{name} is no {form}")


def digest(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)


def amount(value):
    return type(value) in (int, float) and value >= 0


def short(value):
    return isinstance(value, str) and len(value) <= 1 << 16


def read_lines(data, *keys):
    """Section 4: canonical JSON lines of these keys, each with an id of its own."""
    *found, rest = data.split(b"\n")
    values = [strict(line, 4) for line in found]
    for value, line in zip(values, found, strict=True):
        need(set(value) == {"id", *keys} and canonical(value).encode() == line, "a line")
        need(len(line) <= 1 << 20 and isinstance(value["id"], str) and value["id"], "a line")
        images = value.get("images", [])
        need(isinstance(images, list) and all(map(digest, images)), "images")
        need(digest(value.get("sha256", "0" * 64)), "a row's digest")
    need(not rest and len({value["id"] for value in values}) == len(values), "an end, or an id")
    return values


def read_evaluation(files):
    """Section 4: the rows of the pack, but for what a metric of their own means."""
    value = exact(files["eval/evaluation.json"])
    options, row_keys = value.get("metric_options", {}), value.get("row_keys", [])
    keys = {"format", "gate", "include", "max_new_tokens", "metric", "rows", "usd_per_hour"}
    asked = {name for name, least in value["gate"].items() if least is not None}
    form = 2 if options else 1
    if row_keys or asked - {"k", "accuracy"}:
        form = 3
    keys |= set(["metric_options", "row_keys"][: form - 1])
    need(set(value) == keys and value["format"] == f"kolm-eval/{form}", "evaluation.json")
    answers, price = value["include"] == "answers", value["usd_per_hour"]
    need(isinstance(options, dict) and isinstance(value["metric"], str), "the metric")
    need(answers or value["include"] == "digests", "include")
    need(count(value["rows"]) and count(value["max_new_tokens"]), "a count")
    need(price is None or amount(price), "usd_per_hour")
    read_gate(value["gate"])
    content = "answers" if answers else "sha256"
    pack = read_lines(files["eval/pack.jsonl"], "images", content, *row_keys)
    need(len(pack) == value["rows"], "rows")
    said = {key for row in pack for key in row if row[key] is not None}
    need(row_keys == [k for k in ("group", "metric", "weight") if k in said], "row_keys")
    for row in pack:
        group, weight, metric = row.get("group"), row.get("weight"), row.get("metric")
        need(group is None or (0 < len(group) <= 64 and group.isprintable()), "a group")
        need(weight is None or (amount(weight) and weight != 1), "a weight")
        need(weight is None or 1e-6 <= weight <= 1e6, "a weight")
        need(metric is None or isinstance(metric["name"], str), "a metric")
        need(isinstance(row.get("answers", []), list), "answers")
        need(all(map(short, row.get("answers", []))), "an answer")
    read = pairs = 0
    paths = ["eval/predictions.jsonl", "eval/base_predictions.jsonl"]
    need(answers or not files.keys() & set(paths), "predictions beside digests")
    for path in paths if answers else ():
        said = read_lines(files[path], "prediction")
        need([line["id"] for line in said] == [row["id"] for row in pack], "other rows")
        for line, row in zip(said, pack, strict=True):
            need(line["prediction"] is None or short(line["prediction"]), "a prediction")
            most, accepted = len(line["prediction"] or ""), sum(map(len, row["answers"]))
            read += most * len(row["answers"]) + accepted
            pairs += most * accepted
    stored = sum(len(files.get(path, b"")) for path in ["eval/pack.jsonl", *paths])
    need(read <= 128 * max(stored, 1 << 16) >= pairs / 64, "answers that take too long")
    return pack


def read_gate(gate):
    """Section 4: what a gate may ask for; null is as good as missing."""
    for name, least in gate.items():
        if name in ("axes", "groups") and least is not None:
            need(least and all(map(amount, least.values())), name)
            need(name == "groups" or set(least) <= set("ASLCV"), name)
        elif name == "no_regression" and least is not None:
            need(set(least) == {"against", "confidence", "margin"}, name)
            need(isinstance(least["against"], str) and amount(least["margin"]), name)
            need(amount(least["confidence"]) and 0.5 <= least["confidence"] < 1, name)
        else:
            known = name in ("k", "accuracy", "worst_group", "axes", "groups", "no_regression")
            need(known and (least is None or amount(least)), name)


def read_dataset(files):
    """Section 4: what was trained on is what is named, and nothing of it was asked."""
    value, pack = exact(files["data/dataset.json"]), read_evaluation(files)
    train = read_lines(files["data/train.jsonl"], "images", "sha256")
    learned, asked = ({i for row in rows for i in row["images"]} for rows in (train, pack))
    named = sha256(canonical([[row["id"], row["sha256"]] for row in train]).encode())
    facts = {"images": len(asked), "rows": len(pack), "sha256": value["eval"]["sha256"]}
    form = {"eval": facts, "format": "kolm-dataset/1"}
    form["train"] = {"images": len(learned), "rows": len(train), "sha256": named}
    need(same(form, value) and digest(facts["sha256"]), "dataset.json")
    need(not learned & asked, "images of the evaluation were trained on")


def read(data, trusted, needed=1):
    """The CID and the verdict of a bundle's bytes; `trusted` holds ids of keys.

    Raises:
        ValueError: the bundle is invalid.
    """
    try:
        files = archive(data)
        manifest = read_manifest(files)
        facts, signers = read_statements(files, manifest)
        read_modules(files, facts, manifest["base"]["model"])
        read_configs(files)
        read_dataset(files)
    except (*MALFORMED, StopIteration) as error:
        raise ValueError(f"invalid: {error!r}") from error
    digest = bytes.fromhex(sha256(files["manifest.json"]))
    cid = "b" + b32encode(b"\1\x55\x12\x20" + digest).decode().lower().rstrip("=")
    return cid, "trusted" if len(signers & set(trusted)) >= needed else "untrusted"


if __name__ == "__main__":
    ids = [read_key(Path(path).read_bytes())[1] for path in sys.argv[2:]]
    cid, state = read(Path(sys.argv[1]).read_bytes(), ids)
    print(f"{state} {cid}; not decided: {', '.join(UNDECIDED)}")
    sys.exit(0 if state == "trusted" else 4)
