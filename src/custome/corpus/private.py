"""What people do not want learnt from their chats: phone numbers, ids, cards, addresses, accounts, keys. Replaced by a word
in brackets and counted. Pure functions of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

_DIGIT_AROUND = r"(?<!\d)(?<!\d\.){}(?!\d)"


def _luhn(digits: str) -> bool:
    """Does the last digit check the others? (ISO/IEC 7812)"""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


_NARROW = str.maketrans("０１２３４５６７８９＠", "0123456789@")
_KINDS: list[tuple[str, re.Pattern[str], Callable[[str], bool]]] = [
    (
        "密钥",
        re.compile(
            r"(?<![A-Za-z0-9])(?:sk-(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{12,}|AKIA[0-9A-Z]{16}|gh[po]_[A-Za-z0-9]{20,})"
            r"|(?i:(?<=密码)|(?<=口令)|(?<=验证码)|(?<=password)|(?<=token)|(?<=api_key)|(?<=apikey))[是为：:= ]{0,3}"
            r"(?=[A-Za-z!@#$%^&*_.-]{0,30}\d)[A-Za-z0-9!@#$%^&*_.-]{4,64}"
        ),
        lambda text: True,
    ),
    (
        "邮箱",
        re.compile(
            r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}"
        ),
        lambda text: True,
    ),
    (
        "身份证号",
        re.compile(
            _DIGIT_AROUND.format(
                r"[1-9]\d{5} ?(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) ?\d{3}[\dXx]"
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
                r"(?:(?:\+?86[- ]?)?1[3-9]\d[-. ]?\d{4}[-. ]?\d{4}|\(?0\d{2,3}[-) ]\d{7,8}|400[- ]?\d{3}[- ]?\d{4})"
            )
        ),
        lambda text: True,
    ),
    (
        "账号",
        re.compile(
            r"(?i:(?<=qq)|(?<=微信)|(?<=微信号)|(?<=wx)|(?<=vx)|(?<=群号))[号群是：:]{0,3} ?(?=[A-Za-z_-]{0,19}\d)(?!20\d{6}(?!\d))[A-Za-z0-9_-]{5,20}"
        ),
        lambda text: True,
    ),
    (
        "地址",
        re.compile(
            r"(?:[一-龥]{2,8}?(?:省|自治区))?(?:[一-龥]{2,8}?市)?(?:[一-龥]{1,8}?[区县])?(?![^路街道巷弄同]{0,7}[的条逛着])[一-龥]{1,8}?(?:路|街|大道|巷|弄|胡同)"
            r"(?:\d{1,5}弄)?[0-9一二三四五六七八九十百]{1,6}号(?!人|再|之|前|后|线|公)(?:院)?(?:[0-9A-Za-z一二三四五六七八九十]{1,5}(?:号楼|栋|幢|单元|层|楼|室)){0,4}(?:\d{2,4})?"
        ),
        lambda text: True,
    ),
]
"""(what it is called, how it looks, does it hold), those that contain others first."""


def hidden(text: str, counts: Counter[str]) -> str:
    """The text without what is private; `counts` says how much of which kind went. Wide digits are read as others."""
    text = text.translate(_NARROW)
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
