"""Text inside PNG pictures: where character cards travel. Reads and writes chunks; never decodes the picture.

PNG (Third Edition), W3C 2025: chunks of length, type, data, CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ...errors import InputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_TEXT = 4_000_000
"""Bytes of one text, unpacked."""


def read_texts(data: bytes, where: str) -> dict[str, bytes]:
    """Keyword → text of the chunks tEXt, zTXt and iTXt.

    Raises:
        InputError: no PNG, damaged, or a text larger than LARGEST_TEXT.
    """
    texts = {}
    for kind, body in _chunks(data, where):
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        keyword, _, rest = body.partition(b"\0")
        if kind == b"zTXt":
            rest = _unpacked(rest[1:], where)
        elif kind == b"iTXt":
            packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
            rest = _unpacked(rest, where) if packed else rest
        if len(rest) > LARGEST_TEXT:
            raise _too_large(where)
        texts[keyword.decode("latin-1").lower()] = rest
    return texts


def with_texts(data: bytes, texts: dict[str, bytes], where: str) -> bytes:
    """The picture with these tEXt chunks instead of any of the same keywords, at its end."""
    out = [SIGNATURE]
    for kind, body in _chunks(data, where):
        keyword = body.partition(b"\0")[0].decode("latin-1").lower()
        if kind == b"IEND":
            out += [
                _chunk(b"tEXt", name.encode("latin-1") + b"\0" + text)
                for name, text in texts.items()
            ]
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or keyword not in texts:
            out.append(_chunk(kind, body))
    return b"".join(out)


def _chunks(data: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise InputError(f"{where!r} 不是 PNG 图片", "人物卡是 .png 或 .json 文件")
    at, ended = len(SIGNATURE), False
    while at + 12 <= len(data) and not ended:
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body, check = data[at + 8 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        if len(body) < size or check != struct.pack(">I", zlib.crc32(kind + body)):
            raise InputError(
                f"{where!r} 是损坏的 PNG（第 {at} 字节的 {kind!r} 块）", "重新下载或重新导出这张卡"
            )
        yield kind, body
        at, ended = at + 12 + size, kind == b"IEND"
    if not ended:
        raise InputError(f"{where!r} 是不完整的 PNG", "重新下载或重新导出这张卡")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unpacked(data: bytes, where: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, LARGEST_TEXT + 1)
    except zlib.error as error:
        raise InputError(
            f"{where!r} 里的文字解不开：{error}", "重新下载或重新导出这张卡"
        ) from error
    if len(text) > LARGEST_TEXT:
        raise _too_large(where)
    return text


def _too_large(where: str) -> InputError:
    return InputError(
        f"{where!r} 里的文字超过 {LARGEST_TEXT // 1_000_000} MB", "人物卡一般几 KB；换一张"
    )
