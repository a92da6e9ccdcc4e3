"""The entry point: builds the application and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import itertools
import os
import re
import signal
import sys
import warnings
from types import FrameType
from typing import Any

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from kolm_cli import __version__
from kolm_cli.cli.catalog import COMMANDS
from kolm_cli.cli.help import TitledGroup, add_examples, put_under
from kolm_cli.cli.output import Output
from kolm_cli.cli.system_errors import of_the_system
from kolm_cli.core.errors import ExitCode, InputError, KolmError, Problem


def _show_version(wanted: bool) -> None:
    if wanted:
        Output().data(f"kolm {__version__}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole application with every command of the catalog."""
    app = typer.Typer(
        name="kolm",
        help="Fine-tune open vision-language models on one GPU, and prove what was done.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Plain help: drawing it with rich costs more than all else that a quick command does.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        cls=TitledGroup,
        epilog="\b\n`kolm COMMAND --help` shows a command's options, and examples.\n\n\b\n"
        "Exit codes: 0 done, 1 unexpected fault, 2 usage, spec or data is wrong,\n"
        "3 gate not met, 4 verification failed, 5 environment lacks something,\n"
        "130 interrupted.",
    )

    @app.callback()
    def root(
        version: bool = typer.Option(
            False, "--version", help="Print the version.", callback=_show_version, is_eager=True
        ),
    ) -> None:
        pass

    for title, modules in COMMANDS.items():
        known = (len(app.registered_commands), len(app.registered_groups))
        for module in modules:
            importlib.import_module(f"kolm_cli.cli.commands.{module}").register(app)
        put_under(title, app.registered_commands[known[0] :])
        put_under(title, app.registered_groups[known[1] :])
    add_examples(app)
    return app


# What the libraries are told: their own chatter would bury the messages of a command.
_LIBRARIES = {
    "TRANSFORMERS_VERBOSITY": "error",
    # Threads that spin while they wait starve whatever else runs on the same processors.
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: `with` blocks are left, files are whole."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit with a code of `ExitCode`."""
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        # Addressed to developers, and about libraries; kolm's own notes go through its progress.
        warnings.filterwarnings("ignore", category=category)
    output = output_for(sys.argv[1:])
    output.never_fail_to_encode()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _run(sys.argv[1:])
        if code == ExitCode.INTERRUPTED:
            output.note("Interrupted.")
    except KolmError as error:
        code = _told(output, error)
    except TyperException as error:
        code = _usage(output, error)
    except (KeyboardInterrupt, typer.Abort):
        output.note("Interrupted.")
        code = ExitCode.INTERRUPTED
    except Exception as error:
        # The outermost frame of the program: whatever reaches it is a fault of kolm's.
        if os.environ.get("KOLM_TRACEBACK"):
            raise
        known = of_the_system(error, sys.argv[1:])
        if known is None:
            output.fault(error)
        code = ExitCode.FAULT if known is None else _told(output, known)
    output.finish()
    sys.exit(int(code or 0))


def _run(arguments: list[str]) -> Any:
    """What the command returns, or the code that it ends with.

    Not through typer's own `main`, which would print what is wrong with the usage, and would end
    quietly with 1 at any broken pipe, one to a server too.
    """
    command = get_command(build_app())
    try:
        with command.make_context("kolm", arguments) as context:
            return command.invoke(context)
    except typer.Exit as end:
        return end.exit_code


def output_for(arguments: list[str]) -> Output:
    """The output that `arguments` ask for, known before they are parsed: they may be wrong."""
    pairs = [*itertools.pairwise(arguments)]
    events = "--progress=json" in arguments or ("--progress", "json") in pairs
    return Output(as_json="--json" in arguments, as_events=events)


def _told(output: Output, error: KolmError) -> ExitCode:
    output.error(error)
    return error.exit_code


def _usage(output: Output, error: TyperException) -> ExitCode:
    """Say what is wrong with the command line, and which help tells more."""
    context = getattr(error, "ctx", None)
    text = error.format_message()
    if context is not None and text == context.get_help():  # a group without a command
        output.note(text)
        return ExitCode.INPUT
    hint = f"{context.command_path} --help" if context is not None else "kolm --help"
    # What a value should be, without the words of the library that read it.
    text = text.replace("Value error, ", "").replace("Input should be", "it should be")
    text = re.sub(r", unable to parse [a-z ]+$", "", text.rstrip("."))
    return _told(output, InputError(Problem(text), hint=hint))


if __name__ == "__main__":
    main()
