"""When a person must take over: asked for, anger, harm, what only people decide. A word inside another sentence is no request:
人工采摘, 不用转人工, 我没有要投诉.
"""

from __future__ import annotations

import re
from typing import Literal

Reason = Literal["asked", "complaint", "harm", "decision", "check", "failed", "away", ""]
REASONS: dict[Reason, str] = {
    "asked": "客人要找人工",
    "complaint": "投诉、威胁或很生气",
    "harm": "食品安全、受伤或用电安全",
    "decision": "要人来办的事",
    "check": "订单核对三次不符",
    "failed": "两次没有答上来",
    "away": "订单系统没有回应",
}
_NOT = r"(?:不用|不要|不想|不必|无需|别|没有要|没要|不是要|没有|没|不是|并非)[^，。！？,!?]{0,6}"
_NOT_MEANT = re.compile(
    rf"{_NOT}(?:转人工|投诉|举报|12315|律师|不舒服|过敏)|(?:不用|不要|不想|不必|无需|别)[^，。！？,!?]{{0,3}}人工|工商银行|虫草|虫屎|头发长|起火锅|爆炸盐|会不会.{{0,12}}?(?:短路|漏电|烫伤|受伤|爆炸|炸|着火|触电|中毒|拉肚子|过敏)|会(?:短路|漏电|烫伤|爆炸|着火|触电|过敏)[^，。]{{0,4}}[吗吧]|不会(?:短路|漏电|烫伤|爆炸|着火|触电)[^，。]{{0,4}}[吗吧]|送律师|是律师[，,]|人工(?:采|画|手绘|制|的|客服.{{0,3}}(?:几点|上班|时间|下班|在线))|律师(?:朋友|同学|老公|老婆|爱|喜欢)"
)
_ASKED = re.compile(
    r"(?:接|联系|转接|转|叫|和|跟|要).{0,3}(?:人工|客服)|客服(?:呢|在不在|在吗)|^人呢[？?]*$|(?:来|换|找)(?:个|一个|位)人|(?:让|能不能让)人来|(?:不要|别用|不想要)机器人|转人[工共公]|转人工|转接人工|人工客服|找人工|要人工|叫人工|(?:找|换|要|叫|让).{0,4}(?:真人|活人|人工|主管|经理|领导|老板|店长|负责人)|不想跟(?:机器|你|ai)|^人工[。！!]?$"
)
_IS_IT_A_PERSON = re.compile(r"(?:你|您)是(?:真人|人工|机器人|ai)|真人还是")
_COMPLAINT = re.compile(
    r"投诉|举报|骗人|假茶|差评|(?<!\d)(?:12315|12345)(?!\d)|消协|工商|律师|起诉|法院|报警|曝光|骗子|欺诈|假货|无良|维权|黑店|发(?:到)?网上|差评威胁|赔偿"
)
_HARM = re.compile(
    r"拉肚子|肚子(?:疼|痛)|想吐|吐了|烫到|划到|炸裂|跳闸|玻璃渣|腹泻|呕吐|食物中毒|中毒|过敏了|起疹|住院|去医院|吃坏|不舒服|烫伤|割伤|划伤|受伤|流血|触电|漏电|冒(?:火花|烟|火)|着火|爆炸|炸了|起火|短路|烧焦|异物|头发|虫|发霉了(?!吗|吧)|变质|玻璃碴|吃出|喝出"
)
_DECISION = re.compile(
    r"取消.{0,4}订单|订单.{0,4}取消|发错(?:了|货)|少发|漏发|(?:显示)?签收.{0,8}(?:没收到|没有收到)|我要退款|帮我改(?:到|成)|(?:\d{2,}|几十|上百)\s*(?:份|盒|套|件|个).{0,10}(?:公司|年会|单位)|(?:改|换|修改|更改).{0,8}地址(?!.{0,6}(?:吗|么|多少|可以|能不能))|地址.{0,6}(?:改一下|换一下|改成|换成)|删除.{0,6}(?:个人)?信息|注销账号|(?:\d{2,}|几十|上百)\s*(?:份|盒|套|件|个).{0,12}(?:报价|团购|企业|定制)|(?:公司|企业|单位).{0,10}(?:\d{2,}|几十|上百)\s*(?:份|盒|套).{0,10}|申请退款|帮我退款|给我退款"
)


def reason_for(words: str, *, fine: bool = False) -> Reason:
    """Why a person should take over; '' where none need to.

    Args:
        words: as understanding.plain gives them.
        fine: the words ask of hairs on tea or the like, by a question the shop has an answer to.
    """
    rest = _NOT_MEANT.sub("", words)
    if _HARM.search(rest) and not fine:
        return "harm"
    if _COMPLAINT.search(rest):
        return "complaint"
    if _IS_IT_A_PERSON.search(rest):
        return ""
    if _ASKED.search(rest):
        return "asked"
    if _DECISION.search(rest):
        return "decision"
    return ""
