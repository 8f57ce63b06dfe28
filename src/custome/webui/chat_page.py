"""The chat page: conversations at the left, the talk in the middle, scene, memory, people, prompt and sampling at the right.

Lays out and wires; what the events do is in chat_events.py. Conversations are in the store as they happen; a tab remembers
only who it belongs to and which conversation it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ..apps.cosplay import transcript
from ..apps.cosplay.choosing import drawn as drawn_by
from ..apps.cosplay.prompt import GUEST
from ..apps.cosplay.scene import Scene
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Tab
from ..conversations.store import Store
from ..engine.base import Engine, ServedModel
from ..types import GenerateOptions
from .chat_events import ChatEvents

_DEFAULTS = GenerateOptions()
_SCENE = Scene()
CHAPTERS = 200
TOLD_EVERY_S = 3.0
"""How often the page says how far the work behind it is."""
"""Most chapters the story-time slider counts."""
_DOWNLOAD = """(given) => {
  if (!given) return;
  const {name, type, data} = JSON.parse(given);
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], {type}));
  link.download = name; link.click(); URL.revokeObjectURL(link.href);
}"""
_REMEMBER = "(chat) => { sessionStorage.setItem('custome-chat', chat || ''); }"
_WHO = """() => {
  let owner = localStorage.getItem('custome-owner');
  if (!owner) {
    owner = Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');
    localStorage.setItem('custome-owner', owner);
  }
  if (!window.customeKeys) {
    window.customeKeys = true;
    document.addEventListener('keydown', (event) => {
      const press = (id) => { const found = document.querySelector(id); if (found) found.click(); event.preventDefault(); };
      if (event.key === 'Escape' && !event.target.closest('#person, #model')) press('#stop');
      else if (event.altKey && event.key === 'r') press('#retry');
      else if (event.altKey && event.key === 'ArrowLeft') press('#older');
      else if (event.altKey && event.key === 'ArrowRight') press('#newer');
      else if (event.altKey && event.key === 'n') press('#new');
    });
    document.addEventListener('click', (event) => {  // on a phone the list lies over the talk: it goes when something is chosen
      if (window.innerWidth > 640 || !event.target.closest('#new, #chats label, #remove_chat')) return;
      setTimeout(() => document.querySelector('#talks.open .toggle-button')?.click(), 100);
    });
  }
  return [owner, sessionStorage.getItem('custome-chat') || ''];
}"""
_DARK = "() => { document.body.classList.toggle('dark'); }"


class _Page:
    """The components, and which event each of them sets off."""

    def __init__(
        self, play: ConversationService, progress: Callable[[], str] | None = None
    ) -> None:
        self.play, self.events, self._progress = play, ChatEvents(play), progress

    # -- layout ------------------------------------------------------------------------------------------------------

    def build(self) -> gr.Blocks:
        first = next(iter(self.play.models()), None)
        with gr.Blocks(
            title=f"{first or '与书中人对话'} · 大模型定制化",
            analytics_enabled=False,
            fill_height=True,
        ) as page:
            self.tab: gr.State = gr.State(Tab(owner=""))
            self.selected: gr.State = gr.State(None)
            self.owner, self.remembered = gr.Textbox(visible="hidden"), gr.Textbox(visible="hidden")
            self.download = gr.Textbox(visible="hidden")
            with gr.Sidebar(open=False, width=300, elem_id="talks"):
                self._list()
            with gr.Row(elem_id="header"):
                gr.Markdown("## 与书中人对话")
                self.model = gr.Dropdown(
                    self.play.models(),
                    value=first,
                    show_label=False,
                    container=False,
                    elem_id="model",
                    scale=0,
                    min_width=200,
                )
                self.dark = gr.Button("🌓", elem_id="dark", size="sm", scale=0, min_width=48)
            if self._progress is not None:
                gr.Markdown(self._progress, every=TOLD_EVERY_S, elem_id="behind")
            with gr.Row():
                with gr.Column(scale=4):
                    self._talk()
                with gr.Column(scale=1, min_width=280), gr.Tabs():
                    self._side(self.play.model(first).engine if first else None)
            self._wire(page)
        return page

    def _list(self) -> None:
        self.new = gr.Button("新对话", elem_id="new", variant="primary")
        self.search = gr.Textbox(placeholder="搜标题和内容", show_label=False, elem_id="search")
        self.chats = gr.Radio([], show_label=False, elem_id="chats")
        self.title = gr.Textbox(label="名字", elem_id="title", max_lines=1)
        with gr.Row():
            self.rename = gr.Button("改名", size="sm", elem_id="rename")
            self.remove_chat = gr.Button("删除", size="sm", elem_id="remove_chat")
        with gr.Row():
            self.form = gr.Dropdown(
                list(transcript.FORMS),
                value="jsonl",
                show_label=False,
                container=False,
                elem_id="form",
                min_width=80,
            )
            self.export = gr.Button("导出", size="sm", elem_id="save")
        self.load_file = gr.UploadButton(
            "导入对话",
            size="sm",
            file_types=[".jsonl", ".json", ".txt", ".md"],
            type="binary",
            elem_id="load",
        )

    def _talk(self) -> None:
        self.faces = gr.HTML("", elem_id="faces")
        self.chat = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            editable="all",
            height="48vh",
            render_markdown=False,
            buttons=["copy"],
            feedback_options=None,
            layout="bubble",
            group_consecutive_messages=False,
            placeholder="选人物，说一句话。几个人可以同时在场；不选人物就自己写提示，例如：博物馆大火，救名画还是救猫？曹操曰：",
        )
        with gr.Row():
            self.person = gr.Dropdown(
                [],
                multiselect=True,
                label="在场的人",
                elem_id="person",
                scale=2,
                min_width=240,
                filterable=True,
                max_choices=8,
            )
            self.text = gr.Textbox(
                label="你说",
                elem_id="say",
                lines=2,
                max_lines=6,
                scale=3,
                min_width=300,
                submit_btn=False,
                placeholder="回车发送，Shift+回车换行",
                autofocus=True,
            )
        with gr.Row(elem_id="main_buttons"):
            self.send = gr.Button("发送", variant="primary", elem_id="send", min_width=70)
            self.stop = gr.Button("停止", variant="stop", elem_id="stop", min_width=70)
            self.retry = gr.Button("重试", elem_id="retry", min_width=70)
            self.go_on = gr.Button("接着说", elem_id="go_on", min_width=70)
            self.for_me = gr.Button("替我说", elem_id="for_me", min_width=70)
        with gr.Row(elem_id="more_buttons"):
            self.older = gr.Button("◀", elem_id="older", size="sm", scale=0, min_width=40)
            self.newer = gr.Button("▶", elem_id="newer", size="sm", scale=0, min_width=40)
            self.branch = gr.Button(
                "从这里分支", elem_id="branch", size="sm", scale=0, min_width=90
            )
            self.delete = gr.Button(
                "删除最后一句", elem_id="delete", size="sm", scale=0, min_width=90
            )
            self.undelete = gr.Button(
                "找回删掉的", elem_id="undelete", size="sm", scale=0, min_width=90
            )
            self.version = gr.Markdown("", elem_id="version")
        self.status = gr.Markdown("", elem_id="status")

    def _side(self, engine: Engine | None) -> None:
        several = engine.several if engine else 1
        with gr.Tab("场景", elem_id="scene_tab"):
            self.trio = gr.Dropdown([], label="三人同场", elem_id="trio", info="一下选好三个人")
            self.greet = gr.Button("请他先说（开场白）", size="sm", elem_id="greet")
            self.order = gr.Radio(
                [("点到谁", "named"), ("轮流", "turn"), ("模型定", "model")],
                value=_SCENE.order,
                label="谁来答",
                elem_id="order",
            )
            self.answers = gr.Slider(
                1, 8, _SCENE.answers, step=1, label="每次几个人答", elem_id="answers"
            )
            self.user = gr.Textbox(
                "", label="你是谁", placeholder=GUEST, elem_id="user", max_lines=1
            )
            self.user_persona = gr.Textbox("", label="你的来历", lines=2, elem_id="user_persona")
            self.as_of = gr.Slider(
                0,
                CHAPTERS,
                0,
                step=1,
                label="故事讲到第几回",
                elem_id="as_of",
                info="0 是全书；之后的事他还不知道",
            )
            self.as_speech = gr.Checkbox(
                True,
                label="我写的是一句话",
                elem_id="as_speech",
                info="不勾：当作旁白，像小说那样往下写",
            )
        with gr.Tab("记忆", elem_id="memory_tab"):
            self.note = gr.Textbox(
                "", label="作者注", lines=2, elem_id="note", info="紧挨着最后一句给模型看"
            )
            self.summary = gr.Textbox(
                "",
                label="前情提要",
                lines=5,
                elem_id="summary",
                info="放不下的旧话会自动归到这里；可以改",
            )
            self.digest = gr.Button("整理前情", size="sm", elem_id="digest")
        with gr.Tab("人物", elem_id="people_tab"):
            self.card = gr.HTML("", elem_id="card")
            self.card_file = gr.UploadButton(
                "导入人物卡（PNG、JSON）",
                size="sm",
                file_types=[".png", ".json"],
                type="binary",
                elem_id="card_file",
            )
            with gr.Row():
                self.card_png = gr.Button("导出 PNG", size="sm", elem_id="card_png", min_width=90)
                self.card_json = gr.Button(
                    "导出 JSON", size="sm", elem_id="card_json", min_width=90
                )
                self.card_away = gr.Button(
                    "删掉导入的卡", size="sm", elem_id="card_away", min_width=90
                )
            self.regex = gr.Checkbox(
                _SCENE.regex,
                label="世界书关键词可以是正则",
                elem_id="regex",
                info="只给信得过的卡开：写坏的正则会让页面停住",
            )
        with gr.Tab("提示", elem_id="prompt_tab"):
            self.look = gr.Button("看模型读到什么", size="sm", elem_id="look")
            self.prompt = gr.HTML("", elem_id="prompt")
        with gr.Tab("生成", elem_id="sampling_tab"):
            self.candidates = gr.Slider(
                1,
                8,
                several,
                step=1,
                label="候选",
                elem_id="candidates",
                info="一次写几个，挑最像、最切题的；写的时候看见的是第一个",
            )
            self.examples = gr.Slider(
                0, 6, _SCENE.examples, step=1, label="给模型看几句本人的话", elem_id="examples"
            )
            self.persona = gr.Checkbox(_SCENE.persona, label="告诉模型这人是谁", elem_id="persona")
            self.contrast_strength = gr.Slider(
                0,
                1.5,
                _SCENE.contrast_strength,
                step=0.05,
                label="口吻多重",
                elem_id="contrast_strength",
                info="写的时候，他自己的用词更容易出现的程度",
                visible=bool(engine and "logit_bias" in engine.supports),
            )
            self.strength = gr.Slider(
                0,
                2,
                _SCENE.strength,
                step=0.1,
                label="学得多深",
                elem_id="strength",
                info="学到的东西用几分：0 是底座，1 是学到的",
                visible=bool(engine and "strength" in engine.supports),
            )
            drawn = drawn_by(engine.kind if engine else "novel", several > 1)
            self.sampling: list[Any] = [
                gr.Checkbox(
                    _DEFAULTS.do_sample,
                    label="采样 Do sample",
                    elem_id="do_sample",
                    info="关掉：每次取最可能的词，答案固定",
                ),
                gr.Slider(0.1, 2.0, drawn.temperature, step=0.05, label="温度 Temperature"),
                gr.Slider(0.1, 1.0, drawn.top_p, step=0.05, label="Top p"),
                gr.Slider(0, 200, drawn.top_k, step=1, label="Top k"),
                gr.Slider(
                    1.0,
                    2.0,
                    drawn.repetition_penalty,
                    step=0.05,
                    label="重复惩罚 Repetition penalty",
                ),
                gr.Slider(
                    1,
                    8,
                    _DEFAULTS.num_beams,
                    step=1,
                    label="束宽 Beams",
                    info="大于 1 时写完才一次显示",
                    visible=bool(engine and "num_beams" in engine.supports),
                ),
                gr.Slider(
                    8,
                    1024,
                    _DEFAULTS.max_new_tokens,
                    step=8,
                    label="最多写多少 token",
                    elem_id="max_tokens",
                ),
            ]

    # -- wiring ------------------------------------------------------------------------------------------------------

    def _wire(self, page: gr.Blocks) -> None:
        do = self.events
        at_once = sum(self.play.model(name).engine.slots for name in self.play.models())
        generating: dict[str, Any] = {
            "concurrency_limit": at_once,
            "concurrency_id": "engine",
            "show_progress": "minimal",
        }
        self.scene_parts = [
            self.person,
            self.order,
            self.answers,
            self.candidates,
            self.user,
            self.user_persona,
            self.note,
            self.summary,
            self.as_of,
            self.as_speech,
            self.examples,
            self.persona,
            self.regex,
            self.contrast_strength,
            self.strength,
        ]
        setup = [self.tab, self.model, *self.scene_parts, *self.sampling]
        seen = [self.tab, self.remembered, self.chat, self.version, self.status]
        whole = [
            *seen,
            self.title,
            self.selected,
            self.delete,
            self.model,
            *self.scene_parts,
            self.faces,
            self.chats,
        ]
        on: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None}

        answers = [
            self.send.click(do.submit, [self.text, *setup], [self.text, *seen], **generating),
            self.text.submit(do.submit, [self.text, *setup], [self.text, *seen], **generating),
            self.retry.click(do.again, setup, seen, **generating),
            self.newer.click(do.swipe_on, setup, seen, **generating),
            self.go_on.click(do.more, setup, seen, **generating),
            self.for_me.click(do.speak_for_me, setup, [self.text], **generating),
            self.digest.click(do.digested, [self.tab, self.model], [self.summary], **generating),
        ]
        for done in answers:
            done.then(
                do.after,
                [self.tab, self.search, self.summary],
                [self.chats, self.title, self.summary],
                **on,
            )
        stopped = self.stop.click(do.stop_it, None, None, queue=False, cancels=answers)
        stopped.then(do.end, concurrency_limit=None).then(do.as_it_is, [self.tab], seen, **on)
        self.older.click(do.end, concurrency_limit=None).then(do.swipe_back, [self.tab], seen, **on)
        self.chat.edit(do.edit, [self.tab], seen)
        self.chat.select(do.select, [self.tab], [self.selected, self.delete])
        self.delete.click(do.end, concurrency_limit=None).then(
            do.drop, [self.tab, self.selected], [*seen, self.selected, self.delete], **on
        )
        self.undelete.click(do.end, concurrency_limit=None).then(
            do.bring_back, [self.tab, self.search], whole, **on
        )
        self.greet.click(do.end, concurrency_limit=None).then(
            do.greeted, [self.tab, self.search, *setup[1:]], whole, **on
        )

        self.branch.click(do.end, concurrency_limit=None).then(
            do.branch_off, [self.tab, self.selected, self.search], whole, **on
        )
        self.new.click(do.end, concurrency_limit=None).then(
            do.begin, [self.tab, self.search], whole, **on
        )
        self.chat.clear(do.end, concurrency_limit=None).then(
            do.begin, [self.tab, self.search], whole, **on
        )
        self.remove_chat.click(do.end, concurrency_limit=None).then(
            do.remove, [self.tab, self.search], whole, **on
        )
        self.chats.input(do.end, concurrency_limit=None).then(
            do.open, [self.tab, self.chats, self.search], whole, **on
        )
        self.load_file.upload(do.end, concurrency_limit=None).then(
            do.load, [self.tab, self.load_file, self.search, self.model], whole, **on
        )
        page.load(do.arrive, [self.owner, self.remembered], [*whole, self.trio], js=_WHO, **on)
        self.remembered.change(None, [self.remembered], None, js=_REMEMBER)
        self.search.change(do.listed, [self.tab, self.search], [self.chats], **on)
        self.rename.click(do.name_it, [self.tab, self.title, self.search], [self.chats], **on)
        self.export.click(do.written, [self.tab, self.form], [self.download], **on).success(
            None, [self.download], None, js=_DOWNLOAD
        )

        self.model.change(
            do.people, [self.tab, self.model, self.person], [self.person, self.trio], **on
        )
        self.person.change(
            do.meet, [self.tab, self.model, self.person], [self.faces, self.card], **on
        )
        self.trio.input(
            lambda trio: trio.split("、") if trio else gr.skip(), [self.trio], [self.person], **on
        )
        self.look.click(do.looked, [self.text, *setup], [self.prompt], **on)
        self.card_file.upload(
            do.card_in,
            [self.tab, self.card_file, self.model, self.person],
            [self.person, self.card],
            **on,
        )
        for button, form in ((self.card_png, "png"), (self.card_json, "json")):
            button.click(
                do.card_out(form), [self.tab, self.model, self.person], [self.download], **on
            ).then(None, [self.download], None, js=_DOWNLOAD)
        self.card_away.click(
            do.card_away, [self.tab, self.model, self.person], [self.person, self.card], **on
        )
        self.dark.click(None, None, None, js=_DARK)
        page.unload(do.stop_it)


def build_chat_page(
    hosted: Callable[[], Sequence[ServedModel]],
    store: Store | Path,
    progress: Callable[[], str] | None = None,
) -> gr.Blocks:
    """The page for what is being served; `hosted` is asked anew each time a tab is opened.

    Args:
        store: where conversations are kept, or the path of an SQLite file for them.
        progress: how far the work behind the page is, in one line.

    Raises:
        StoreError: it cannot be written to.
    """
    return _Page(
        ConversationService(hosted, store if isinstance(store, Store) else Store(store)), progress
    ).build()
