"""Whether the chat template is the base's own, by what the receipt says of the base.

Another one is no contradiction, and may be meant. But it can put other questions to the model than
the user's, so it is said.
"""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome

TEMPLATE = "processor/chat_template.jinja"
CLAIM = "chat_template_sha256"


def _run(case: Case) -> Outcome:
    trained = case.receipt.get("vlm_train")
    said = trained.get(CLAIM) if isinstance(trained, dict) else None
    record = case.manifest.files.get(TEMPLATE)
    held = None if record is None else record.sha256
    if said == held:
        return Outcome(True if held else None, "the base's own" if held else "there is none")
    if said is None:
        return Outcome(None, "the receipt does not say which one the base has")
    return Outcome(None, "DIFFERS from the base's: it may put other questions to the model")


CHECK = Check("template", _run)
