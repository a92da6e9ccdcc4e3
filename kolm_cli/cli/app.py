"""The entry point: builds the application and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import warnings
from types import FrameType

import typer

from kolm_cli import __version__
from kolm_cli.cli.catalog import COMMANDS
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, KolmError, LackingError, Problem


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kolm {__version__}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole application with every command of the catalogue."""
    app = typer.Typer(
        name="kolm",
        help="Fine-tune open vision-language models on one GPU, and prove what was done.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Plain help: drawing it with rich costs more than all else that a quick command does.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 unexpected fault, 2 usage, spec or data is wrong, 3 gate not"
        " met, 4 verification failed, 5 environment lacks something, 130 interrupted.",
    )

    @app.callback()
    def root(
        version: bool = typer.Option(
            False, "--version", help="Print the version.", callback=_show_version, is_eager=True
        ),
    ) -> None:
        pass

    for module in COMMANDS:
        importlib.import_module(module).register(app)
    return app


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# The libraries' own chatter would bury the messages of a command.
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: `with` blocks are left, files are whole."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit with a code of `ExitCode`."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        # Addressed to developers, and about libraries; kolm's own notes go through its progress.
        warnings.filterwarnings("ignore", category=category)
    output = Output(as_json="--json" in sys.argv[1:])
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        build_app()()
    except KolmError as error:
        output.error(error)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        output.note("Interrupted.")
        sys.exit(int(ExitCode.INTERRUPTED))
    except Exception as error:
        # The outermost frame of the program: whatever reaches it is a fault of kolm's.
        if os.environ.get("KOLM_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            lacking = LackingError(
                Problem(f"no room is left: {error.strerror}", where=str(error.filename or "")),
                hint="free some space; the same command again continues",
            )
            output.error(lacking)
            sys.exit(int(lacking.exit_code))
        output.fault(error)
        sys.exit(int(ExitCode.FAULT))


if __name__ == "__main__":
    main()
