"""Role nouns and crowds at the head of a clause: 那七衣仙女, 众官, 两个荷包 (which are things)."""

from __future__ import annotations

import re

from .words import grammar


def far_role(clause: str, bare: int) -> int:
    """End of the role noun behind 那 and a few describing characters: 那七衣仙女; 0 where there is none."""
    for begin in range(bare + 1, bare + 5):
        if clause[begin - 1 : begin] in BREAKS:
            return 0
        end = role_end(clause, begin, None)
        if end - begin > 1:
            return end
    return 0


WHICH = re.compile(r"(?:[那这]一?|一)个(?![一-龥]{1,2}[的])")


DEMONSTRATIVE = re.compile(
    r"(?:那|这|其|此|某|好|他|她)?(?:(?P<many>[伙班群些]|几个|一干|一伙|一班|一群|[两三四五六七八九十数]个)|(?:一|两|第[一二三四五六七八九十])?(?:个|位|名|员)|一)?"
)


_COUNTED = re.compile(r"[二两三四五六七八九十]{1,2}[圣老将僧仙神王臣官公女徒]")


def counted(clause: str, position: int) -> str:
    match = _COUNTED.match(clause, position)
    if match:
        return match.group()
    number = re.compile(r"[二两三四五六七八九十]{1,2}(?=[\u4e00-\u9fff])").match(clause, position)
    end = role_end(clause, number.end(), None) if number else 0
    return clause[position:end] if number and end - number.end() > 1 else ""


def counts_things(clause: str, position: int, crowd: str, ok: list[bool] | None) -> bool:
    """两个荷包, 三个字: a number of things, not people."""
    if ok is not None or crowd[0] not in "二两三四五六七八九十几数" or crowd[-1] not in "个":
        return False
    w = grammar()
    people = position == len(clause) or any(
        words.at(clause, position) for words in (w.roles, w.adverbs, w.verbs, w.objects)
    )
    return not people


def crowd_end(clause: str, position: int, ok: list[bool] | None) -> int:
    """众 + 官 / 将 / 僧 …: up to the predicate, or a role noun."""
    role = grammar().roles.at(clause, position)
    if role and not (ok is not None and ok[position]):
        return position + len(role)
    if ok is not None:
        for end in range(position, min(position + 4, len(clause))):
            if ok[end]:
                return end
    return position


def role_end(clause: str, begin: int, ok: list[bool] | None) -> int:
    """End of the chain of role nouns that starts at `begin` (童+子, 小+妖), or `begin`."""
    w, end = grammar(), begin
    while role := w.roles.at(clause, end):
        if end > begin and ok is not None and ok[end]:
            break
        if end > begin and role == "将" and end + 1 < len(clause) and clause[begin:end] != "少年":
            break  # 行者将身一纵
        end += len(role)
    return end


BREAKS = "众聚见对向与问被把叫听说道曰于和跟请教令使命谓告骂笑来去到看想将便忙又就也遂乃即了着"
