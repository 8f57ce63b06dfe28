"""What is done with one turn of the conversation that is open: another version, more of it, other words, a branch, away with it.
Whatever takes something away says so and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..conversations.records import Turn
from ..errors import CustomeError, InputError

if TYPE_CHECKING:
    from .chat_page import ChatPage


class TurnActions:
    """The actions of one tab."""

    def __init__(self, page: ChatPage) -> None:
        self._page, self._store = page, page.service.store
        self._do: dict[str, Callable[[Turn, str], None]] = {
            "retry": lambda turn, _: self._again(),
            "go_on": lambda turn, _: self._go_on(),
            "older": lambda turn, _: self._choose(turn, max(0, turn.chosen - 1)),
            "newer": lambda turn, _: self._choose(turn, turn.chosen + 1),
            "edit": self._edit,
            "resend": self._resend,
            "branch": lambda turn, _: self._branch(turn),
            "delete": lambda turn, _: self._delete(turn),
        }

    def act(self, turn: Turn, what: str, text: str) -> None:
        """Something is to be done with a turn that was shown.

        Args:
            text: other words for it, where what is done needs them; given back where it is refused.
        """
        try:
            self._do[what](turn, text)
        except CustomeError as error:
            self._page.frame.warn(error)
            self._page.refresh()
            if text:
                self._page.talk.reopen(turn.id, text)

    @property
    def _place(self) -> tuple[str, str]:
        """Conversation and owner, as the store wants them."""
        return self._page.tab.chat, self._page.tab.owner

    def _settings(self) -> dict[str, Any]:
        page = self._page
        return {"model": page.model, "scene": page.scene, "options": page.settings.options}

    # -- writing -----------------------------------------------------------------------------------------------------

    def _again(self) -> None:
        tab, how = self._page.tab, self._settings()
        self._page.write(lambda key: self._page.service.again(tab, key, **how))

    def _go_on(self) -> None:
        tab, how = self._page.tab, self._settings()
        self._page.write(lambda key: self._page.service.go_on(tab, key, **how))

    def _resend(self, turn: Turn, words: str) -> None:
        """What the user said, in other words and answered anew."""
        page, place, tab, how = self._page, self._place, self._page.tab, self._settings()
        turns = self._unchanged(turn)
        gone = turns[[one.id for one in turns].index(turn.id) + 1 :]
        page.write(lambda key: page.service.ask_again(tab, key, turn.id, words, **how))

        def undo() -> None:
            self._refuse_while_busy()
            now = self._store.read(*place).turns
            new = now[[one.id for one in now].index(turn.id) + 1 :]
            if new:
                self._store.delete(*place, new[0].id, following=True)
            self._store.bring_back(*place, gone[0].id)
            self._store.write(*place, turn.id, turn.text, finished=True, number=turn.chosen)
            page.refresh()

        if gone:
            page.frame.tell(page.t("后面的 {count} 句先收起来了", count=len(gone)), undo)

    # -- changing ----------------------------------------------------------------------------------------------------

    def _choose(self, turn: Turn, version: int) -> None:
        self._store.choose(*self._place, turn.id, version)
        self._page.refresh()

    def _edit(self, turn: Turn, text: str) -> None:
        page, place = self._page, self._place
        self._refuse_while_busy()
        self._unchanged(turn)
        self._store.write(*place, turn.id, text, finished=True)
        page.refresh()

        def undo() -> None:
            self._store.write(*place, turn.id, turn.text, finished=True, number=turn.chosen)
            page.refresh()

        page.frame.tell(page.t("改好了"), undo)

    def _branch(self, turn: Turn) -> None:
        page, before = self._page, self._page.tab.chat
        page.open(page.service.branch(page.tab, turn.id).chat)
        page.list.refresh()
        page.frame.tell(page.t("从这里另开了一段，原来的还在"), lambda: page.open(before))

    def _delete(self, turn: Turn) -> None:
        page, place = self._page, self._place
        self._store.delete(*place, turn.id)
        page.refresh()

        def undo() -> None:
            self._store.bring_back(*place, turn.id)
            page.refresh()

        page.frame.tell(page.t("删了一句"), undo)

    # -- refusing ----------------------------------------------------------------------------------------------------

    def _refuse_while_busy(self) -> None:
        if self._page.busy():
            raise InputError("还在回答，先等它说完", "或先停下，再改")

    def _unchanged(self, turn: Turn) -> tuple[Turn, ...]:
        """The conversation as it is stored, if the turn still says what was shown."""
        turns = self._store.read(*self._place).turns
        if turn.text not in [one.text for one in turns if one.id == turn.id]:
            raise InputError("这段对话在别的窗口里改过了", "看看现在的样子，再改")
        return turns
