"""The doctor as a screen: its findings as they come, and below each failure what to do."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from screens.findings import Finding, Outcome, Topic, explained, headline, verdict
from screens.frame import FramedScreen
from screens.language import N_
from screens.prose import Prose


class DoctorScreen(FramedScreen):
    """Looks when it opens, and again with Enter. It asks nothing and opens no card."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f9,q", "close", show=False),
        Binding("enter", "look", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._findings: tuple[Finding, ...] = ()

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_look()

    @property
    def _looking(self) -> bool:
        return len(self._findings) < len(Topic)

    def show(self) -> None:
        _ = self.words
        again = [] if self._looking else [("Enter", _("Check again"))]
        keys = [*again, ("F8", _("Report")), ("Esc", _("Close")), ("F3", _("中文"))]
        self.frame(_("Is everything in order?"), keys)
        parts: list[Content] = []
        for finding, remedy in explained(self._findings, _):
            good = finding.outcome is Outcome.OK
            parts.append(Content.styled(headline(finding, _), "" if good else "bold"))
            parts += [Content(f"   {line}") for line in remedy]
        text = _("Looking …") if self._looking else verdict(self._findings, _)
        parts.insert(0, Content.styled(f"{text}\n", "bold"))
        self.query_one("#text", Prose).update(Content("\n").join(parts))

    def action_look(self) -> None:
        self._findings = ()
        self.shell.examine(self._found)
        self.show()

    def _found(self, findings: tuple[Finding, ...]) -> None:
        self._findings = findings
        if self.ready:  # a quick Esc can come between a finding and its being shown
            self.show()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_line(self, by: int) -> None:
        self.query_one("#body").scroll_relative(y=by, animate=False)

    def action_doctor(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        """Nothing: this screen is the help."""

    def action_remedy(self) -> None:
        """Nothing: the remedies stand below the findings."""


class ReportScreen(FramedScreen):
    """The whole report, to be read before Enter saves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f8,q", "close", show=False),
        Binding("enter", "save", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._findings: tuple[Finding, ...] = ()
        self._text = ""
        self._saved: str | None = None  # the file, or what was wrong with it

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def on_mount(self) -> None:
        super().on_mount()
        self.shell.examine(self._found)

    def show(self) -> None:
        _ = self.words
        ready = len(self._findings) == len(Topic)
        keys = [("Enter", _("Save"))] if ready and self._saved is None else []
        self.frame(_("Report for support"), [*keys, ("Esc", _("Close")), ("F3", _("中文"))])
        if not ready:
            number = f"{len(self._findings)}/{len(Topic)}"
            self.query_one("#text", Prose).update(_("Looking …") + f" {number}")
            return
        if self._saved is None:
            self._text = self.shell.report(self._findings)
        intro = _(
            "This is everything that will be saved: no PIN, no name, no account. Enter saves it."
        )
        self.query_one("#text", Prose).update(f"{self._saved or intro}\n\n{self._text}")

    def _found(self, findings: tuple[Finding, ...]) -> None:
        self._findings = findings
        if self.ready:  # a quick Esc can come between a finding and its being shown
            self.show()

    def action_save(self) -> None:
        from screens.wizard import failure_of

        if not self._text or self._saved is not None:
            return
        try:
            self._saved = self.words(N_("Saved: {path}"), path=self.shell.save_report(self._text))
        except Exception as error:  # noqa: BLE001 - told like any other failure
            self._saved = f"!! {self.shell.remedy_of(failure_of(error)).title}"
        self.show()
        self.query_one("#body").scroll_home(animate=False)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_line(self, by: int) -> None:
        self.query_one("#body").scroll_relative(y=by, animate=False)

    def action_report(self) -> None:
        self.dismiss(None)

    def action_doctor(self) -> None:
        """Nothing: its findings are part of the report."""

    def action_help(self) -> None:
        """Nothing: one thing at a time."""

    def action_remedy(self) -> None:
        """Nothing: one thing at a time."""
