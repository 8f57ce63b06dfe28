"""The chat page, clicked through: what is said, changed, stopped and brought back."""

from __future__ import annotations

import asyncio

import pytest

from custome.webui.chat_people import IN_A_ROW
from simulated_tab import LONG, OWN, REPLIES, Tab

pytestmark = pytest.mark.anyio


def kept(site, place: int = 0) -> list[str]:
    chat = site.store.chats(OWN)[place]
    return [turn.text for turn in site.store.read(chat.id, OWN).turns]


async def test_a_question_is_answered_by_name(tab, site):
    await tab.say("博物馆大火,救名画还是救猫?")
    assert tab.texts() == ["博物馆大火,救名画还是救猫?", "先救猫。"]
    assert tab.turns()[1].shows("name") == "曹操" and tab.turns()[1].shows("portrait")
    assert site.engine.requests[0].messages[-1].content == (
        "客问操公曰：“博物馆大火，救名画还是救猫？”"
    )


async def test_one_tap_changes_who_answers(tab, site):
    await tab.click("chip-诸葛亮")
    await tab.say("在么？")
    assert tab.turns()[1].shows("name") == "诸葛亮" and site.engine.requests[0].speaker == "孔明"
    await tab.click("chip-刘备")
    await tab.say("你呢？")
    assert tab.turns()[3].shows("name") == "刘备"
    assert len(tab.turns()) == 4, "only one answers"


async def test_a_typed_cue_wins(tab, site):
    await tab.say("在么？")
    await tab.say("玄德曰：")
    assert site.engine.requests[1].speaker == ""
    assert site.engine.requests[1].messages[0].content.endswith("曹操曰：“先救猫。”玄德曰：")


async def test_every_reply_has_a_face_from_the_first_on(tab):
    for words in ("一", "三"):
        await tab.say(words)
    theirs = [one for one in tab.turns() if not one.shows("mine")]
    assert len(theirs) == 2 and all(one.shows("name") and one.shows("portrait") for one in theirs)


async def test_a_reply_streams(tab, site):
    site.engine._delay_s = 0.02
    site.engine.requests.append(None)  # the long reply is the second
    await tab.say("二", settled=False)
    seen = set()
    for _ in range(60):
        await asyncio.sleep(0.03)
        if len(tab.turns()) == 2:
            seen.add(len(tab.texts()[1]))
    await tab.settle()
    assert len(seen) > 5 and tab.texts()[1] == LONG


async def test_before_the_first_word_somebody_is_thinking(tab, site):
    site.engine._delay_s = 0.3
    await tab.say("一", settled=False)
    await asyncio.sleep(0.15)
    assert tab.turns()[1].shows("note") == "正在想" and tab.turns()[1].shows("name") == "曹操"
    await tab.settle()


async def test_of_several_candidates_none_is_shown_before_one_is_chosen(tab, site):
    with tab.user:
        (slider,) = tab.user.find(marker="candidates").elements
        slider.set_value(2)
    site.engine._delay_s = 0.01
    await tab.say("一", settled=False)
    seen = set()
    for _ in range(40):
        await asyncio.sleep(0.02)
        if len(tab.turns()) == 2:
            seen.add((tab.texts()[1], tab.turns()[1].shows("note")))
    await tab.settle()
    assert ("", "斟酌中") in seen
    assert {text for text, _ in seen} <= {"", LONG} and tab.texts()[1] == LONG


async def test_stop_keeps_what_is_there(tab, site):
    site.engine._delay_s = 0.02
    site.engine.requests.append(None)
    await tab.say("二", settled=False)
    await asyncio.sleep(0.5)
    tab.user.find(kind=type(tab.composer)).trigger("stop")
    await tab.settle(0.05)
    stopped = tab.texts()[1]
    assert 0 < len(stopped) < len(LONG) and kept(site) == ["二", stopped]
    await tab.say("三")
    assert tab.texts()[3] == REPLIES[2]


