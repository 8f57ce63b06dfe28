"""What people do not want learnt from their chats: phone numbers, ids, cards, addresses, accounts, keys. Replaced by a word
in brackets and counted. Pure functions of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

_DIGIT_AROUND = r"(?<![\d.]){}(?![\d])"


def _luhn(digits: str) -> bool:
    """Does the last digit check the others? (ISO/IEC 7812)"""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


_KINDS: list[tuple[str, re.Pattern[str], Callable[[str], bool]]] = [
    (
        "密钥",
        re.compile(
            r"sk-[A-Za-z0-9_-]{12,}|AKIA[0-9A-Z]{16}|gh[po]_[A-Za-z0-9]{20,}"
            r"|(?i:(?<=密码)|(?<=口令)|(?<=验证码)|(?<=password)|(?<=token))[是为：:= ]{1,3}[A-Za-z0-9!@#$%^&*_.-]{4,}"
        ),
        lambda text: True,
    ),
    ("邮箱", re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), lambda text: True),
    (
        "身份证号",
        re.compile(
            _DIGIT_AROUND.format(
                r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
            )
        ),
        lambda text: True,
    ),
    (
        "卡号",
        re.compile(_DIGIT_AROUND.format(r"[3-9]\d{3}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,4})?")),
        lambda text: 15 <= len(re.sub(r"\D", "", text)) <= 19 and _luhn(re.sub(r"\D", "", text)),
    ),
    (
        "电话",
        re.compile(
            _DIGIT_AROUND.format(
                r"(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[- ]\d{7,8}|400[- ]?\d{3}[- ]?\d{4})"
            )
        ),
        lambda text: True,
    ),
    (
        "账号",
        re.compile(
            r"(?i:(?<=qq)|(?<=微信)|(?<=微信号)|(?<=wx)|(?<=vx)|(?<=群号))[号是：: ]{0,3}(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{5,20}"
        ),
        lambda text: True,
    ),
    (
        "地址",
        re.compile(
            r"(?:[一-龥]{2,8}?(?:省|自治区))?(?:[一-龥]{2,8}?市)?(?:[一-龥]{1,8}?[区县])?[一-龥]{1,8}?(?:路|街|大道|巷|弄|胡同)"
            r"[0-9一二三四五六七八九十百]{1,6}号(?:院)?(?:[0-9A-Za-z一二三四五六七八九十]{1,5}(?:号楼|栋|幢|单元|层|楼|室)){0,4}(?:\d{2,4})?"
        ),
        lambda text: True,
    ),
]
"""(what it is called, how it looks, does it hold), those that contain others first."""


def hidden(text: str, counts: Counter[str]) -> str:
    """The text without what is private; `counts` says how much of which kind went."""
    for name, pattern, holds in _KINDS:

        def replace(
            match: re.Match[str], name: str = name, holds: Callable[[str], bool] = holds
        ) -> str:
            if not holds(match.group()):
                return match.group()
            counts[name] += 1
            return f"〔{name}〕"

        text = pattern.sub(replace, text)
    return text
