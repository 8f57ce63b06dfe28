"""The chat page: dialogue, character picker, sampling settings, Stop, Retry, edit, delete, save, load, dark mode.

Each browser tab has its own conversation: it lives in the tab's session on the server and, so that neither a reload nor
a crash of the server costs it, in the tab's sessionStorage. Knows engines and the people one can talk to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ..apps.session import DEFAULT_HISTORY, Conversation, compose, cue_of, load_conversation
from ..engine.base import Cancel, Hosted
from ..errors import CustomeError, InputError
from ..types import GenerateOptions, Reply

STOP_WAIT_S = 30.0
"""Longest wait for a generation to end; it looks after every token."""
SHOW_EVERY_S = 0.05
"""A fast engine writes more often than a browser can draw."""
LONGEST = 2_000
"""Characters one may say at once."""
NOBODY = "（自己写提示）"
_DEFAULTS = GenerateOptions()
_DOWNLOAD = """(text) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  link.download = '对话.json'; link.click(); URL.revokeObjectURL(link.href);
}"""
_REMEMBER = "(text) => { sessionStorage.setItem('custome-conversation', text); }"
_RECALL = "() => sessionStorage.getItem('custome-conversation') || ''"
_DARK = "() => { document.body.classList.toggle('dark'); }"

Shown = list[dict[str, str]]


class _Running:
    """Which tab is generating, so that its Stop reaches its own generation and nobody else's."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Cancel, threading.Event]] = {}

    @contextmanager
    def generation(self, tab: str) -> Iterator[Cancel]:
        """Open while a tab's reply is being generated; the tab's last one, if it still runs, is ended first."""
        self._end(tab)
        mine = self._running[tab] = (Cancel(), threading.Event())
        try:
            yield mine[0]
        finally:
            if self._running.get(tab) is mine:
                del self._running[tab]
            mine[1].set()

    def stop(self, request: gr.Request) -> None:
        """Ask the tab's generation to stop; what is there stays."""
        cancel, _ = self._running.get(str(request.session_hash), (Cancel(), None))
        cancel.set()

    def end(self, request: gr.Request) -> None:
        """Stop the tab's generation and wait until it has written its last."""
        self._end(str(request.session_hash))

    def _end(self, tab: str) -> None:
        cancel, over = self._running.get(tab, (Cancel(), None))
        cancel.set()
        if over is not None:
            over.wait(timeout=STOP_WAIT_S)


def _warn(error: Exception) -> None:
    """Tell the user what they can act on; anything else is for the log."""
    if not isinstance(error, CustomeError):
        raise error
    gr.Warning(f"{error.message}。{error.hint}")


def show(conversation: Conversation) -> Shown:
    """A conversation as the chat component's messages: two a turn."""
    messages = []
    for turn in conversation.turns:
        messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.reply}]
    return messages


def _options(
    sample: bool, temperature: float, top_p: float, top_k: float, beams: float, tokens: float
) -> GenerateOptions:
    return GenerateOptions(do_sample=sample, temperature=temperature, top_p=top_p, top_k=int(top_k),
                           num_beams=int(beams), max_new_tokens=int(tokens))  # fmt: skip


