"""A game that was played as a text, an EPUB, a tree for Twine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from little import little

from custome.apps.adventure.game import Game
from custome.apps.adventure.rules import Action
from custome.apps.adventure.storyteller import Storyteller
from custome.apps.adventure.transcript import ENDINGS, write_game
from custome.corpus.reading import read_novel
from custome.errors import InputError


def played() -> Game:
    game, teller = Game(little(), 3), Storyteller()
    for action in (Action("走", "鱼市"), Action("买", "鱼贩", "灯油"), Action("走", "码头")):
        game.act(action)
        game.tell(teller.words(game, game.here))
    game.undo()
    game.act(Action("等"), "[[我]] 先等等->看")
    game.tell(":: 不是标题\n两行")
    return game


def test_every_form_holds_what_was_done(tmp_path: Path):
    game = played()
    for ending in ENDINGS:
        path = write_game(game, tmp_path / "书" / f"雾港{ending}")
        assert path.stat().st_size > 100
    text = read_novel(tmp_path / "书" / "雾港.epub").text
    assert "向鱼贩买灯油" in text and "两行" in text and "去码头" not in text
    marked = (tmp_path / "书" / "雾港.md").read_text(encoding="utf-8")
    assert marked.index("▷ 去鱼市") < marked.index("▷ 向鱼贩买灯油") < marked.index("先等等")


def test_the_tree_is_twee_whose_links_all_lead_somewhere(tmp_path: Path):
    text = write_game(played(), tmp_path / "雾港.twee").read_text(encoding="utf-8")
    passages = re.findall(r"^:: (.+)$", text, re.MULTILINE)
    links = re.findall(r"\[\[([^\]]*?)->([^\]]*)\]\]", text)
    assert passages[:2] == ["StoryTitle", "StoryData"] and len(set(passages)) == len(passages)
    assert {target for _, target in links} <= set(passages) and len(links) == 4
    assert any("先等等" in words for words, _ in links)
    data = json.loads(re.search(r":: StoryData\n(\{.*?\n\})", text, re.DOTALL)[1])
    assert data["start"] in passages and re.fullmatch(r"[0-9A-F-]{36}", data["ifid"])


def test_no_words_become_a_passage_or_a_program(tmp_path: Path):
    scenario = little().model_copy(
        update={"about": "开头\n:: StoryData\n<script>x</script>", "title": "雾\n:: 港"}
    )
    game = Game(scenario, 1)
    game.act(Action("等"), "去街\n:: 回合 9\n(set: $a to 1)")
    game.tell("[[别处->回合 1]] (link: 'x')[y] \uffff")
    text = write_game(game, tmp_path / "a.twee").read_text(encoding="utf-8")
    passages = re.findall(r"^:: (.+)$", text, re.MULTILINE)
    assert passages == ["StoryTitle", "StoryData", "开头", "回合 1"]
    body = text.split(":: 开头")[1]
    assert not re.search(r"[<$]|\(set|\(link", body) and body.count("[[") == 1
    for ending in (".docx", ".epub"):
        assert write_game(game, tmp_path / f"a{ending}").stat().st_size > 100


def test_nothing_to_write_and_a_form_nobody_knows(tmp_path: Path):
    with pytest.raises(InputError, match="还没有走一步"):
        write_game(Game(little(), 1), tmp_path / "a.md")
    with pytest.raises(InputError, match="不会写"):
        write_game(played(), tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []
