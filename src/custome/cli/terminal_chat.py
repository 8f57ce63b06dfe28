"""A conversation in the terminal, kept like those of the page. Ctrl-C stops the reply at hand; at an empty prompt it leaves."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..apps.context import TERMINAL
from ..apps.cosplay import transcript
from ..apps.cosplay.card import read_card
from ..apps.cosplay.prompt import GUEST
from ..apps.cosplay.responder import Order
from ..apps.cosplay.scene import Scene, scene_of
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Grown, Tab
from ..conversations.records import ChatInfo
from ..errors import CustomeError, InputError
from ..files import read_bytes, read_text, write_text
from ..report.line_breaks import LineBreaks, broken
from ..types import GenerateOptions

HELP = (
    "/在场 曹操 刘备　/谁来答 点到谁|轮流|模型定　/第几回 50　/我是 名字 来历　/作者注 …　/前情 …　/提示 [要说的话]\n"
    "/开场　/重试　/上一版　/下一版　/接着说　/替我说　/改 最后一句改成…　/删除　/找回　/分支\n"
    "/新对话　/对话 [搜什么]　/打开 号码　/改名 …　/删对话　/存成 文件.jsonl　/读入 文件　/人物卡 文件　/退出"
)
ORDERS: dict[str, Order] = {"点到谁": "named", "轮流": "turn", "模型定": "model"}


@dataclass(kw_only=True)
class Terminal:
    """One person at a prompt."""

    play: ConversationService
    model: str
    scene: Scene
    options: GenerateOptions
    tab: Tab = Tab(owner=TERMINAL)
    _listed: list[ChatInfo] = field(default_factory=list)
    """What /打开 counts in."""

    def talk(self) -> int:
        """Until /退出 or the end of input; returns the exit code."""
        print(
            f"与书中人对话 · {self.model}　在场：{'、'.join(self.scene.people) or '（自己写提示）'}\n{HELP}"
        )
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
        rest = rest.strip()
        if not line.startswith("/"):
            self._show(self._said(line))
        elif not (self._set(command, rest) or self._elsewhere(command, rest)):
            if self.tab.chat and self.play.store_has(self.tab):
                self._change(command, rest)
            else:
                print(HELP)

    def _set(self, command: str, rest: str) -> bool:
        """What the scene is like; False for another command."""
        if command == "/在场":
            responder = self.play.responder(self.model, TERMINAL)
            self.scene = replace(
                self.scene, people=tuple(responder.card(name).name for name in rest.split())
            )
        elif command == "/谁来答":
            if rest not in ORDERS:
                raise InputError(f"谁来答：{rest!r}", f"写 {'、'.join(ORDERS)} 中的一个")
            self.scene = replace(self.scene, order=ORDERS[rest])
        elif command == "/第几回":
            if not rest.isdigit():
                raise InputError(f"第几回：{rest!r} 不是数", "例如 /第几回 50；0 是全书")
            self.scene = replace(self.scene, as_of=int(rest))
        elif command == "/我是":
            name, _, persona = rest.partition(" ")
            self.scene = replace(self.scene, user=name, user_persona=persona.strip())
        elif command == "/作者注":
            self.scene = replace(self.scene, note=rest)
        elif command == "/前情":
            self.scene = replace(self.scene, summary=rest or self.scene.summary)
            _tell(self.scene.summary or "还没有前情")
        else:
            return False
        return True

    def _elsewhere(self, command: str, rest: str) -> bool:
        """Other conversations and people; False for another command."""
        store, tab = self.play.store, self.tab
        if command == "/提示":
            for part in self.play.prompt(tab, self.model, self.scene, self.options, rest).parts:
                print(
                    f"[{part.title} · {part.tokens} token]{part.why and ' ' + part.why}\n{part.text}"
                )
        elif command == "/新对话":
            self.tab = replace(tab, chat="")
        elif command == "/开场":
            self._open(self.play.greet(tab, self.model, self.scene))
        elif command == "/对话":
            self._listed = store.chats(TERMINAL, rest)
            for number, one in enumerate(self._listed, 1):
                print(f"{number:>3}  {one.title}（{one.turns} 句）")
        elif command == "/打开":
            found = self._listed or store.chats(TERMINAL)
            if not rest.isdigit() or not 1 <= int(rest) <= len(found):
                raise InputError(f"没有第 {rest!r} 段对话", "看号码：/对话")
            self._open(replace(tab, chat=found[int(rest) - 1].id))
        elif command == "/读入":
            title, turns = transcript.read(
                read_text(Path(rest), "对话文件"), rest, self.scene.user or GUEST
            )
            self.tab = self.play.begin(tab, title or rest, self.model, self.scene)
            store.fill(self.tab.chat, TERMINAL, turns)
            print(f"已读入 {len(turns)} 句")
        elif command == "/人物卡":
            card = read_card(read_bytes(Path(rest), "人物卡"), rest)
            self.play.import_card(tab, card)
            self.scene = replace(self.scene, people=(card.name,))
            print(f"{card.name} 来了" + ("；/开场 用卡里的开场白开始" if card.greetings else ""))
        elif command == "/找回" and not tab.chat:
            if back := store.bring_back_latest(TERMINAL):
                self._open(replace(tab, chat=back))
        else:
            return False
        return True

    def _change(self, command: str, rest: str) -> None:
        """What can be done with the conversation that is open."""
        store, tab, key = self.play.store, self.tab, TERMINAL
        turns = self.play.chat(tab).turns
        last = turns[-1] if turns else None
        if command == "/重试":
            self._show(self.play.again(tab, key, self.model, self.scene, self.options))
        elif command == "/接着说":
            self._show(self.play.go_on(tab, key, self.model, self.scene, self.options))
        elif command == "/替我说":
            words = list(self.play.for_user(tab, key, self.model, self.scene, self.options))[-1]
            _tell(f"{self.scene.user or GUEST}> {words}")
            self._show(self._said(words))
        elif command in ("/上一版", "/下一版") and last:
            store.choose(
                tab.chat, TERMINAL, last.id, last.chosen + (1 if command == "/下一版" else -1)
            )
            now = self.play.chat(tab).turns[-1]
            _tell(f"{now.name}：“{now.text}”（第 {now.chosen + 1}/{len(now.versions)} 版）")
        elif command == "/改" and last and rest:
            store.write(tab.chat, TERMINAL, last.id, rest, finished=True)
        elif command == "/删除" and last:
            store.delete(tab.chat, TERMINAL, last.id)
        elif command == "/找回":
            store.bring_back(tab.chat, TERMINAL)
        elif command == "/分支":
            self.tab = self.play.branch(tab, None)
        elif command == "/改名":
            store.rename(tab.chat, TERMINAL, rest)
        elif command == "/删对话":
            store.remove(tab.chat, TERMINAL)
            self.tab = replace(tab, chat="")
            print("删掉了；/找回 能找回来")
        elif command == "/存成":
            form = next((form for form in transcript.FORMS if rest.endswith(f".{form}")), None)
            if form is None:
                raise InputError(
                    f"存成什么：{rest!r}",
                    f"文件名以 {'、'.join('.' + form for form in transcript.FORMS)} 结尾",
                )
            write_text(
                Path(rest),
                transcript.written(
                    turns, form, self.play.chat(tab).title, self.scene.user or GUEST
                ),
            )
            print(f"已存 → {rest}")
        else:
            print(HELP)

    def _open(self, tab: Tab) -> None:
        """Another conversation, with the scene that was kept with it."""
        self.tab = tab
        chat = self.play.chat(tab)
        self.scene = scene_of(chat) if chat.scene else self.scene
        _tell(transcript.written(chat.turns, "txt", chat.title, self.scene.user or GUEST))

    def _said(self, words: str) -> Iterator[Grown]:
        for tab, grown in self.play.say(
            self.tab, TERMINAL, words, self.model, self.scene, self.options
        ):
            self.tab = tab
            yield grown
        self.scene = replace(self.scene, summary=self.play.chat(self.tab).summary.text)

    def _show(self, growing: Iterator[Grown]) -> None:
        """Print what is said while it grows, or once one of several candidates is chosen; Ctrl-C keeps what is there."""
        seen: dict[int, str] = {}
        begun = None
        lines = LineBreaks(_columns())

        def write(text: str) -> None:
            print(lines.feed(text), end="", flush=True)

        try:
            for grown in growing:
                last = grown.chat.turns[-1] if grown.chat.turns else None
                if (
                    last is None
                    or last.by_user
                    or not last.text
                    or (self.scene.candidates > 1 and not grown.usage)
                ):
                    continue
                if begun != last.id:
                    write(("”\n" if begun is not None else "") + f"{last.name or '…'}：“")
                    begun = last.id
                write(last.text[len(seen.get(last.id, "")) :])
                seen[last.id] = last.text
        except KeyboardInterrupt:
            self.play.running.end(TERMINAL)
            kept = self.play.chat(self.tab).turns[-1:]
            if kept and not kept[0].by_user and begun is None:
                write(f"{kept[0].name}：“{kept[0].text}")
                begun = kept[0].id
        finally:  # what was held back is shown, whatever ended the reply
            if begun is not None:
                write("”\n")


def _columns() -> int | None:
    """Width of the terminal; None where what is said goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _tell(text: str) -> None:
    """Print what somebody said, or what is told of it."""
    print(broken(text, _columns()))


def terminal_chat(
    play: ConversationService,
    model: str,
    names: Sequence[str],
    scene: Scene,
    options: GenerateOptions,
) -> int:
    """Talk with `names`, or with whoever speaks most.

    Raises:
        InputError: nobody is called so; the nearest name is offered.
    """
    people, responder = play.people(model, TERMINAL), play.responder(model, TERMINAL)
    chosen = tuple(responder.card(name).name for name in names) or tuple(people[:1])
    return Terminal(
        play=play, model=model, scene=replace(scene, people=chosen), options=options
    ).talk()
