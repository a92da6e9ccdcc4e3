"""What all sections of a spec share: closed, frozen, and every error reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from kolm_cli.core.names import likely, likely_fix

ERROR_TYPE = "kolm"
UNKNOWN_OPTION = "unknown-option"


class Conflict(NamedTuple):
    """A rule between fields that a section breaks.

    Attributes:
        field: the field to point at, dotted if it is in a section below.
        because: the field whose value makes it wrong.
        what: what is wrong, without a full stop.
        fix: what to write instead.
    """

    field: str
    because: str
    what: str
    fix: str


def custom_error(what: str, fix: str, kind: str = "") -> PydanticCustomError:
    """An error in kolm's own words, for a validator to raise; see `Problem` for the arguments."""
    # The message is a template to pydantic: the words go in as values, braces and all.
    template = "{what}; {fix}" if fix else "{what}"
    return PydanticCustomError(ERROR_TYPE, template, {"what": what, "fix": fix, "kind": kind})


class Section(BaseModel):
    """A mapping of the spec. Unknown names, wrong types and broken rules come as one error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    # Options younger than the form that bundles hold: written only where they are not the default,
    # so that a spec without them keeps the bytes, and the CID, that it had before them.
    younger: ClassVar[frozenset[str]] = frozenset()

    def idle(self) -> Iterator[Conflict]:
        """Fields that have no effect, given the others; writing one of them is an error."""
        return iter(())

    def conflicts(self) -> Iterator[Conflict]:
        """Rules between fields that are broken."""
        return iter(())

    def _broken(self) -> Iterator[Conflict]:
        for conflict in self.idle():
            # A null, a false or a 0 asks for nothing, so nothing is ignored.
            asked = getattr(self, conflict.field) not in (None, False)
            if conflict.field in self.model_fields_set and asked:
                yield conflict
        yield from self.conflicts()

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # A section whose lines are all commented out reads as null: it is an empty section.
        value = {} if value is None else value
        details: list[InitErrorDetails] = []
        checked: Self | None = None
        try:
            checked = handler(value)
        except ValidationError as error:
            if not isinstance(value, Mapping):
                raise
            details = [cls._detail(line) for line in error.errors(include_url=False)]
            refused = {detail["loc"][0] for detail in details if detail.get("loc")}
            # A misspelled name was meant to say something that the rules cannot know.
            unsure = refused | {likely(str(name), list(cls.model_fields)) for name in refused}
            checked = cls._without(value, refused, handler)
            broken = [
                conflict
                for conflict in (checked._broken() if checked else ())
                if not {conflict.field.split(".")[0], conflict.because} & unsure
            ]
        else:
            broken = list(checked._broken())
        details += [
            InitErrorDetails(
                type=custom_error(c.what, c.fix), loc=tuple(c.field.split(".")), input=None
            )
            for c in broken
        ]
        if details or checked is None:
            raise ValidationError.from_exception_data(cls.__name__, details)
        return checked

    @classmethod
    def _without(
        cls, value: Mapping[Any, Any], refused: set[Any], handler: ModelWrapValidatorHandler[Self]
    ) -> Self | None:
        """The section without the refused fields, so that its other rules are checked too."""
        try:
            return handler({k: v for k, v in value.items() if k not in refused})
        except ValidationError:
            return None  # a required field is among the refused

    @classmethod
    def _detail(cls, line: Any) -> InitErrorDetails:
        """One of pydantic's errors again, an unknown name in kolm's own words."""
        kind: str | PydanticCustomError = line["type"]
        if kind == "extra_forbidden" and len(line["loc"]) == 1:
            name, known = str(line["loc"][0]), list(cls.model_fields)
            fix = likely_fix(name, known)
            kind = custom_error(f"there is no option {name!r}", fix, UNKNOWN_OPTION)
        elif kind == ERROR_TYPE:
            kind = custom_error(line["ctx"]["what"], line["ctx"]["fix"], line["ctx"]["kind"])
        return InitErrorDetails(
            type=kind, loc=line["loc"], input=line["input"], ctx=line.get("ctx", {})
        )

    @model_serializer(mode="wrap")
    def _effective(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All fields but the idle ones, so that what is written can be read again."""
        written: dict[str, Any] = handler(self)
        for conflict in self.idle():
            written.pop(conflict.field, None)
        for name in self.younger:
            default = type(self).model_fields[name].default
            # As JSON, a tuple is a list.
            if written.get(name) in (default, [] if default == () else default):
                written.pop(name, None)
        return written
