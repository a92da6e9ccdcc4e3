"""Whether the chat template is the base's own, by what the receipt says of the base.

Another one is no contradiction, and may be meant. But it can put other questions to the model than
the user's, so it is said.
"""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome

# Where both are, processors take the one and tokenizers the other.
DEFAULTS = (
    "processor/chat_template.jinja",
    "processor/additional_chat_templates/default.jinja",
)
CLAIM = "chat_template_sha256"


def _run(case: Case) -> Outcome:
    trained = case.receipt.get("vlm_train")
    said = trained.get(CLAIM) if isinstance(trained, dict) else None
    files = case.manifest.files
    templates = {path: files[path].sha256 for path in files if path.endswith(".jinja")}
    held = {templates.pop(path) for path in DEFAULTS if path in templates}
    further = ""
    if templates:
        further = f"; of further ones the receipt says nothing: {', '.join(sorted(templates))}"
    if said is None:
        what = "the receipt does not say which one the base has" if held else "there is none"
        return Outcome(None, what + further)
    if held != {str(said)}:
        how = "DIFFERS from the base's: it may put other questions to the model"
        return Outcome(None, how + further)
    return Outcome(None if further else True, f"the base's own{further}")


CHECK = Check("template", _run)
