"""A face for everybody: a portrait somebody gave, else a seal cut from the name, as SVG for pages and as PNG for cards."""

from __future__ import annotations

import base64
import html
import io
import zlib

LARGEST_PICTURE = 40_000_000
"""Pixels; larger ones are not unpacked."""
INKS = ("#b3261e", "#8c3b2e", "#9a2a4a", "#7a4b12", "#2f5d50", "#31507a", "#5b3a7a", "#7a2f2f")


def seal_svg(name: str) -> str:
    """A square seal with up to four characters of the name, read from right to left as seals are."""
    letters = (name.strip() or "客")[:4]
    ink = INKS[zlib.crc32(name.encode()) % len(INKS)]
    if len(letters) == 1:
        places, size = [(32, 34)], 40
    elif len(letters) == 2:
        places, size = [(32, 19), (32, 46)], 26
    else:
        places, size = [(45, 19), (45, 46), (19, 19), (19, 46)], 23
        if len(letters) == 3:
            places = [(45, 32), (19, 19), (19, 46)]
    cut = "".join(
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" dominant-baseline="central" fill="#fffaf0">{html.escape(letter)}</text>'
        for letter, (x, y) in zip(letters, places, strict=False)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="{html.escape(name)}">'
        f'<rect x="2" y="2" width="60" height="60" rx="7" fill="{ink}"/><rect x="5.5" y="5.5" width="53" height="53" rx="5" fill="none" stroke="#fffaf0" stroke-width="1.5"/>'
        f'<g font-family="KaiTi, STKaiti, Kaiti SC, Noto Serif CJK SC, serif">{cut}</g></svg>'
    )


def thumbnail(data: bytes, size: int = 96) -> str:
    """The picture of a card as a small one a page can show, '' where there is none that can be read."""
    from PIL import Image, UnidentifiedImageError

    if not data.startswith(b"\x89PNG"):
        return ""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                return ""
            small = picture.convert("RGBA")
            small.thumbnail((size, size))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    out = io.BytesIO()
    small.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def seal_png(name: str, size: int = 256) -> bytes:
    """A seal as PNG: the ink of the name and a pattern cut from it, since a machine may have no Chinese font to draw with."""
    from PIL import Image, ImageDraw

    ink = INKS[zlib.crc32(name.encode()) % len(INKS)]
    picture = Image.new("RGB", (size, size), "#fffaf0")
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((8, 8, size - 8, size - 8), radius=24, fill=ink)
    bits, cell = zlib.crc32(name.encode(), 7), (size - 64) // 6
    for row in range(6):
        for column in range(3):
            if bits >> (row * 3 + column) & 1:
                for place in (column, 5 - column):
                    x, y = 32 + place * cell, 32 + row * cell
                    draw.rectangle((x + 2, y + 2, x + cell - 2, y + cell - 2), fill="#fffaf0")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
