"""The tokens of a reply as it is shown: joined they are its text, to the byte.

What a server reports of tokens and the text it sends do not come together: text waits while it may begin a stop string, half a
character has no text, and the chat format takes quotation marks and blanks away. Knows neither servers nor formats.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ..types import TokenChoice

Span = tuple[int, int]
"""Where a part of a text begins and ends."""


class ShownTokens:
    """Of one reply that is being read.

    A token that is shown in part has the text that is shown of it, one that is not shown at all is left out. Where a character
    has several tokens its text is the last one's, and each has its own bytes.
    """

    def __init__(self) -> None:
        self.text = ""
        """What is shown of the tokens told so far."""
        self._waiting: deque[TokenChoice] = deque()
        self._unread, self._read = b"", 0
        self._placed: deque[tuple[TokenChoice, int]] = deque()
        self._shown = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def take(self, text: str, tokens: Sequence[TokenChoice], *, together: bool) -> None:
        """What a server sent.

        Args:
            text: new text, before a chat format takes anything away.
            tokens: new ones, with their own bytes; none where these are not known.
            together: all text so far is that of the tokens so far. Else either may be ahead of the other.
        """
        self._unread += text.encode()
        self._waiting += tokens
        while self._waiting:
            last = together and len(self._waiting) == 1
            size = len(self._unread) if last else self._size_of(self._waiting[0].data, together)
            if size is None:
                return
            self._unread, self._read = self._unread[size:], self._read + size
            self._placed.append((self._waiting.popleft(), self._read))

    def tell(
        self, raw: str, kept: Sequence[Span], shown: str, *, over: bool = False
    ) -> tuple[TokenChoice, ...]:
        """The next tokens of which it is settled what is shown.

        Args:
            raw: the text so far, as the server sent it.
            kept: which parts of it are shown.
            shown: these parts, perhaps with other marks of the same size in them.
            over: nothing more comes.
        """
        spans = [(len(raw[:begin].encode()), len(raw[:end].encode())) for begin, end in kept]
        settled = max((end for begin, end in spans if begin < end), default=0)
        told = []
        while self._placed and (over or self._placed[0][1] <= settled):
            token, end = self._placed.popleft()
            before, self._shown = self._shown, sum(max(0, min(end, b) - a) for a, b in spans)
            if data := shown.encode()[before : self._shown]:
                text = self._decoder.decode(data)
                self.text += text
                told.append(replace(token, token=text, data=data))
        return tuple(told)

    def _size_of(self, data: bytes, together: bool) -> int | None:
        """Bytes of the unread text that are the next token's; None where it is too early to say."""
        if data and self._unread.startswith(data):
            return len(data)
        if data.startswith(self._unread):  # its text is cut off, or still to come
            return len(self._unread) if together else None
        # What stands before it are the first parts of its character, of which llama.cpp does not tell.
        found = re.search(re.escape(data) + rb"(?![\x80-\xbf])", self._unread) if data else None
        return found.end() if found else 0
