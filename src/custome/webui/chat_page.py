"""The chat page: dialogue, character picker, sampling settings, Stop, Retry, edit, delete, save, load, dark mode.

Each browser tab has its own conversation: it lives in the tab's session on the server and, so that neither a reload nor
a crash of the server costs it, in the tab's sessionStorage. Knows one engine and the people one can talk to.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ..apps.session import DEFAULT_HISTORY, Conversation, compose, cue_of, load_conversation
from ..engine.base import Cancel, Engine
from ..errors import CustomeError, InputError
from ..types import Character, GenerateOptions

STOP_WAIT_S = 30.0
"""Longest wait for a generation to end; it looks after every token."""
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
        """Open while a tab's reply is being generated."""
        cancel, over = self._running[tab] = (Cancel(), threading.Event())
        try:
            yield cancel
        finally:
            self._running.pop(tab, None)
            over.set()

    def stop(self, request: gr.Request) -> None:
        """Ask the tab's generation to stop; what is there stays."""
        cancel, _ = self._running.get(str(request.session_hash), (Cancel(), None))
        cancel.set()

    def end(self, request: gr.Request) -> None:
        """Stop the tab's generation and wait until it has written its last."""
        cancel, over = self._running.get(str(request.session_hash), (Cancel(), None))
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

    def __init__(self, engine: Engine, people: Sequence[Character]) -> None:
        self._engine = engine
        self._running = _Running()
        self.cues = {person.name: cue_of(person, engine.kind) for person in people}
        self.stop, self.end = self._running.stop, self._running.end

    def generate(
        self, conversation: Conversation, settings: tuple[Any, ...], request: gr.Request
    ) -> Iterator[Conversation]:
        """Answer the last turn; a Stop keeps what is there."""
        *sampling, max_history = settings
        with self._running.generation(str(request.session_hash)) as cancel:
            for piece in self._engine.stream(conversation.request(int(max_history)), _options(*sampling), cancel):
                yield conversation.answer(piece.text)

    def submit(
        self, text: str, person: str, conversation: Conversation, request: gr.Request, *settings: Any
    ) -> Iterator[tuple[Any, ...]]:
        if not text.strip() or len(text) > LONGEST:
            if text.strip():
                gr.Warning(f"一次最多 {LONGEST} 字，这里有 {len(text)} 字")
            yield gr.skip(), gr.skip(), gr.skip()
            return
        asked = conversation.ask(compose(text, self.cues.get(person, ""), self._engine.kind), self.cues.get(person, ""))
        yield "", show(asked), asked
        try:
            for grown in self.generate(asked, settings, request):
                yield gr.skip(), show(grown), grown
        except Exception as error:
            # The words go back into the box, the conversation is as before.
            yield text, show(conversation), conversation
            _warn(error)

    def retry(self, conversation: Conversation, request: gr.Request, *settings: Any) -> Iterator[tuple[Any, ...]]:
        if not conversation.turns:
            yield gr.skip(), gr.skip()
            return
        yield show(conversation.answer("")), gr.skip()  # the old answer is kept until a new one begins
        try:
            for grown in self.generate(conversation, settings, request):
                yield show(grown), grown
        except Exception as error:
            yield show(conversation), conversation
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


def build_chat_page(engine: Engine, people: Sequence[Character]) -> gr.Blocks:
    """The page for one engine."""
    actions = _Actions(engine, people)
    with gr.Blocks(title=f"{engine.name} · 大模型定制化", analytics_enabled=False, fill_height=True) as page:
        conversation = gr.State(Conversation())
        selected: gr.State = gr.State(None)
        with gr.Row(elem_id="header"):
            gr.Markdown(f"## 与书中人对话 · {engine.name}")
            dark = gr.Button("🌓", elem_id="dark", size="sm", scale=0)
        with gr.Row():
            with gr.Column(scale=4):
                chat = gr.Chatbot(elem_id="chat", show_label=False, editable="all", height="62vh", render_markdown=False,
                                  buttons=["copy"], feedback_options=None, layout="bubble",
                                  placeholder="选一个人物，说一句话。也可以自己写提示，例如：博物馆大火，救名画还是救猫？曹操曰：")  # fmt: skip
                with gr.Row():
                    person = gr.Dropdown([*actions.cues, NOBODY], value=next(iter(actions.cues), NOBODY), label="人物", elem_id="person",
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
                settings = _settings()
        dumped = gr.Textbox(visible="hidden")

        generating = {"concurrency_limit": 1, "concurrency_id": "engine", "show_progress": "minimal"}
        asks = [text, person, conversation, *settings]
        keep = {"fn": lambda now: now.dump(), "inputs": [conversation], "outputs": [dumped], "show_progress": "hidden"}
        answers = [
            send.click(actions.submit, asks, [text, chat, conversation], **generating),
            text.submit(actions.submit, asks, [text, chat, conversation], **generating),
            again.click(actions.retry, [conversation, *settings], [chat, conversation], **generating),
            chat.retry(actions.retry, [conversation, *settings], [chat, conversation], **generating),
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
        page.load(actions.recall, [dumped], [chat, conversation], js=_RECALL)
        page.unload(actions.stop)
    return page


def _settings() -> list[gr.components.Component]:
    gr.Markdown("### 生成设置")
    return [
        gr.Checkbox(
            _DEFAULTS.do_sample, label="采样 Do sample", elem_id="do_sample", info="关掉：每次取最可能的词，答案固定"
        ),
        gr.Slider(0.1, 2.0, _DEFAULTS.temperature, step=0.05, label="温度 Temperature"),
        gr.Slider(0.1, 1.0, _DEFAULTS.top_p, step=0.05, label="Top p"),
        gr.Slider(0, 200, _DEFAULTS.top_k, step=1, label="Top k"),
        gr.Slider(1, 8, _DEFAULTS.num_beams, step=1, label="束宽 Beams", info="大于 1 时写完才一次显示"),
        gr.Slider(8, 1024, _DEFAULTS.max_new_tokens, step=8, label="最多写多少 token", elem_id="max_tokens"),
        gr.Slider(0, 20, DEFAULT_HISTORY, step=1, label="最多记住几轮 Max history"),
    ]
