"""A conversation in the terminal, kept like those of the page. Ctrl-C stops the reply at hand; at an empty prompt it leaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..apps.cosplay import transcript
from ..apps.cosplay.play import Grown, Play, Scene, Tab
from ..apps.cosplay.prompt import GUEST
from ..errors import CustomeError, InputError
from ..files import read_text, write_text
from ..types import GenerateOptions

OWNER = "terminal"
HELP = (
    "/在场 曹操 刘备　/重试　/上一版　/接着说　/替我说　/删除　/找回　/新对话　/对话 [搜什么]　/打开 号码\n"
    "/第几回 50　/作者注 …　/提示　/存成 文件.jsonl　/读入 文件　/退出"
)


@dataclass(kw_only=True)
class Terminal:
    """One person at a prompt."""

    play: Play
    model: str
    scene: Scene
    options: GenerateOptions
    tab: Tab = Tab(owner=OWNER)

    def talk(self) -> int:
        """Until /退出 or the end of input; returns the exit code."""
        print(f"与书中人对话 · {self.model}　在场：{'、'.join(self.scene.people) or '（自己写提示）'}\n{HELP}")
        while True:
            try:
                line = input(f"\n{self.scene.user or GUEST}> ").strip()
            except EOFError:
                return 0
            if line == "/退出":
                return 0
            try:
                if line:
                    self._do(line)
            except CustomeError as error:
                print(f"错误：{error.message}\n怎么办：{error.hint}", file=sys.stderr)

    def _do(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        store, tab, rest = self.play.store, self.tab, rest.strip()
        if not line.startswith("/"):
            self._show(self._said(line))
        elif command == "/在场":
            stage = self.play.stage(self.model, OWNER)
            self.scene = replace(self.scene, people=tuple(stage.card(name).name for name in rest.split()))
        elif command == "/第几回":
            if not rest.isdigit():
                raise InputError(f"第几回：{rest!r} 不是数", "例如 /第几回 50；0 是全书")
            self.scene = replace(self.scene, as_of=int(rest))
        elif command == "/作者注":
            self.scene = replace(self.scene, note=rest)
        elif command == "/提示":
            for part in self.play.prompt(tab, self.model, self.scene, self.options, rest).parts:
                print(f"[{part.title} · {part.tokens} token]{part.why and ' ' + part.why}\n{part.text}")
        elif command == "/新对话":
            self.tab = replace(tab, chat="")
        elif command == "/对话":
            self._list(rest)
        elif command == "/打开":
            found = store.chats(OWNER)
            if not rest.isdigit() or not 1 <= int(rest) <= len(found):
                raise InputError(f"没有第 {rest!r} 段对话", "看号码：/对话")
            self.tab = replace(tab, chat=found[int(rest) - 1].id)
            print(transcript.written(self.play.chat(self.tab).turns, "txt", found[int(rest) - 1].title, GUEST))
        elif command == "/读入":
            title, turns = transcript.read(read_text(Path(rest), "对话文件"), rest, self.scene.user or GUEST)
            self.tab = replace(tab, chat=store.begin(OWNER, title or rest, model=self.model, settings=vars(self.scene)))
            store.fill(self.tab.chat, OWNER, turns)
            print(f"已读入 {len(turns)} 句")
        elif not tab.chat:
            print(HELP)
        else:
            self._change(command, rest)

    def _change(self, command: str, rest: str) -> None:
        """What can be done with a conversation that is there."""
        store, tab, key = self.play.store, self.tab, OWNER
        turns = self.play.chat(tab).turns
        if command == "/重试":
            self._show(self.play.again(tab, key, self.model, self.scene, self.options))
        elif command == "/接着说":
            self._show(self.play.go_on(tab, key, self.model, self.scene, self.options))
        elif command == "/替我说":
            words = list(self.play.for_user(tab, key, self.model, self.scene, self.options))[-1]
            print(f"{self.scene.user or GUEST}> {words}")
            self._show(self._said(words))
        elif command == "/上一版" and turns:
            store.choose(tab.chat, OWNER, turns[-1].id, turns[-1].chosen - 1)
            print(f"“{self.play.chat(tab).turns[-1].text}”")
        elif command == "/删除" and turns:
            store.delete(tab.chat, OWNER, turns[-1].id)
        elif command == "/找回":
            store.bring_back(tab.chat, OWNER)
        elif command == "/存成":
            form = next((form for form in transcript.FORMS if rest.endswith(f".{form}")), None)
            if form is None:
                raise InputError(
                    f"存成什么：{rest!r}", f"文件名以 {'、'.join('.' + form for form in transcript.FORMS)} 结尾"
                )
            write_text(Path(rest), transcript.written(turns, form, self.play.chat(tab).title, self.scene.user or GUEST))
            print(f"已存 → {rest}")
        else:
            print(HELP)

    def _said(self, words: str) -> Iterator[Grown]:
        for tab, grown in self.play.say(self.tab, OWNER, words, self.model, self.scene, self.options):
            self.tab = tab
            yield grown

    def _list(self, search: str) -> None:
        every = [one.id for one in self.play.store.chats(OWNER)]
        for one in self.play.store.chats(OWNER, search):
            print(f"{every.index(one.id) + 1:>3}  {one.title}（{one.turns} 句）")

    def _show(self, growing: Iterator[Grown]) -> None:
        """Print what is said while it grows; Ctrl-C keeps what is there."""
        seen: dict[int, str] = {}
        begun = None
        try:
            for grown in growing:
                last = grown.chat.turns[-1] if grown.chat.turns else None
                if last is None or last.by_user or not last.text:
                    continue
                if begun != last.id:
                    print(("”\n" if begun is not None else "") + f"{last.name or '…'}：“", end="")
                    begun = last.id
                print(last.text[len(seen.get(last.id, "")) :], end="", flush=True)
                seen[last.id] = last.text
        except KeyboardInterrupt:
            self.play.running.end(OWNER)
        if begun is not None:
            print("”")


def terminal_chat(play: Play, model: str, names: Sequence[str], scene: Scene, options: GenerateOptions) -> int:
    """Talk with `names`, or with whoever speaks most.

    Raises:
        InputError: nobody is called so; the nearest name is offered.
    """
    people, stage = play.people(model, OWNER), play.stage(model, OWNER)
    chosen = tuple(stage.card(name).name for name in names) or tuple(people[:1])
    return Terminal(play=play, model=model, scene=replace(scene, people=chosen), options=options).talk()
