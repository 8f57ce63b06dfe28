"""Who speaks, from the narration before a quotation (first version: cues before the quotation only).

The cue is the last clause before the mark: …主簿陈琳谏曰：. Its subject is a known name, a one-character name that opens
a clause (操大怒), or a short unknown name in front of the verb. A clause without subject (遂问曰) passes the question to
the clause before it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .aliases import AliasTable

_VERB = "曰道云言说问答叫喝骂叹谓告谏奏呼笑哭嚷喊禀报劝令吟念唱回语诏"
_CUE = re.compile(rf"[{_VERB}][^。！？；”\n]{{0,6}}[：:，,]?$")
_WRITING = re.compile(
    r"[诗词赋歌书表诏文略檄疏赞铭祭谣偈联谶碑帖简启状榜][^，。]{0,2}[曰云道][：:]$|略[曰云]?[：:]$|[写题书][^，。]{0,4}[：:]$"
)
_OBJECT = re.compile(r"[谓对向与责骂告劝唤问令命教使指召请呼叱示视见]")
_LEADING = re.compile(r"^(?:于是|忽然?|只见|却说|且说|话说|原来|当下|当时|是时|时|正|遂|乃|因|又|亦|复|便|即|方|急|忽见|忽闻|次日|一日|言未毕|言讫|傍边|阶下|帐下|座上|内|独)+")  # fmt: skip
_UNKNOWN = re.compile(
    rf"^(?P<name>[\u4e00-\u9fff]{{2,4}}?)(?:大怒|大喜|大惊|笑|怒|泣|叹|乃|遂|亦|又|厉声|大|急|忙|从容|应声|答|进|拜|叩首|顿首|齐声|皆|出班)?[而]?[{_VERB}]{{1,2}}$"
)
_NOT_A_NAME = re.compile(r"^[不无有此其之自相却遂乃又因便]|[曰道之其而]")


class Speaker(NamedTuple):
    mention: str
    """The words of the text."""
    name: str
    """Canonical name."""


def is_cue(narration: str) -> bool:
    """Does this narration announce speech? (…曰： …笑道： but not 号为)"""
    return bool(_CUE.search(narration.rstrip()))


def is_writing(narration: str) -> bool:
    """Does it announce something written or sung (后人有诗曰： 书略曰：) rather than said?"""
    return bool(_WRITING.search(narration.rstrip()))


def find_speaker(narration: str, aliases: AliasTable) -> Speaker:
    """The speaker named by the narration before a quotation; both parts empty when nobody is."""
    sentences = [sentence for sentence in re.split(r"[。！？；;”\s]+", narration) if sentence.strip("，,：:、")]
    for distance, sentence in enumerate(reversed(sentences[-2:])):
        clauses = [_LEADING.sub("", clause) for clause in re.split(r"[，,：:、]+", sentence) if clause]
        mention = _known_subject(clauses[-1], aliases)
        for clause in reversed(clauses[:-1]):  # 操大喜，谓众将曰： the subject stands in front
            mention = mention or _known_subject(clause, aliases)
        if not mention and distance == 0:
            mention = _unknown_name(clauses[-1])
        if mention:
            return Speaker(mention, aliases.canonical(mention))
    return Speaker("", "")


def _known_subject(clause: str, aliases: AliasTable) -> str:
    subject = _OBJECT.split(clause, maxsplit=1)[0]
    return aliases.first_in(subject) or aliases.single_at_start(subject)


def _unknown_name(clause: str) -> str:
    subject = re.sub(r"[谓对向].*(?=[曰道]$)", "", clause)
    match = _UNKNOWN.match(subject)
    if match is None or _NOT_A_NAME.search(match["name"]):
        return ""
    return match["name"]
