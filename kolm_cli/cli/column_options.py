"""Options that say which columns of a file hold what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kolm_cli.formats.columns import Columns

ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=COLUMN",
        help="Which column holds image, prompt, response …; repeat for several.",
    ),
]
FixedOption = Annotated[
    list[str] | None,
    typer.Option("--fixed", metavar="FIELD=TEXT", help="One prompt or system for every row."),
]


def columns_from(column: Sequence[str] | None, fixed: Sequence[str] | None) -> Columns | None:
    """The mapping that the options give; None when there are none.

    Raises:
        InputError: everything that is wrong with them.
    """
    from kolm_cli.core.errors import Problem, raise_if_any
    from kolm_cli.formats.columns import columns_of, wrong_in

    mapping: dict[str, Any] = {}
    options: dict[str, str] = {}
    problems: list[Problem] = []
    for option, kind, given in (("--column", "", column or ()), ("--fixed", "text", fixed or ())):
        for pair in given:
            field, equals, value = pair.partition("=")
            field = field.strip()
            if not equals:
                problems.append(
                    Problem(f"{pair!r:.60} has no =", option, f"write {option} FIELD=…")
                )
            elif field in mapping:
                problems.append(Problem(f"{field} is named twice", option, "name it once"))
            else:
                mapping[field] = {kind: value} if kind else value
                options[field] = option
    problems += [Problem(w.what, f"{options[w.field]} {w.field}", w.fix) for w in wrong_in(mapping)]
    raise_if_any(problems)
    return columns_of(mapping)