async def test_what_is_said_meanwhile_waits_in_view_and_is_said(tab, site):
    site.engine._delay_s = 0.02
    await tab.say("一", settled=False)
    await asyncio.sleep(0.05)
    await tab.say("二", settled=False)
    await tab.say("三", settled=False)
    await asyncio.sleep(0.02)
    waiting = [one for one in tab.turns() if one.shows("state") == "waiting"]
    assert [one.text for one in waiting] == ["二", "三"]
    assert "第 1 个" in waiting[0].shows("note")
    for _ in range(400):
        await asyncio.sleep(0.02)
        if len(kept(site)) == 6 and not tab.composer.shows("busy"):
            break
    assert tab.texts() == ["一", REPLIES[0], "二", REPLIES[1], "三", REPLIES[2]] == kept(site)


async def test_stop_gives_back_what_waited(tab, site):
    site.engine._delay_s = 0.02
    site.engine.requests.append(None)
    await tab.say("一", settled=False)
    await asyncio.sleep(0.1)
    await tab.say("二", settled=False)
    tab.user.find(kind=type(tab.composer)).trigger("stop")
    await tab.settle(0.05)
    assert site.given_back == ["二"] and "二" not in kept(site)


async def test_at_most_eight_wait(tab, site):
    site.engine._delay_s = 0.05
    site.engine.requests.append(None)
    await tab.say("一", settled=False)
    await asyncio.sleep(0.1)
    for number in range(9):
        await tab.say(f"第{number}句", settled=False)
    assert site.given_back == ["第8句"] and tab.sees("已经有 8 句在等了")
    tab.user.find(kind=type(tab.composer)).trigger("stop")
    await tab.settle(0.05)


async def test_a_new_conversation_ends_nothing_and_starts_empty(tab, site):
    site.engine._delay_s = 0.01
    site.engine.requests.append(None)
    await tab.say("一", settled=False)
    await asyncio.sleep(0.1)
    await tab.click("new")
    assert tab.texts() == [] and not tab.composer.shows("busy")
    await asyncio.sleep(1.6)
    assert tab.texts() == [], "the old reply does not come back"
    assert kept(site) == ["一", LONG], "and is whole"


async def test_a_new_conversation_has_nobody_left_over(tab, site):
    await tab.click("choose")
    await tab.click("several")
    await tab.click("tile-孙权")
    await tab.say("一")
    await tab.click("new")
    await tab.say("三")
    assert [one.shows("name") for one in tab.turns()][1] == "曹操"
    assert tab.composer.shows("placeholder") == "对曹操说…"


async def test_a_tab_that_closes_costs_no_reply(tab, site):
    site.engine._delay_s = 0.01
    site.engine.requests.append(None)
    await tab.say("一", settled=False)
    await asyncio.sleep(0.1)
    tab.user.client.delete()
    await asyncio.sleep(1.8)
    assert kept(site) == ["一", LONG]


async def test_a_tab_that_comes_back_sees_the_reply_grow(tab, site):
    site.engine._delay_s = 0.02
    site.engine.requests.append(None)
    await tab.say("一", settled=False)
    await asyncio.sleep(0.3)
    chat = site.store.chats(OWN)[0].id
    other = Tab(site.new_user(), site)
    await other.user.open(f"/?chat={chat}")
    early = other.texts()[1]
    assert 0 < len(early) < len(LONG) and other.composer.shows("busy")
    await other.settle()
    assert other.texts() == ["一", LONG]


async def test_two_tabs_on_one_conversation_see_the_same(tab, site):
    await tab.say("一")
    chat = site.store.chats(OWN)[0].id
    other = await Tab(site.new_user(), site).open(f"/?chat={chat}")
    site.engine.requests.append(None)
    await other.say("三")
    assert tab.texts() == other.texts() == ["一", "先救猫。", "三", "第三次回答。"]


