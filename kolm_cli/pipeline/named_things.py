"""What a spec names, looked at although the spec itself is wrong.

Whoever mends the spec then knows at once what else there is to mend. Nothing large is fetched.
"""

from __future__ import annotations

from pydantic import ValidationError

from kolm_cli.core.together import Together
from kolm_cli.families.resolve import resolve_base
from kolm_cli.pipeline.data import Data
from kolm_cli.pipeline.parent import find_parent
from kolm_cli.spec.load import SpecError
from kolm_cli.spec.model import DataSection


def look_at(error: SpecError, together: Together) -> None:
    """Raise `error` with the problems of base, rows and adapter that are known all the same."""
    together.keep(error)
    named = error.outside
    if named.model is not None:
        # Of a hub id the small files are enough.
        local = named.base is not None
        together.run(resolve_base, named.model, named.revision, weights=local)
    section = _section(named.value("data"))
    for side, source in (("train", named.train), ("eval", named.eval)):
        if source is not None and side not in named.unsure:
            data = together.run(Data, source, section)
            if data is not None:
                together.run(data.check)
    together.run(find_parent, named.adapter, named.place("base.adapter"))
    together.finish()


def _section(written: object) -> DataSection:
    """How the rows are read: what the spec says where that is sound, else the defaults."""
    try:
        return DataSection.model_validate(written)
    except ValidationError:
        return DataSection(train="left out", eval="left out")
