"""Two examples for each command, which its own `--help` shows.

A test parses all of them, and runs those that need neither torch nor somebody at the other end,
in a folder that holds the files they name.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "init": (
        "kolm init chart-qa --data charts.jsonl",
        "kolm init --data capture:chart-qa --model ./my-base",
    ),
    "demo": ("kolm demo", "kolm demo /tmp/kolm-demo --seed 7 --fresh"),
    "doctor": ("kolm doctor", "kolm doctor --json"),
    "families": ("kolm families", "kolm families --json"),
    "tiny-base": (
        "kolm tiny-base ./tiny --family qwen2_5_vl",
        "kolm tiny-base ./tiny --family llava --width 128 --layers 4",
    ),
    "capture add": (
        "kolm capture add --to qa --image chart.png --prompt 'Sum?' --response 7",
        "kolm capture add --to chart-qa --prompt Hello --response Hi --tag greeting",
    ),
    "capture import": (
        "kolm capture import charts.jsonl --to chart-qa",
        "kolm capture import charts.jsonl --to chart-qa --skip-bad left-out.txt",
    ),
    "capture ls": (
        "kolm capture ls",
        "kolm capture ls chart-qa@eval --review pending --limit 20",
    ),
    "capture show": ("kolm capture show 1", "kolm capture show 1 --json"),
    "capture stats": ("kolm capture stats chart-qa", "kolm capture stats chart-qa --near"),
    "capture rm": (
        "kolm capture rm chart-qa --older-than 90d --dry-run",
        "kolm capture rm --image chart.png --yes",
    ),
    "capture check": ("kolm capture check", "kolm capture check --repair"),
    "capture calls": ("kolm capture calls", "kolm capture calls --retry"),
    "capture export": (
        "kolm capture export chart-qa pairs.jsonl",
        "kolm capture export chart-qa@eval eval.jsonl --format trl-messages",
    ),
    "capture proxy": (
        "kolm capture proxy --to chart-qa --upstream https://api.openai.com/v1",
        "kolm capture proxy --to qa --upstream http://127.0.0.1:8000/v1 --port 0",
    ),
    "capture review": (
        "kolm capture review chart-qa --open",
        "kolm capture review chart-qa --as alice --port 8080",
    ),
    "validate": ("kolm validate kolm.yaml", "kolm validate kolm.yaml --show-mask 2"),
    "plan": ("kolm plan kolm.yaml", "kolm plan kolm.yaml --device rtx4090 --usd-per-hour 0.40"),
    "compile": (
        "kolm compile kolm.yaml",
        "kolm compile kolm.yaml --set train.seed=7 --junit gates.xml",
    ),
    "loop run": (
        "kolm loop run kolm.yaml --every 1h --webhook https://example.com/hook",
        "kolm loop run kolm.yaml --once --on-promote 'systemctl reload chart-qa'",
    ),
    "loop status": ("kolm loop status", "kolm loop status --json"),
    "rollback": ("kolm rollback chart-qa", "kolm rollback chart-qa --json"),
    "eval": (
        "kolm eval chart-qa.kolm --wrong 10",
        "kolm eval chart-qa.kolm --pack new-charts.jsonl --device cpu",
    ),
    "run": (
        "kolm run chart-qa.kolm --image chart.png --prompt 'Which bar is tallest?'",
        "kolm run chart-qa.kolm --rows charts/ --prompt 'Sum?' --out sums.jsonl",
    ),
    "export": (
        "kolm export chart-qa.kolm ./chart-qa --to merged",
        "kolm export chart-qa:latest ./served --to vllm --dtype bfloat16",
    ),
    "parity": (
        "kolm parity chart-qa.kolm --server http://127.0.0.1:8000",
        "kolm parity chart-qa:latest --server http://127.0.0.1:8000 --rows 60 --json",
    ),
    "serve": (
        "kolm serve chart-qa.kolm",
        "kolm serve chart-qa:latest chart-qa:v2 --port 8080 --device cpu",
    ),
    "verify": (
        "kolm verify chart-qa.kolm",
        "kolm verify chart-qa.kolm --trust auditors.toml --json",
    ),
    "receipt": (
        "kolm receipt chart-qa.kolm",
        "kolm receipt chart-qa.kolm --sums",
    ),
    "report": (
        "kolm report chart-qa.kolm",
        "kolm report chart-qa:latest -o report.html --no-pictures",
    ),
    "diff": (
        "kolm diff old.kolm chart-qa.kolm",
        "kolm diff chart-qa:latest chart-qa.kolm --json",
    ),
    "unpack": (
        "kolm unpack chart-qa.kolm ./chart-qa",
        "kolm unpack chart-qa.kolm ./chart-qa --trust auditors.toml",
    ),
    "sign": (
        "kolm sign chart-qa.kolm",
        "kolm sign chart-qa.kolm --key 1a2b3c4d --out signed.kolm",
    ),
    "keys new": ("kolm keys new", "kolm keys new --kind ed25519 --passphrase --default"),
    "keys list": ("kolm keys list", "kolm keys list --json"),
    "keys show": ("kolm keys show", "kolm keys show 1a2b3c4d"),
    "keys export": ("kolm keys export", "kolm keys export 1a2b3c4d --out mine.pem"),
    "keys rotate": ("kolm keys rotate", "kolm keys rotate --json"),
    "keys revoke": ("kolm keys revoke 1a2b3c4d", "kolm keys revoke 1a2b3c4d --json"),
    "trust add": (
        "kolm trust add alice.pem --name 'chart-*' --comment Alice",
        "kolm trust add alice.pem --name chart-qa --valid-until 2027-01-31",
    ),
    "trust list": ("kolm trust list", "kolm trust list --trust auditors.toml --json"),
    "trust remove": (
        "kolm trust remove mine.pem",
        "kolm trust remove mine.pem --trust auditors.toml",
    ),
    "trust check": (
        "kolm trust check chart-qa",
        "kolm trust check chart-qa mine.pem --json",
    ),
    "publish": (
        "kolm publish chart-qa.kolm my-team/chart-qa",
        "kolm publish chart-qa:latest my-team/chart-qa --with-bundle --public",
    ),
    "push": (
        "kolm push chart-qa.kolm chart-qa:latest",
        "kolm push chart-qa:latest oci://registry.example.com/team/chart-qa:v1",
    ),
    "pull": (
        "kolm pull chart-qa:latest",
        "kolm pull oci://registry.example.com/team/chart-qa:v1 --out chart-qa.kolm",
    ),
    "ls": ("kolm ls", "kolm ls chart-qa --json"),
    "log": ("kolm log chart-qa", "kolm log chart-qa:latest --limit 5 --json"),
    "tag": (
        "kolm tag chart-qa:latest chart-qa:v2",
        "kolm tag chart-qa:latest chart-qa:stable --json",
    ),
    "rm": ("kolm rm chart-qa:latest", "kolm rm chart-qa:latest --json"),
    "gc": ("kolm gc --dry-run", "kolm gc --untagged --runs 30"),
    "registry check": ("kolm registry check", "kolm registry check --json"),
}


def as_text(name: str) -> str:
    r"""The examples of a command as a help text's last paragraph; `\b` keeps its lines."""
    lines = EXAMPLES.get(name, ())
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else ""
