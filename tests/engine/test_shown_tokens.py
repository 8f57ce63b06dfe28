"""The tokens of a reply are those of its text, whatever the server holds back and the chat format takes away."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.engine.shown_tokens import ShownTokens
from custome.models.chat_format import ChatFormat, NovelFormat, open_format
from custome.models.plain_tokenizer import PlainTokenizer
from custome.types import TokenChoice
from template_tokenizer import tokenizer_for
from tiny import ALPHABET, make_byte_tokenizer, make_tiny_tokenizer

NOVEL = NovelFormat(make_tiny_tokenizer(ALPHABET))
TEMPLATE = open_format(tokenizer_for("chatml", ALPHABET), "chatml")
RAW = st.text(st.sampled_from([*"“”‘’ \n是a。龘é😀"]), max_size=24)


def cut(raw: str, dice: random.Random) -> list[TokenChoice]:
    """Tokens of a text: of a piece of a character up to two of them."""
    data, tokens = raw.encode(), []
    while data:
        size = dice.choice((1, 2, 3, 3, 4, 6))
        tokens.append(TokenChoice(token="?", logprob=-float(len(tokens)), data=data[:size]))
        data = data[size:]
    return tokens


def is_whole(data: bytes) -> bool:
    return "\ufffd" not in data.decode(errors="replace")


def as_llama(raw: str, dice: random.Random) -> Iterator[tuple[str, list[TokenChoice], bool]]:
    """As llama.cpp reports: nothing of half a character, no text while it may begin a stop string, which may be lost at the end."""
    whole = sent = b""
    for token in cut(raw, dice):
        whole += token.data
        if is_whole(whole):
            held = dice.random() < 0.3
            new, sent = (b"", sent) if held else (whole[len(sent) :], whole)
            yield new.decode(), [token], bool(new)


def as_others(raw: str, dice: random.Random) -> Iterator[tuple[str, list[TokenChoice], bool]]:
    """All tokens and all text, either of them ahead."""
    tokens, characters = cut(raw, dice), list(raw)
    while tokens or characters:
        texts = [characters.pop(0) for _ in range(min(len(characters), dice.randrange(4)))]
        yield (
            "".join(texts),
            [tokens.pop(0) for _ in range(min(len(tokens), dice.randrange(4)))],
            False,
        )
    yield "", [], True


@pytest.mark.parametrize("server", [as_llama, as_others])
@pytest.mark.parametrize("chat_format", [None, NOVEL, TEMPLATE])
@given(raw=RAW, seed=st.integers(0, 2**16))
def test_tokens_joined_are_what_is_shown(server, chat_format: ChatFormat | None, raw: str, seed):
    reading, sent, told = ShownTokens(), "", []

    def shown() -> str:
        return chat_format.reply(sent) if chat_format else sent

    def tell(over: bool = False) -> None:
        kept = chat_format.kept(sent) if chat_format else [(0, len(sent))]
        told.extend(reading.tell(sent, kept, shown(), over=over))
        assert "".join(token.token for token in told) == reading.text
        assert shown().startswith(reading.text)

    for text, tokens, together in server(raw, random.Random(seed)):
        reading.take(text, tokens, together=together)
        sent += text
        tell()
    tell(over=True)
    assert reading.text == shown()
    assert b"".join(token.data for token in told) == shown().encode()
    places = [token.logprob for token in told]
    assert places == sorted(set(places), reverse=True)  # each once, in order
    if server is as_others and chat_format is None:
        own = {token.logprob: token.data for token in cut(raw, random.Random(seed))}
        assert {token.logprob: token.data for token in told} == own


def take(*sent: tuple[str, list[bytes]], together: bool) -> list[tuple[str, bytes, float]]:
    """(token, bytes, which of those reported it is) of what a server sent."""
    reading, raw, number = ShownTokens(), "", 0
    for text, tokens in sent:
        reported = [
            TokenChoice(token="?", logprob=float(number + place), data=data)
            for place, data in enumerate(tokens)
        ]
        number += len(tokens)
        reading.take(text, reported, together=together and bool(text))
        raw += text
    reading.take("", [], together=True)
    told = reading.tell(raw, [(0, len(raw))], raw, over=True)
    return [(one.token, one.data, one.logprob) for one in told]


def test_what_was_held_back_goes_to_the_tokens_that_wrote_it():
    """A false alarm of the stop string 送x, and one in the middle of a token that is cut there."""
    song, dao = "送".encode(), "到".encode()
    assert take(("", [song]), ("送到", [dao]), together=True) == [("送", song, 0), ("到", dao, 1)]
    assert take(("", [song + dao]), ("送", [b"x"]), together=True) == [("送", song, 0)]
    assert take(("送", [song]), ("", [dao]), ("", [b"x"]), together=True) == [("送", song, 0)]


def test_a_character_of_several_tokens():
    """llama.cpp tells of the last of them only, others of each."""
    data = "龘".encode()
    assert take(("", [data[2:]]), ("龘是", ["是".encode()]), together=True) == [
        ("龘", data, 0),
        ("是", "是".encode(), 1),
    ]
    each = [data[:1], data[1:2], data[2:]]
    assert take(("", each[:2]), ("龘", each[2:]), together=False) == [
        ("", data[:1], 0),
        ("", data[1:2], 1),
        ("龘", data[2:], 2),
    ]


def test_tokens_whose_bytes_nobody_knows_lose_no_text():
    assert take(("龘", [b"", b""]), ("是", ["是".encode()]), together=False) == [
        ("龘是", "龘是".encode(), 2)
    ]
    assert take(("龘", [b"", b""]), together=True) == [("龘", "龘".encode(), 1)]


@pytest.mark.parametrize("make", [make_tiny_tokenizer, make_byte_tokenizer])
@pytest.mark.parametrize("numbering", [None, 7])
def test_bytes_of_tokens(make, numbering: int | None, tmp_path: Path):
    made = make(ALPHABET)
    made.save_pretrained(tmp_path)
    numbers = None if numbering is None else [one + numbering for one in range(len(made))]
    tokenizer = PlainTokenizer(tmp_path, numbers)
    text = "曹操曰：龘é😀 a\n~\x01"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(map(tokenizer.bytes_of, ids)) == text.encode() and len(ids) > len(text)
    assert tokenizer.bytes_of(tokenizer.eos_token_id or 0) == tokenizer.bytes_of(10**6) == b""
