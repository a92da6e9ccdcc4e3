"""The bundle holds the files that its manifest lists, each with its digest, and no others."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout


def _run(case: Case) -> Outcome:
    present, listed = case.contents.files, case.manifest.files
    problems = [
        f"{path} is not a file that a bundle may hold"
        for path in present
        if layout.kind_of(path) is None
    ]
    problems += [
        f"{path} is not in the manifest"
        for path in present
        if layout.is_attested(path) and layout.kind_of(path) and path not in listed
    ]
    problems += [
        f"{path} is missing"
        for path in dict.fromkeys((*listed, *layout.required_paths()))
        if path not in present
    ]
    for path, record in listed.items():
        if path not in present:
            continue
        item = present[path]
        if (item.entry.size, item.sha256) != (record.size, record.sha256):
            problems.append(f"{path} has the SHA-256 {item.sha256}, the manifest {record.sha256}")
    if list(present) != sorted(present, key=layout.sort_key):
        problems.append("the files are not in the order of the format")
    if problems:
        return Outcome(False, "; ".join(problems))
    return Outcome(True, f"{len(listed)} files have the digests of the manifest")


CHECK = Check("files", _run, fatal=True)