class _Actions:
    """What the page's events do. Those that generate yield (text box, chat, conversation) as the reply grows."""

    def __init__(self, hosted: Callable[[], Sequence[Hosted]]) -> None:
        self._hosted = hosted
        self._running = _Running()
        self.stop, self.end = self._running.stop, self._running.end

    def models(self) -> list[str]:
        return [one.name for one in self._hosted()]

    def _model(self, name: str) -> Hosted:
        known = {one.name: one for one in self._hosted()}
        if name not in known:
            raise InputError(f"模型 {name!r} 已经不在了", "换一个模型")
        return known[name]

    def cues(self, model: str) -> dict[str, str]:
        """Whom a model can be, with what the book calls them."""
        one = self._model(model)
        return {person.name: cue_of(person, one.engine.kind) for person in one.people}

    def people(self, model: str, person: str) -> Any:
        """The picker for another model; the same person, if that model has them."""
        names = list(self.cues(model))
        return gr.update(choices=[*names, NOBODY], value=person if person in names else next(iter(names), NOBODY))

    def generate(
        self, model: str, conversation: Conversation, settings: tuple[Any, ...], request: gr.Request
    ) -> Iterator[tuple[Conversation, Any]]:
        """Answer the last turn, and say how fast it went; a Stop keeps what is there."""
        *sampling, max_history = settings
        engine = self._model(model).engine
        with self._running.generation(str(request.session_hash)) as cancel:
            started, shown = time.monotonic(), 0.0
            asked = conversation.request(int(max_history))
            for piece in engine.stream(asked, _options(*sampling), cancel):
                now = time.monotonic()
                if piece.reply is not None:
                    yield conversation.answer(piece.text), _told(piece.reply, now - started, engine.max_context)
                elif now - shown >= SHOW_EVERY_S:
                    shown = now
                    yield conversation.answer(piece.text), gr.skip()

    def submit(
        self, text: str, model: str, person: str, conversation: Conversation, request: gr.Request, *settings: Any
    ) -> Iterator[tuple[Any, ...]]:
        if not text.strip() or len(text) > LONGEST:
            if text.strip():
                gr.Warning(f"一次最多 {LONGEST} 字，这里有 {len(text)} 字")
            yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
            return
        try:
            cue = self.cues(model).get(person, "")
            asked = conversation.ask(compose(text, cue, self._model(model).engine.kind), cue)
            yield "", show(asked), asked, gr.skip()
            for grown, told in self.generate(model, asked, settings, request):
                yield gr.skip(), show(grown), grown, told
        except Exception as error:
            # The words go back into the box, the conversation is as before.
            yield text, show(conversation), conversation, gr.skip()
            _warn(error)

    def retry(
        self, model: str, conversation: Conversation, request: gr.Request, *settings: Any
    ) -> Iterator[tuple[Any, ...]]:
        if not conversation.turns:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        yield show(conversation.answer("")), gr.skip(), gr.skip()  # the old answer is kept until a new one begins
        try:
            for grown, told in self.generate(model, conversation, settings, request):
                yield show(grown), grown, told
        except Exception as error:
            yield show(conversation), conversation, gr.skip()
            _warn(error)

    def edit(self, conversation: Conversation, request: gr.Request, event: gr.EditData) -> tuple[Shown, Conversation]:
        self._running.end(request)
        index = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
        changed = {"user" if index % 2 == 0 else "reply": str(event.value)}
        edited = conversation.edit(index // 2, **changed)
        return show(edited), edited

    def select(self, event: gr.SelectData) -> tuple[int, Any]:
        index = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
        return index // 2, gr.update(value=f"删除第 {index // 2 + 1} 轮")

    def delete(self, conversation: Conversation, selected: int | None) -> tuple[Any, ...]:
        if conversation.turns:
            last = len(conversation.turns) - 1
            conversation = conversation.delete(last if selected is None or selected > last else selected)
        return show(conversation), conversation, None, gr.update(value="删除最后一轮")

    def clear(self) -> tuple[Any, ...]:
        return [], Conversation(), None, gr.update(value="删除最后一轮")

    def load(self, raw: bytes | None) -> tuple[Any, Any]:
        try:
            conversation = load_conversation((raw or b"").decode("utf-8", errors="replace"), "选中的文件")
        except InputError as error:
            gr.Warning(f"{error.message}。{error.hint}")
            return gr.skip(), gr.skip()
        return show(conversation), conversation

    def recall(self, remembered: str) -> tuple[Shown, Conversation]:
        try:
            conversation = load_conversation(remembered, "本页记住的对话") if remembered else Conversation()
        except InputError:
            conversation = Conversation()  # written by another version of the page
        return show(conversation), conversation


def _told(reply: Reply, seconds: float, context: int) -> str:
    used = reply.prompt_tokens + reply.completion_tokens
    return f"{reply.completion_tokens / max(seconds, 1e-3):.0f} token/秒　上下文 {used:,}/{context:,}"


def build_chat_page(hosted: Callable[[], Sequence[Hosted]]) -> gr.Blocks:
    """The page for what is being served; `hosted` is asked anew each time a tab is opened."""
    actions = _Actions(hosted)
    first = hosted()[0]
    names = list(actions.cues(first.name))
    with gr.Blocks(title=f"{first.name} · 大模型定制化", analytics_enabled=False, fill_height=True) as page:
        conversation = gr.State(Conversation())
        selected: gr.State = gr.State(None)
        with gr.Row(elem_id="header"):
            gr.Markdown("## 与书中人对话")
            model = gr.Dropdown(
                actions.models(),
                value=first.name,
                show_label=False,
                container=False,
                elem_id="model",
                scale=0,
                min_width=200,
            )
            dark = gr.Button("🌓", elem_id="dark", size="sm", scale=0, min_width=48)
        with gr.Row():
            with gr.Column(scale=4):
                chat = gr.Chatbot(elem_id="chat", show_label=False, editable="all", height="62vh", render_markdown=False,
                                  buttons=["copy"], feedback_options=None, layout="bubble",
                                  placeholder="选一个人物，说一句话。也可以自己写提示，例如：博物馆大火，救名画还是救猫？曹操曰：")  # fmt: skip
                with gr.Row():
                    person = gr.Dropdown([*names, NOBODY], value=next(iter(names), NOBODY), label="人物", elem_id="person",
                                         scale=1, filterable=True, info="替你写好“某某曰：”；自己写了就以你写的为准")  # fmt: skip
                    text = gr.Textbox(label="你说", elem_id="say", lines=2, max_lines=6, scale=3, submit_btn=False,
                                      placeholder="回车发送，Shift+回车换行", autofocus=True)  # fmt: skip
                with gr.Row():
                    send = gr.Button("发送", variant="primary", elem_id="send")
                    stop = gr.Button("停止", variant="stop", elem_id="stop")
                    again = gr.Button("重试", elem_id="retry")
                    remove = gr.Button("删除最后一轮", elem_id="delete")
                    wipe = gr.Button("清空", elem_id="clear")
                with gr.Row():
                    save = gr.Button("保存对话", size="sm", elem_id="save")
                    load_file = gr.UploadButton(
                        "载入对话", size="sm", file_types=[".json"], type="binary", elem_id="load"
                    )
            with gr.Column(scale=1, min_width=260):
                settings = _settings("num_beams" in first.engine.supports)
                status = gr.Markdown("", elem_id="status")
        dumped = gr.Textbox(visible="hidden")

        at_once = sum(one.engine.slots for one in hosted())
        generating = {"concurrency_limit": at_once, "concurrency_id": "engine", "show_progress": "minimal"}
        asks = [text, model, person, conversation, *settings]
        again_asks, grown = [model, conversation, *settings], [chat, conversation, status]
        keep = {"fn": lambda now: now.dump(), "inputs": [conversation], "outputs": [dumped], "show_progress": "hidden"}
        answers = [
            send.click(actions.submit, asks, [text, *grown], **generating),
            text.submit(actions.submit, asks, [text, *grown], **generating),
            again.click(actions.retry, again_asks, grown, **generating),
            chat.retry(actions.retry, again_asks, grown, **generating),
        ]
        # Whatever changes the conversation ends a running generation first: it would write the old one back.
        changes = [
            stop.click(actions.stop, None, None, queue=False, cancels=answers),
            chat.edit(actions.edit, [conversation], [chat, conversation]),
            remove.click(actions.end).then(
                actions.delete, [conversation, selected], [chat, conversation, selected, remove]
            ),
            wipe.click(actions.end).then(actions.clear, None, [chat, conversation, selected, remove]),
            chat.clear(actions.end).then(actions.clear, None, [chat, conversation, selected, remove]),
            load_file.upload(actions.end).then(actions.load, [load_file], [chat, conversation]),
        ]
        for change in [*answers, *changes]:
            change.then(**keep).then(None, [dumped], None, js=_REMEMBER)
        chat.select(actions.select, None, [selected, remove])
        save.click(**keep).then(None, [dumped], None, js=_DOWNLOAD)
        dark.click(None, None, None, js=_DARK)
        model.change(actions.people, [model, person], [person])
        page.load(lambda: gr.update(choices=actions.models()), None, [model])
        page.load(actions.recall, [dumped], [chat, conversation], js=_RECALL)
        page.unload(actions.stop)
    return page


def _settings(beams: bool) -> list[gr.components.Component]:
    gr.Markdown("### 生成设置")
    return [
        gr.Checkbox(
            _DEFAULTS.do_sample, label="采样 Do sample", elem_id="do_sample", info="关掉：每次取最可能的词，答案固定"
        ),
        gr.Slider(0.1, 2.0, _DEFAULTS.temperature, step=0.05, label="温度 Temperature"),
        gr.Slider(0.1, 1.0, _DEFAULTS.top_p, step=0.05, label="Top p"),
        gr.Slider(0, 200, _DEFAULTS.top_k, step=1, label="Top k"),
        gr.Slider(1, 8, _DEFAULTS.num_beams, step=1, label="束宽 Beams", info="大于 1 时写完才一次显示", visible=beams),
        gr.Slider(8, 1024, _DEFAULTS.max_new_tokens, step=8, label="最多写多少 token", elem_id="max_tokens"),
        gr.Slider(0, 20, DEFAULT_HISTORY, step=1, label="最多记住几轮 Max history"),
    ]