async def test_versions(tab, site):
    await tab.say("一")
    site.engine.requests.append(None)
    await tab.act(1, "retry")
    assert tab.texts()[1] == "第三次回答。" and tab.turns()[1].shows("versions") == 2
    await tab.act(1, "older")
    assert tab.texts()[1] == "先救猫。" and tab.turns()[1].shows("chosen") == 0
    await tab.act(1, "older")
    assert tab.turns()[1].shows("chosen") == 0, "before the first there is none"
    await tab.act(1, "newer")
    await tab.act(1, "newer")
    assert tab.texts()[1] == "第三次回答。", "behind the last there is none"


async def test_going_on(tab, site):
    await tab.say("一")
    site.engine.requests.append(None)
    await tab.act(1, "go_on")
    assert tab.texts()[1] == "先救猫。第三次回答。"


async def test_edit_and_undo(tab, site):
    await tab.say("一")
    await tab.act(1, "edit", "改过的话")
    assert tab.texts()[1] == "改过的话" and kept(site)[1] == "改过的话"
    await tab.click("undo")
    assert tab.texts()[1] == "先救猫。" == kept(site)[1]


async def test_what_one_said_is_said_anew(tab, site):
    await tab.say("一")
    site.engine.requests.append(None)
    await tab.say("三")
    await tab.act(0, "resend", "换一个问题")
    assert tab.texts() == ["换一个问题", "第四次回答。"] == kept(site)
    await tab.click("undo")
    assert len(tab.texts()) > 2, "what came after it is back"


async def test_delete_and_undo(tab, site):
    await tab.say("一")
    await tab.act(1, "delete")
    assert tab.texts() == ["一"]
    await tab.act(0, "delete")
    first, _ = sorted(tab.user.find(marker="undo").elements, key=lambda one: one.id)
    with tab.user:
        first._handle_event({"listener_id": next(iter(first._event_listeners)), "args": {}})
    assert tab.texts() == ["先救猫。"], "what it deleted itself"


async def test_branch_and_back(tab, site):
    await tab.say("一")
    site.engine.requests.append(None)
    await tab.say("三")
    await tab.act(1, "branch")
    assert tab.texts() == ["一", "先救猫。"] and len(site.store.chats(OWN)) == 2
    await tab.click("undo")
    assert len(tab.texts()) == 4


async def test_an_edit_after_another_window_changed_it_is_refused(tab, site):
    await tab.say("一")
    chat = site.store.chats(OWN)[0].id
    turn = site.store.read(chat, OWN).turns[1]
    site.store.write(chat, OWN, turn.id, "别处改的", finished=True)
    await tab.act(1, "edit", "我改的")
    assert tab.texts()[1] == "别处改的" and tab.sees("别的窗口")


async def test_several_in_one_scene(tab, site):
    await tab.click("choose")
    await tab.click("trio")
    with tab.user:
        (order,) = tab.user.find(marker="order").elements
        order.set_value("turn")
        (answers,) = tab.user.find(marker="answers").elements
        answers.set_value(3)
    await tab.say("三国归晋。")
    assert [one.shows("name") for one in tab.turns()[1:]] == ["刘备", "曹操", "孙权"]
    assert [request.speaker for request in site.engine.requests] == ["玄德", "操公", "孙权"]
    await tab.click("chip-孙权")
    await tab.say("你说呢？")
    assert [one.shows("name") for one in tab.turns()[5:]] == ["孙权"]


async def test_an_engine_that_fails_gives_the_words_back(tab, site):
    from custome.errors import EngineError

    def fail(*args, **more):
        raise EngineError("连不上", "看看它还在不在")
        yield

    site.engine.stream = fail
    await tab.say("粮草何在？")
    assert site.given_back == ["粮草何在？"] and tab.texts() == [] and tab.sees("连不上")
    assert site.store.chats(OWN) == []
    del site.engine.stream
    await tab.say("粮草何在？")
    assert tab.texts() == ["粮草何在？", "先救猫。"]


