"""What `kolm run` is asked: questions on the command line, a conversation, or rows of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.files import read_regular
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.columns import Columns
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.containers.grouped import is_image, key_of, natural
from kolm_cli.formats.containers.json_values import parse
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.reader import read_row, recognise
from kolm_cli.formats.shapes import markers
from kolm_cli.records.conversation import Conversation, Message, Text
from kolm_cli.records.images import ImageSource, PathImage, read_image_file
from kolm_cli.records.pictures import ImageError, decode_rgb
from kolm_cli.records.row import Row
from kolm_cli.spec.sources import FORMS, FileSource, parse_source

_MAX_MESSAGES = 256 * 1024 * 1024
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Turns:
    """Questions that are asked one after the other, each with the answers before it.

    Attributes:
        first: the first question as a row without an answer.
        further: the questions that follow, each as a message.
        images: where the bytes of every image are.
    """

    first: Row
    further: tuple[Message, ...] = ()

    def next(self, row: Row, answer: str, asked: Message) -> Row:
        """The row that asks the next question, after `row` was answered."""
        *before, _ = row.conversation.messages
        said = Message("assistant", (Text(answer),))
        conversation = Conversation((*before, said, asked)).unanswered()
        return replace(row, conversation=conversation, images=self.first.images)


def turns(prompts: Sequence[str], images: Sequence[Path], system: str = "") -> Turns:
    """Questions as they are typed. Images stand where `<image>` is, else before the first question.

    Raises:
        InputError: an image cannot be read, the markers are not as many as the images, or there is
            nothing to ask.
    """
    held, order, problems = _read_images(images)
    marks = sum(map(markers.count, prompts))
    if wrong := markers.mismatch(marks, len(images)):
        problems.append(Problem(wrong, "--prompt", markers.FIX))
    if not images and not any(prompt.strip() for prompt in prompts[:1]):
        problems.append(Problem("is empty, and there is no --image", "--prompt", "ask something"))
    problems += [
        Problem("a question after the first is empty", "--prompt", "leave it out")
        for prompt in prompts[1:]
        if not prompt.strip()
    ]
    raise_if_any(problems)
    waiting = list(order)
    asked: list[Message] = []
    for number, prompt in enumerate(prompts):
        count = markers.count(prompt) if marks else (0 if number else len(waiting))
        mine, waiting = waiting[:count], waiting[count:]
        asked.append(Message("user", markers.asked(prompt, mine)))
    head = [Message("system", (Text(system),))] if system else []
    row = Row("question", Conversation((*head, asked[0])).unanswered(), held)
    return Turns(row, tuple(asked[1:]))


def _read_images(
    paths: Sequence[Path],
) -> tuple[dict[str, ImageSource], list[str], list[Problem]]:
    held: dict[str, ImageSource] = {}
    order: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            data = read_image_file(path)
        except ImageError as error:
            problems.append(Problem(str(error), where="--image"))
            continue
        try:
            decode_rgb(data)
        except ImageError as error:
            problems.append(Problem(str(error), where=str(path)))
            continue
        order.append(digests.sha256_bytes(data))
        held[order[-1]] = PathImage(path, order[-1])
    return held, order, problems


def conversation(file: str, images: Sequence[Path]) -> Row:
    """A whole conversation from a file: a list of messages, or an object that has them.

    It may be written in any shape that a row may have. An answer at its end is asked for again.

    Args:
        file: the file, or `-` for standard input.
        images: what its markers and image parts stand for, where it does not say itself.

    Raises:
        InputError: it cannot be read, or is no conversation.
    """
    try:
        if file == STANDARD_INPUT:
            data, folder, where = sys.stdin.buffer.read(_MAX_MESSAGES), Path.cwd(), "--messages"
        else:
            path = Path(file)
            data, folder, where = read_regular(path, _MAX_MESSAGES), path.parent, path.name
        value = parse(data.removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        fix = "name a JSON file, or - for standard input"
        raise InputError(Problem(f"cannot be read: {error.strerror}", file, fix)) from error
    except ValueError as error:
        fix = """write one JSON document: [{"role": "user", "content": "..."}]"""
        raise InputError(Problem(str(error), where, fix)) from error
    record = {"messages": value} if isinstance(value, list) else value
    if images and isinstance(record, dict):
        if record.get("images") or record.get("image"):
            raise InputError(
                Problem("it has images, and --image gives others", where, "leave --image out")
            )
        record = {**record, "images": [path.absolute() for path in images]}
    if isinstance(record, dict) and "prompt" in record and not {"image", "images"} & record.keys():
        record = {**record, "images": []}
    raw = RawRow(where, record, ImageReader(folder.absolute()))
    found = read_row(raw, recognise([raw]), asking=True)
    if isinstance(found, list):
        raise InputError(*found)
    return found.as_row("question")


def rows(source: str, columns: Columns | None, *, prompt: str | None, system: str) -> list[Row]:
    """Questions of a file or folder of rows, of captured pairs, or about each image of a folder.

    Args:
        source: as a spec names its data; or a folder that holds images and no rows.
        columns: which columns hold what.
        prompt: what is asked about each image of a folder.
        system: the system prompt of these.

    Raises:
        InputError: everything that cannot be read.
    """
    path = Path(source)
    if path.is_dir() and (found := _pictures(path)) is not None:
        problems = [item for item in found if isinstance(item, Problem)]
        if prompt is None:
            problems.append(
                Problem("what is asked about each image of the folder?", source, "give --prompt")
            )
        if columns is not None:
            problems.append(
                Problem("a folder of images has no columns", "--column", "use --prompt")
            )
        if prompt is not None and markers.count(prompt) > 1:
            problems.append(
                Problem(markers.mismatch(markers.count(prompt), 1), "--prompt", markers.FIX)
            )
        raise_if_any(problems)
        return [
            _about(item, path, prompt or "", system) for item in found if isinstance(item, Path)
        ]
    if prompt is not None or system:
        option = "--prompt" if prompt is not None else "--system"
        fix = f"use --fixed {option.removeprefix('--')}=TEXT for one of all rows"
        raise InputError(Problem("rows say themselves what is asked", option, fix))
    try:
        named = parse_source(source, Path.cwd(), columns)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(Problem(str(error), where="--rows", fix=FORMS)) from error
    if isinstance(named, FileSource):
        read = read_source(named, asking=True)
        raise_if_any(read.problems)
        return read.rows
    read = read_source(named)
    raise_if_any(read.problems)
    return [replace(row, conversation=row.conversation.unanswered()) for row in read.rows]


def _pictures(folder: Path) -> list[Path | Problem] | None:
    """The images of a folder that holds no rows; None for one that does, or holds neither."""
    from kolm_cli.formats.catalog import holds_rows

    if holds_rows(folder):
        return None
    found = list(files_named(folder, lambda name: is_image(key_of(name)[1])))
    return sorted(found, key=lambda item: natural(str(item))) or None


def _about(path: Path, folder: Path, prompt: str, system: str) -> Row:
    name = path.relative_to(folder).as_posix()
    try:
        sha256 = digests.sha256_bytes(read_image_file(path))
    except ImageError as error:
        raise InputError(Problem(str(error), where=name)) from error
    asked = Conversation.asking(markers.asked(prompt, [sha256]), "", system)
    return Row(name, asked, {sha256: PathImage(path, sha256)})
