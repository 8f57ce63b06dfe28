"""What a pair of marks holds: speech, verse, writing, or a name, title or word that nobody says here."""

from __future__ import annotations

import re

from .quotes import Quotation

_SPEECH_END = re.compile(r"[曰道云言说问叫声喝骂念报嚷喊答呼]$")
_NAMING = re.compile(
    r"(?:[为做作是名号称呼曰]|叫做|唤做|名唤|绰号|书|写|题|着|上书|大书|乃|即|有|这|那|此|个|的|一|改|读作|作为)$"
)
_WRITING = re.compile(
    r"(?:(?:^|[，。：；其此作一这那祭檄上下前后有遗又首篇之])[诗词赋歌书表诏文檄疏赞铭谣偈联谶碑帖简榜曲序牌匾额符咒][^，。]{0,2}[曰云道]?[：:]|略[曰云]?[：:]"
    r"|(?:写|题|注|刻|镌|[上大内中外又傍旁]书)(?:着|道|曰|云|的是|了|得)?[^，。：“]{0,4}[：:])$"
)
_INSCRIBED = re.compile(r"(?:匾|额|牌|石碣|碑|上写|大书|字|题着|上面|旗|联)[^，。“]{0,12}[：:]?$")
_AFTER_NAME = re.compile(
    r"^(?:[二两三四五六七八九十数几]{0,2}个?(?:大?字|个字)|之|的|等|者|也|一[词语句联]|[一-龥]{0,2}(?:诗|词))"
)


def ends_with_verb(narration: str) -> bool:
    """Does it end with a verb of speech, a comma behind it looked through?"""
    return bool(_SPEECH_END.search(narration.rstrip("，,；;")))


def kind_of(narration: str, inside: str, after: str, quotation: Quotation) -> str:
    """What the marks hold, from the narration around them."""
    before = narration.rstrip()
    colon = before.endswith(("：", ":"))
    sentence = bool(re.search(r"[，。！？!?；…,]", inside))
    if not re.search(r"\w", inside):
        return "name"
    if quotation.depth > 0:
        return "speech" if colon else "name"
    if colon:
        if _WRITING.search(before):
            return (
                "verse"
                if re.search(r"[诗词赋歌谣偈曲赞联][^，。]{0,3}[：:]$", before)
                else "writing"
            )
        if not sentence and _INSCRIBED.search(before):
            return "writing"
        return "speech"
    if re.search(
        r"(?:答应|应)(?:了|着|一声|道)?$|[口皆齐大高山][称叫呼喊念]$|[骂喝][^，。：]{1,3}$", before
    ) or re.match(r"了?[一两几]声", after):
        return "speech"
    if (
        not sentence
        and before
        and not _SPEECH_END.search(before)
        and before[-1] not in "，。！？；\n,"
    ):
        return "name"
    if not sentence and _AFTER_NAME.match(after):
        return "name"
    if (
        not sentence
        and len(inside) <= 12
        and before
        and (_NAMING.search(before) or before[-1] in "、")
    ):
        return "name"
    return "speech"
