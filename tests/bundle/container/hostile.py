"""Archives that two readers could read differently, by what is wrong with them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests.bundle.forge import Item, archive, change, pack

CONFIG = "adapter/adapter_config.json"
Items = list[Item]


def with_item(items: Items, name: bytes, data: bytes = b"{}", **fields: object) -> bytes:
    return archive([*items, Item(name, data, **fields)])  # type: ignore[arg-type]


def twice(items: Items) -> bytes:
    return archive([*items, next(i for i in items if i.name == CONFIG.encode())])


def deflated(items: Items) -> bytes:
    item = next(i for i in items if i.name == CONFIG.encode())
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(item.data) + packer.flush()
    fields = {"method": 8, "size": len(item.data), "crc32": zlib.crc32(item.data)}
    return archive(change(items, CONFIG, data=data, local=fields, central=fields))


def descriptor(items: Items) -> bytes:
    item = next(i for i in items if i.name == CONFIG.encode())
    size, crc32 = len(item.data), zlib.crc32(item.data)
    after = struct.pack("<4s3L", b"PK\7\x08", crc32, size, size)
    local = {"flags": 8, "crc32": 0, "size": 0, "packed": 0}
    return archive(change(items, CONFIG, local=local, central={"flags": 8}, after=after))


def overlapping(items: Items) -> bytes:
    first = items[0]
    ghost = Item(b"spec.yaml", first.data, central={"offset": 0}, in_body=False)
    return archive([*items, ghost])


def end_in_comment(items: Items) -> bytes:
    whole = archive(items)
    return archive(items, comment=whole[-22:])


def zip64(items: Items) -> bytes:
    whole = archive(items)
    size, offset = struct.unpack("<2L", whole[-10:-2])
    count = len(items)
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset
    ) + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    big = {"here": 0xFFFF, "count": 0xFFFF, "directory_size": 2**32 - 1}
    return archive(items, before_end=record, end={**big, "directory_offset": 2**32 - 1})


def zip64_sizes(items: Items) -> bytes:
    item = next(i for i in items if i.name == CONFIG.encode())
    extra = struct.pack("<2H2Q", 1, 16, len(item.data), len(item.data))
    big = {"size": 2**32 - 1, "packed": 2**32 - 1}
    return archive(change(items, CONFIG, local=big, central=big, local_extra=extra))


def lies(**local: int) -> Callable[[Items], bytes]:
    return lambda items: archive(change(items, CONFIG, local=local))


def directory_lies(**central: int) -> Callable[[Items], bytes]:
    return lambda items: archive(change(items, CONFIG, central=central))


def end_lies(**end: int) -> Callable[[Items], bytes]:
    return lambda items: archive(items, end=end)


CASES: dict[str, tuple[Callable[[Items], bytes], str]] = {
    "duplicate name": (twice, f"holds {CONFIG} twice"),
    "case twin": (lambda i: with_item(i, b"Spec.yaml"), "is not of a-z"),
    "unicode twin": (lambda i: with_item(i, "spеc.yaml".encode()), "is not of a-z"),  # noqa: RUF001
    "unicode twin with the flag for it": (
        lambda i: with_item(i, "spеc.yaml".encode(), local={"flags": 0x800}),  # noqa: RUF001
        "is not of a-z",
    ),
    "NUL in a name": (lambda i: with_item(i, b"spec.yaml\0.txt"), "holds a NUL"),
    "parent folder": (lambda i: with_item(i, b"adapter/../../x.json"), "leads elsewhere"),
    "dot segment": (lambda i: with_item(i, b"adapter/./x.json"), "leads elsewhere"),
    "empty segment": (lambda i: with_item(i, b"adapter//x.json"), "leads elsewhere"),
    "absolute name": (lambda i: with_item(i, b"/etc/passwd"), "is absolute"),
    "drive name": (lambda i: with_item(i, b"c:/x.json"), "is not of a-z"),
    "backslash": (lambda i: with_item(i, b"adapter\\x.json"), "holds a backslash"),
    "escape sequence": (lambda i: with_item(i, b"\x1b[2Jx"), "is not of a-z"),
    "empty name": (lambda i: with_item(i, b""), "has 0 bytes"),
    "very long name": (lambda i: with_item(i, b"x" * 4000), "has 4000 bytes"),
    "folder": (lambda i: with_item(i, b"adapter/", b""), "is a folder"),
    "symbolic link": (
        lambda i: archive(change(i, CONFIG, central={"mode": 0o120777 << 16})),
        "a symbolic link",
    ),
    "executable": (directory_lies(mode=0o100755 << 16), "the mode is"),
    "prepended bytes": (lambda i: archive(i, prefix=b"#!/bin/sh\n"), "begins neither"),
    "prepended bytes, offsets as without": (lambda i: b"MZ" + archive(i), "begins neither"),
    "trailing bytes": (lambda i: archive(i, suffix=b"\0"), "follow the end"),
    "a second archive behind": (lambda i: archive(i) + archive(i), "follow the end"),
    "a second archive in front": (lambda i: archive(i[:1]) + archive(i), "follow the end"),
    "bytes between files": (
        lambda i: archive(change(i, CONFIG, after=b"between")),
        "begins neither",
    ),
    "bytes between directory and end": (
        lambda i: archive(i, before_end=b"between"),
        "no end record",
    ),
    "name differs in the directory": (
        lambda i: archive(change(i, CONFIG, central_name=b"adapter/adapter_confiG.json")),
        "the name differs",
    ),
    "size differs in the directory": (directory_lies(size=1), "the size is 0x1"),
    "packed size differs in the directory": (directory_lies(packed=1), "the compressed size"),
    "CRC differs in the directory": (directory_lies(crc32=1), "the CRC is 0x1"),
    "method differs in the directory": (directory_lies(method=8), "the compression method"),
    "flags differ in the directory": (directory_lies(flags=0x800), "the flags is 0x800"),
    "offset differs in the directory": (directory_lies(offset=0), "the offset of the file"),
    "date differs in the directory": (directory_lies(date=0x5921), "the date is"),
    "disk number": (directory_lies(disk=1), "the disk number"),
    "internal attributes": (directory_lies(internal=1), "the internal attributes"),
    "made by another system": (directory_lies(made_by=20), "the version made by"),
    "wrong CRC in both": (
        lambda i: archive(change(i, CONFIG, local={"crc32": 7}, central={"crc32": 7})),
        "does not have the CRC",
    ),
    "local size": (lies(size=1), "in its header"),
    "local packed size": (lies(packed=1), "in its header the compressed size"),
    "local method": (lies(method=8), "compressed"),
    "local encryption": (lies(flags=1), "encrypted"),
    "local date": (lies(date=0x5921), "the date is"),
    "local version": (lies(needed=45), "the version needed"),
    "data descriptor": (descriptor, "a data descriptor follows"),
    "compressed": (deflated, "compressed"),
    "extra field before the file": (
        lambda i: archive(change(i, CONFIG, local_extra=b"UT\x01\0x")),
        "the length of the extra field",
    ),
    "extra field in the directory": (
        lambda i: archive(change(i, CONFIG, central_extra=b"UT\x01\0x")),
        "the length of the extra field",
    ),
    "comment of a file": (
        lambda i: archive(change(i, CONFIG, comment=b"hello")),
        "the length of the comment",
    ),
    "comment of the archive": (
        lambda i: archive(i, comment=b"hello"),
        "the length of the comment",
    ),
    "an end record inside a comment": (end_in_comment, "the length of the comment"),
    "count too low": (lambda i: archive(i, end={"count": len(i) - 1}), "the count of files"),
    "count too high": (lambda i: archive(i, end={"count": len(i) + 1}), "the count of files"),
    "count on this disk": (end_lies(here=1), "the count of files on this disk"),
    "directory offset": (end_lies(directory_offset=0), "the offset of the directory"),
    "directory size": (end_lies(directory_size=0), "the size of the directory"),
    "disk of the end record": (end_lies(disk=1), "the disk number"),
    "overlapping entries": (overlapping, "lists a file that is not there"),
    "a file that the directory does not list": (
        lambda i: archive([*i, Item(b"spec2.yaml", b"x", in_directory=False)]),
        "does not list spec2.yaml",
    ),
    "directory in another order": (
        lambda i: reordered(i),
        "disagree",
    ),
    "ZIP64 end record": (zip64, "ZIP64"),
    "ZIP64 sizes": (zip64_sizes, "the length of the extra field"),
    "no files": (lambda i: archive([]), "holds no files"),
    "no bytes": (lambda i: b"", "begins neither"),
    "only an end of a name": (lambda i: archive(i)[:40], "ends at byte"),
    "cut in the middle": (lambda i: archive(i)[:5000], "left"),
    "cut in the directory": (lambda i: archive(i)[:-100], "disagree"),
    "cut before the end record": (lambda i: archive(i)[:-22], "no end record"),
    "not a ZIP": (lambda i: b"\x7fELF" * 100, "begins neither"),
    "too many files": (
        lambda i: pack({f"processor/x{n}.json": b"{}" for n in range(300)}),
        "more than 256 files",
    ),
    "a manifest over 256 KiB": (
        lambda i: archive(change(i, "manifest.json", data=b" " * (256 << 10))),
        "at most",
    ),
}


def reordered(items: Items) -> bytes:
    """The files in order, the directory with two of its records exchanged."""
    swapped = [items[1], items[0], *items[2:]]
    straight, crossed = archive(items), archive(swapped)
    start = straight.index(b"PK\1\2")
    return straight[:start] + crossed[start:]
