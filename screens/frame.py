"""The frame around every screen: where you are, what is wrong, which keys do something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from screens.field_line import FieldLine
from screens.language import N_, Words
from screens.menu import Menu
from screens.messages import BackWanted, Continued, LanguageWanted, QuitWanted
from screens.prose import Prose

if TYPE_CHECKING:
    from screens.shell import Shell

Key = tuple[str, str]  # what is printed on the key, and what it does


class Head(Widget):
    """Title and step list: two lines and a rule, or one line where the terminal is low."""

    DEFAULT_CSS = "Head { height: 3; &.-short { height: 1; } }"

    def __init__(self) -> None:
        super().__init__(id="head")
        self._title = ""
        self._names: tuple[str, ...] = ()
        self._current: int | None = None
        self._rule = "─"

    def show(self, title: str, names: tuple[str, ...], current: int | None, rule: str) -> None:
        """Steps are counted from 0; `current` is None where no procedure runs."""
        now = (title, names, current, rule)
        if now != (self._title, self._names, self._current, self._rule):
            self._title, self._names, self._current, self._rule = now
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        where = "" if self._current is None else f"{self._current + 1}/{len(self._names)}"
        name = "" if self._current is None else self._names[self._current]
        if self.size.height < 3:
            line = f"{where} {name}".strip() or self._title
            return Content.styled(_spread(f" {line}", "", width), "reverse")
        top = Content.styled(_spread(f" {self._title}", f"{where} ", width), "reverse")
        return Content("\n").join([top, self._steps(width), Content(self._rule * width)])

    def _steps(self, width: int) -> Content:
        """Every step's name with the present one in brackets; the near ones where all won't fit."""
        if self._current is None:
            return Content(" ")
        marked = [
            f"[{index + 1} {name}]" if index == self._current else f" {index + 1} {name} "
            for index, name in enumerate(self._names)
        ]
        first = 0
        while first < self._current and cell_len("".join(marked[first:])) > width - 2:
            first += 1
        line = Content(" ")
        for index, text in enumerate(marked[first:], first):
            line += Content.styled(text, "bold" if index == self._current else "dim")
        return line


class Foot(Widget):
    """The keys that do something now."""

    DEFAULT_CSS = "Foot { height: 2; &.-short { height: 1; } }"

    def __init__(self) -> None:
        super().__init__(id="foot")
        self._keys: tuple[Key, ...] = ()
        self._rule = "─"

    def show(self, keys: Sequence[Key], rule: str) -> None:
        now = (tuple(keys), rule)
        if now != (self._keys, self._rule):
            self._keys, self._rule = now
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        line = Content("")
        used = 0
        for key, does in self._keys:
            size = cell_len(f" {key} {does} ")
            if used + size > width:
                break
            line += Content.assemble((f" {key}", "bold"), f" {does} ")
            used += size
        return line if self.size.height < 2 else Content(self._rule * width + "\n") + line


def _spread(left: str, right: str, width: int) -> str:
    """`left` and `right` at the two ends of a line of `width` columns."""
    gap = width - cell_len(left) - cell_len(right)
    return left + " " * gap + right if gap >= 0 else left


class Body(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls, but leaves every key to the screen: Down goes to the next field, however low."""

    def place_of(self, widget: Widget) -> Region:
        """Where `widget` stands in all that this body holds, whatever is in sight."""
        place = widget.virtual_region
        for node in widget.ancestors:
            if node is self:
                break
            if isinstance(node, Widget):
                place = place.translate(node.virtual_region.offset)
        return place

    def bring(self, place: Region) -> None:
        """Scroll to where `place` and the line below it are in sight, and not a line further.

        So that what is seen follows from what is there and chosen, never from the way to it. Of a
        place that is higher than half the room its beginning will do.
        """
        height = min(place.height, self.size.height // 2)
        lowest = place.y + height + 1 - self.size.height
        y = max(0, min(place.y, lowest, self.max_scroll_y))
        self.scroll_to(y=y, animate=False, immediate=True, force=True)


class FramedScreen(Screen[None]):
    """Head, body, notice and foot; a subclass fills them in `show`."""

    DEFAULT_CSS = """
    FramedScreen {
        layout: vertical;
        #body { height: 1fr; padding: 0 2; scrollbar-size: 0 0; }
        #notice { height: auto; padding: 0 2; display: none; }
        &.-short #body { padding: 0 1; }
        &.-short #notice { padding: 0 1; max-height: 3; overflow: hidden; }
        Input, SecretField, Picker { height: 1; padding: 0; border: none;
            border-left: ascii $foreground; margin-left: 1; padding-left: 1; }
        Input:focus { border: none; border-left: ascii $foreground; }
        Input:ansi > .input--selection {
            background: ansi_default; color: ansi_default; text-style: reverse; }
    }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - Textual declares it so
    DEFAULT_CLASSES = "-tall"  # as most are; a class that comes with the size has all styled anew
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "app.focus_next", show=False),
        Binding("shift+tab,up", "app.focus_previous", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("enter", "go_on", show=False),
        Binding("escape", "go_back", show=False),
        Binding("f1,question_mark", "help", show=False),
        Binding("f2", "remedy", show=False),
        Binding("f3", "language", show=False),
        Binding("f8", "report", show=False),
        Binding("f9", "doctor", show=False),
        Binding("f10,ctrl+q", "leave", show=False),
    ]
    # A focus change moves a cursor, nothing else: Textual's own repaints the whole screen.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    _seen: tuple[Region, Size, Size] | None = None  # what the body was scrolled for
    AUTO_FOCUS = ""  # a step gives the focus where it may be; a hidden field must never have it

    @property
    def shell(self) -> Shell:
        return cast("Shell", self.app)

    @property
    def words(self) -> Words:
        return self.shell.words

    def compose(self) -> ComposeResult:
        yield Head()
        with Body(id="body"):
            yield from self.body()
        yield Prose(id="notice")
        yield Foot()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

    async def on_event(self, event: events.Event) -> None:
        """A screen that was left before it was composed has nothing to fill, fit or focus.

        A size that has passed is not laid out any more: Textual answers each with a layout and a
        new event of the same size, so two that are on their way would follow each other for ever.
        """
        if isinstance(event, events.Resize) and event.size != self.app.size:
            return
        if self._whole or not isinstance(event, (events.Mount, events.Resize, events.Timer)):
            await super().on_event(event)

    @property
    def _whole(self) -> bool:
        return bool(self.children) and self.display  # not displayed: on its way out

    @property
    def ready(self) -> bool:
        """False before the screen is composed, and again on its way out."""
        return self.is_mounted and self._whole

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A quick key can come before, or after, there is anything here that it could act on."""
        return self.ready

    def on_mount(self) -> None:
        """Textual calls it after a subclass's own, which must not call it too."""
        self.screen_layout_refresh_signal.subscribe(self, self._settle, immediate=True)
        self.show()

    def show(self) -> None:
        """Fill every text from the present state and language; called after each change."""
        raise TypeError("a framed screen fills its own texts")

    def frame(
        self, title: str, keys: Sequence[Key], names: tuple[str, ...] = (), at: int | None = None
    ) -> None:
        """Fill head and foot."""
        self._keys = tuple(key for key in keys if key[0] != "F3" or self.shell.bilingual)
        self.query_one(Head).show(title, names, at, self.shell.rule)
        self._show_keys()
        self.call_after_refresh(self._settle)

    def notice(self, text: Content | None) -> None:
        """Show `text` between body and foot, or nothing."""
        panel = self.query_one("#notice", Prose)
        panel.display = text is not None
        panel.update(text or "")

    def _show_keys(self) -> None:
        """The keys of this screen, and Page Down where there is more than the body can show."""
        more = self.query_one("#body").max_scroll_y > 0
        first = 1 if self._keys and self._keys[0][0] == "Enter" else 0
        paging = (("PgUp/PgDn", self.words(N_("Scroll"))),) if more else ()
        keys = (*self._keys[:first], *paging, *self._keys[first:])
        self.query_one(Foot).show(keys, self.shell.rule)

    def _settle(self, _screen: Screen[object] | None = None) -> None:
        """After each layout: keep what is chosen in sight, however low the terminal is."""
        if not self.ready:
            return  # the screen was left meanwhile
        self._show_chosen()
        self._show_keys()

    def _show_chosen(self) -> None:
        """Scroll when the chosen field or line, or the room for it, is another than before."""
        body = self.query_one(Body)
        if self.focused is None or body not in self.focused.ancestors:
            return
        chosen = self.focused.parent if isinstance(self.focused.parent, FieldLine) else self.focused
        place = body.place_of(chosen)
        if isinstance(chosen, Menu):
            place = chosen.marked.translate(place.offset)
        seen = (place, body.size, body.virtual_size)
        if seen != self._seen:  # else the person has turned pages meanwhile
            self._seen = seen
            body.bring(place)

    def set_focus(
        self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False
    ) -> None:
        """Textual's own scrolling depends on when it comes, before or after a layout."""
        super().set_focus(widget, scroll_visible=False, from_app_focus=from_app_focus)
        self._settle()

    def on_resize(self) -> None:
        short = self.size.height < 16
        self.query_one(Head).set_class(short, "-short")
        self.query_one(Foot).set_class(short, "-short")

    def action_page(self, direction: int) -> None:
        body = self.query_one("#body", VerticalScroll)
        body.scroll_relative(
            y=direction * max(1, body.size.height - 1), animate=False, immediate=True
        )

    def action_go_on(self) -> None:
        self.post_message(Continued())

    def action_go_back(self) -> None:
        self.post_message(BackWanted())

    def action_help(self) -> None:
        self.shell.show_help()

    def action_remedy(self) -> None:
        self.shell.show_remedy()

    def action_report(self) -> None:
        self.shell.show_report()

    def action_doctor(self) -> None:
        self.shell.show_doctor()

    def action_language(self) -> None:
        self.post_message(LanguageWanted())

    def action_leave(self) -> None:
        self.post_message(QuitWanted())
