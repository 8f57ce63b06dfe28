"""The grammar of a cue: narration in front of (or behind) a quotation → who is said to speak, to whom, and how.

Pure functions of a stretch of text and a lexicon; no chapter, no memory.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .names import LONGEST_CLAUSE, Lexicon, looks_like_a_name, predicate_starts
from .roles import DEMONSTRATIVE, role_end
from .subjects import Subject, inside_subject, subject_of, unknown_subject
from .words import grammar

_CLAUSE = re.compile(r"[，,：:—…]+")
_SENTENCE = re.compile(r"[。！？!?；;”’」』\n]+")


class Cue(NamedTuple):
    """What a narration says of the quotation beside it."""

    subject: Subject | None
    others: tuple[str, ...]
    """Further speakers of a joint cue (韩当、周泰)."""
    addressee: str
    clause: str
    """The clause with the verb."""
    rule: str
    """Which part of the grammar found the subject; '' without one."""


NO_CUE = Cue(None, (), "", "", "")


def read_cue(narration: str, lexicon: Lexicon) -> Cue:
    """The cue a narration ends with, and the subject it or the sentences before it give.

    Rules, surest first: `cue` the clause of the verb opens with it; `inside` it stands in the middle of that clause;
    `guess` the clause opens with something that may be a name; `plural` 都道
    without a subject; `sentence` an earlier clause of the same sentence opens with it; `earlier` a sentence before opens with it. A pronoun passes the question on to what stands before.
    """
    sentences = [
        s for s in _SENTENCE.split(narration.rstrip("：:，,；; ")) if s.strip("，,：: \u3000")
    ]
    clauses = [c.strip() for c in _CLAUSE.split(sentences[-1]) if c.strip()] if sentences else []
    if not clauses:
        return NO_CUE
    clause, head = clauses[-1][-LONGEST_CLAUSE:], clauses[-1][:-LONGEST_CLAUSE]
    if head:
        clauses.insert(-1, head)
    ok = predicate_starts(clause)
    subject, rule = subject_of(clause, lexicon, ok), "cue"
    if (
        subject is None
        or subject.kind in ("role", "pronoun")
        and subject.end < len(ok)
        and not ok[subject.end]
    ):
        inside = inside_subject(clause, lexicon, ok)
        subject, rule = (inside, "inside") if inside is not None else (subject, rule)
    pronoun = subject if subject is not None and subject.kind == "pronoun" else None
    if subject is not None and pronoun is None:
        for word in grammar().passive:
            passive = clause.find(word, subject.end)
            if passive >= 0 and (agent := inside_subject(clause[passive:], lexicon, ok[passive:])):
                return Cue(agent, (), "", clause, "inside")
        others = _joint(clause, subject, lexicon, ok)
        return Cue(subject, others, _addressee(clause, subject.end, lexicon), clause, rule)
    addressee = _addressee(clause, 0, lexicon)
    guess = None if pronoun else unknown_subject(clause, lexicon, ok)
    if guess is not None and looks_like_a_name(guess.mention):
        return Cue(guess, (), addressee, clause, "guess")
    if clause.startswith(grammar().plural) and guess is None:
        subject, _ = _first_subject(clauses[:-1], lexicon, addressee)
        if subject is None or subject.kind != "crowd":
            return Cue(Subject("众人", "crowd", 0), (), addressee, clause, "plural")
    subject, others = _first_subject(
        clauses[:-1], lexicon, addressee, skip=bool(_OBJECT_PRONOUN.search(clause))
    )
    if subject is not None:
        return Cue(subject, others, addressee, clause, "sentence")
    for sentence in reversed(sentences[-4:-1]):
        subject, others = _first_subject(
            [c.strip() for c in _CLAUSE.split(sentence) if c.strip()], lexicon, addressee
        )
        if subject is not None:
            return Cue(subject, others, addressee, clause, "earlier")
    return Cue(pronoun, (), addressee, clause, "pronoun" if pronoun else "")


_OBJECT_PRONOUN = re.compile(r"(?<!^)[他她](?![的娘们])")


def _first_subject(
    clauses: list[str], lexicon: Lexicon, addressee: str, *, skip: bool = False
) -> tuple[Subject | None, tuple[str, ...]]:
    """The subject of the nearest clause, going back, that opens with one, and others named beside it.

    Args:
        skip: the cue says 推他道: the nearest one is him, somebody further back does it.
    """
    first: tuple[Subject | None, tuple[str, ...]] = None, ()
    passed = ""
    for clause in reversed(clauses):
        subject = subject_of(clause[:LONGEST_CLAUSE], lexicon)
        if subject is not None and subject.kind != "pronoun" and subject.mention != addressee:
            if skip and not passed:
                passed = subject.mention
                first = subject, _joint(clause, subject, lexicon, [False] * (len(clause) + 1))
                continue
            if subject.mention == passed:
                continue
            return subject, _joint(clause, subject, lexicon, [False] * (len(clause) + 1))
    return first if passed else (None, ())


def _joint(clause: str, subject: Subject, lexicon: Lexicon, ok: list[bool]) -> tuple[str, ...]:
    """Others who speak with the subject: 韩当、周泰大惊曰, 火德与雷公道."""
    others: list[str] = []
    end = subject.end
    while end < len(clause) and clause[end] in "、与和同并及":
        link = clause[end]
        name = lexicon.names.at(clause, end + 1) or (
            clause[end + 1 : end + 2] if clause[end + 1 : end + 2] in lexicon.singles else ""
        )
        after = end + 1 + len(name)
        if not name or after > len(clause):
            break
        rest = clause[after:]
        together = link == "、" or rest.startswith(
            ("二人", "两个", "都", "皆", "齐", "俱", "一齐", "等", "一同")
        )
        if not together and not (len(rest) <= 2 and ok[after] and rest[-1:] in "道曰"):
            break
        others.append(name)
        end = after
    return tuple(others)


def _addressee(clause: str, start: int, lexicon: Lexicon) -> str:
    """谓Y曰, 对Y道, 向Y问道, 骂Y道 → Y."""
    for position in range(start, len(clause) - 1):
        for word in grammar().addressing.all_at(clause, position):
            after = position + len(word)
            name = lexicon.names.at(clause, after)
            if (
                not name
                and clause[after : after + 1] in lexicon.singles
                and predicate_starts(clause[after + 1 :])[0:1] == [True]
            ):
                name = clause[after]
            if not name:
                match = DEMONSTRATIVE.match(clause, after)
                begin = match.end() if match else after
                end = role_end(clause, begin, None)
                name = clause[begin:end] if end - begin > 1 else ""
            if name:
                return name
    return ""


def read_trailing_cue(narration: str, lexicon: Lexicon) -> Cue:
    """A cue behind the quotation: “…”宝玉道，“…” or “…”他说。"""
    clause = re.split(r"[，,。！？；：:\n]", narration, maxsplit=1)[0].strip()
    if not clause or len(clause) > LONGEST_CLAUSE:
        return NO_CUE
    ok = predicate_starts(clause)
    subject = subject_of(clause, lexicon, ok) or unknown_subject(clause, lexicon, ok)
    if (
        subject is None
        or subject.end >= len(clause)
        or not ok[subject.end]
        or subject.mention[0] == "等"
    ):
        return NO_CUE
    if narration[len(clause) : len(clause) + 1] in ("：", ":"):  # it announces the next quotation
        return NO_CUE
    return Cue(subject, (), _addressee(clause, subject.end, lexicon), clause, "after")


def is_thought(clause: str) -> bool:
    return bool(grammar().thought.search(clause))
