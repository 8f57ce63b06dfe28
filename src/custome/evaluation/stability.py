"""Does a reply stay what it is when the question is spelt or worded otherwise?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..reporter import Reporter
from . import measures
from .persona import Answerer, Question, _mean


def stability(
    answerer: Answerer, names: Sequence[str], asked: Sequence[Question], reporter: Reporter
) -> tuple[float, float]:
    """(share of greedy replies that another spelling leaves as they are, likeness of replies to paraphrases)."""
    pairs = [
        (question, names[number % len(names)])
        for number, question in enumerate(q for q in asked if q.paraphrase)
    ]
    first = [
        reply.text for reply in answerer([(question.text, name) for question, name in pairs], True)
    ]
    same = []
    for number, respelt in enumerate(_SPELLINGS.values()):
        again = answerer([(respelt(question.text), name) for question, name in pairs], True)
        same += [reply.text == text for reply, text in zip(again, first, strict=True)]
        reporter.progress("换写法", number + 1, len(_SPELLINGS))
    other = answerer([(question.paraphrase, name) for question, name in pairs], True)
    likeness = [
        measures.similarity(reply.text, text) for reply, text in zip(other, first, strict=True)
    ]
    return _mean(same), _mean(likeness)


def _traditional(text: str) -> str:
    import opencc

    return str(opencc.OpenCC("s2t").convert(text))


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "空格": lambda text: text[:3] + " " + text[3:] + "  ",
    "半角": lambda text: text.translate(str.maketrans("，？！：；", ",?!:;")),
    "繁体": _traditional,
}
