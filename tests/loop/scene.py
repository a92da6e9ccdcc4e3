"""A loop without training: compiles are prepared bundles, and every step can be the last."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.progress import Silent
from kolm_cli.loop import hooks, turn
from kolm_cli.loop.journal import Journal
from kolm_cli.loop.place import Place, Wishes
from kolm_cli.loop.turn import Outcome
from kolm_cli.pipeline.compile import Compiled
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry
from tests.bundle import factory

NAME = "chart-qa"
# Everything that a turn does to the world or to its journal, in no order.
STEPS: list[tuple[Any, str]] = [
    (Journal, "configure"),
    (Journal, "begin"),
    (turn, "compile_spec"),
    (Journal, "compiled"),
    (hooks, "refusals"),
    (Journal, "plan"),
    (Registry, "tag"),
    (Journal, "moved"),
    (hooks, "_run"),
    (Journal, "tried"),
    (Journal, "end"),
]


@dataclasses.dataclass
class Scene:
    """A folder in which a loop runs.

    Attributes:
        folder: the folder; `data` in it is what the next compile is about.
        compiles: how often something was compiled.
    """

    folder: Path
    compiles: int = 0

    def __post_init__(self) -> None:
        self.signer = keys.generate()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(turn, "gather", self._gather)
        self.patch.setattr(turn, "compile_spec", self._compile)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the hook was told, in order."""
        file = self.folder / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def wishes(self) -> Wishes:
        script = self.folder / "hook.sh"
        form = '{"event": "%s", "cid": "%s"}\\n'
        line = f'printf \'{form}\' "$KOLM_LOOP_EVENT" "$KOLM_LOOP_CID"'
        script.write_text(f"{line} >> {self.folder / 'told'}\n")
        return Wishes(on_promote=(f"sh {script}",), before_promote=("true",))

    def data(self, text: str) -> None:
        """New data: what `good…` compiles to meets the gate, `bad…` does not."""
        (self.folder / "data").write_text(text)

    def turn(self, **changes: Any) -> Outcome:
        wishes = dataclasses.replace(self.wishes, **changes)
        return turn.take_turn(self.folder / "kolm.yaml", wishes, Silent())

    def live(self, tag: str = "live") -> str:
        """What is in use: the first training row's id tells the bundles apart."""
        with contextlib.suppress(InputError):
            return Registry().resolve(Tag(NAME, tag)).cid
        return ""

    def turns(self) -> list[str]:
        """The states of all turns, oldest first."""
        with Place.of(NAME).journal() as journal:
            return [one.state for one in reversed(journal.turns())]

    def cid(self, text: str) -> str:
        return self._bundle(text)[0]

    def _bundle(self, text: str) -> tuple[str, Path]:
        path = self.folder / f"{text}.kolm"
        made = factory.make_bundle(path, self.signer, name=text.replace(" ", "-"))
        return made.cid, path

    def _gather(self, spec: Path, **_: Any) -> Any:
        text = (self.folder / "data").read_text()
        return SimpleNamespace(
            spec=SimpleNamespace(
                name=NAME, evaluate=SimpleNamespace(gate=SimpleNamespace(no_regression=None))
            ),
            keys=SimpleNamespace(result=digests.sha256_bytes(text.encode())),
            loaded=SimpleNamespace(adapter=None),
        )

    def _compile(self, spec: Path, **_: Any) -> Compiled:
        self.compiles += 1
        text = (self.folder / "data").read_text()
        if text.startswith("broken"):
            raise InputError(Problem("a row is broken", "data:1"))
        cid, path = self._bundle(text)
        Registry().push(path, None, Silent())
        passed = text.startswith("good")
        failed = [] if passed else ["accuracy 0.1000 is below the gate's 0.9"]
        report = {
            "cid": cid,
            "bundle": str(path),
            "accuracy": 0.9,
            "base_accuracy": 0.1,
            "k_score": {"k": 0.5},
            "gate": {"passed": passed, "failed": failed},
        }
        return Compiled(path, report)


@contextlib.contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    made = Scene(folder)
    try:
        yield made
    finally:
        made.patch.undo()


def killed_at(step: tuple[Any, str], *, after: bool, work: Callable[[], Any]) -> bool:
    """Do `work` in a copy of this process, which is killed before or after its first `step`.

    Returns:
        Whether it came to that step.
    """
    child = os.fork()
    if child == 0:
        # The copy: whatever happens, it must not go on with the tests.
        try:
            owner, name = step
            original = getattr(owner, name)

            def deadly(*arguments: Any, **options: Any) -> Any:
                if after:
                    original(*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(owner, name, deadly)
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