@pytest.mark.parametrize(
    "words", ["<img src=x onerror=alert(1)>", "{{user}} {% x %}", "‮abc", "*笑*"]
)
async def test_words_are_text(tab, site, words):
    await tab.say(words)
    assert tab.texts()[0] == words == kept(site)[0]


async def test_too_long_is_refused_and_given_back(tab, site):
    await tab.say("字" * 2_001)
    assert tab.sees("一次最多") and site.given_back == ["字" * 2_001] and not site.store.chats(OWN)


async def test_starters(tab, site):
    starters = list(tab.user.find(marker="starter").elements)
    assert len(starters) == 3
    with tab.user:
        tab.user.find(marker="starter").click()
    await tab.settle(0.05)
    assert len(tab.texts()) == 2


async def test_the_row_shows_who_speaks_most_and_all_who_are_there(tab, site):
    chips = tab.user.find(marker="chip").elements
    assert len(chips) == min(IN_A_ROW, 4)


async def test_a_model_that_is_gone_costs_no_conversation(tab, site):
    await tab.say("一")
    chat = site.store.chats(OWN)[0].id
    site.models.clear()
    other = await Tab(site.new_user(), site).open(f"/?chat={chat}")
    assert other.texts() == ["一", "先救猫。"] and other.sees("已经不在了")
    await other.say("二")
    assert site.given_back == ["二"]


async def test_a_conversation_of_somebody_else_is_not_shown(tab, site):
    await tab.say("一")
    chat = site.store.chats(OWN)[0].id
    stranger = await Tab(site.new_user("f" * 32), site).open(f"/?chat={chat}")
    assert stranger.texts() == [] and stranger.sees("没有这段对话")


async def test_a_long_conversation_shows_its_end_first(tab, site):
    from custome.conversations.records import Turn

    await tab.say("一")
    chat = site.store.chats(OWN)[0].id
    turns = [
        Turn(id=0, name="客", by_user=True, versions=(f"第{number}句",)) for number in range(200)
    ]
    site.store.fill(chat, OWN, turns)
    other = await Tab(site.new_user(), site).open(f"/?chat={chat}")
    assert len(other.turns()) == 80 and other.texts()[-1] == "第199句"
    await other.click("earlier")
    assert len(other.turns()) == 160 and other.texts()[-1] == "第199句"


@pytest.mark.parametrize("key", ["retry", "older", "newer"])
async def test_keys_without_a_reply_do_nothing(tab, key):
    tab.user.find(kind=type(tab.composer)).trigger("key", {"do": key})
    await tab.settle(0.05)
    assert tab.texts() == []


async def test_keys(tab, site):
    await tab.say("一")
    site.engine.requests.append(None)
    for key, expected in (
        ("retry", "第三次回答。"),
        ("older", "先救猫。"),
        ("newer", "第三次回答。"),
    ):
        tab.user.find(kind=type(tab.composer)).trigger("key", {"do": key})
        await tab.settle(0.05)
        assert tab.texts()[1] == expected
    tab.user.find(kind=type(tab.composer)).trigger("key", {"do": "new"})
    await tab.settle(0.05)
    assert tab.texts() == []


async def test_whoever_waits_sees_how_many_are_before_them(tab, site):
    from custome.engine.base import ServedModel
    from custome.server.catalogue import Catalogue

    site.engine._delay_s = 0.02
    site.engine.slots = 1
    hosted = Catalogue([ServedModel(name="三国", engine=site.engine, people=site.models[0].people)])
    site.models[:] = hosted.hosted()
    site.engine.requests.append(None)
    others = [await Tab(site.new_user(f"{number}" * 32), site).open() for number in (1, 2)]
    for one in (tab, *others):
        await one.say("一", settled=False)
        await asyncio.sleep(0.3)
    notes = [other.turns()[1].shows("note") for other in others]
    assert notes == ["前面还有 1 个人在等回答", "前面还有 2 个人在等回答"]
    for one in (tab, *others):
        await one.settle()
    assert all(one.texts()[1] for one in others)
