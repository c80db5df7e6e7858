"""What every step of the wizard shows: its place in the procedure, its keys, work and failures."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.timer import Timer

from client.purpose import Purpose
from screens.frame import FramedScreen, Key
from screens.language import N_
from screens.wizard import STEP_NAMES, Step, Wizard, Work, can_cancel, can_go_back

PURPOSE_NAMES = {
    Purpose.REGISTER: N_("new account"),
    Purpose.REBIND: N_("new card for an account"),
    Purpose.SIGN_IN: N_("check only"),
}
WORK_NAMES = {
    Work.CHECKING: N_("Checking this computer and the service …"),
    Work.DOWNLOADING: N_("Downloading. Esc stops it; it can go on from there later …"),
    Work.INSTALLING: N_("Installing. Please wait; this must not be interrupted …"),
    Work.READING: N_("Reading the card. Please leave it in the reader …"),
    Work.LOOKING_UP: N_("Asking whether the card's certificate was revoked …"),
    Work.PREPARING: N_("Getting ready: asking the service, and the card for the tries left …"),
    Work.ENTERING: N_("The reader waits for the PIN …"),
    Work.PROVING: N_("Verifying. Please leave the card in the reader …"),
    Work.REGISTERING: N_("Sending the new account …"),
    Work.SIGNING_IN: N_("Signing in …"),
    Work.BINDING: N_("Binding the new card …"),
}
COUNTDOWN = N_("The reader waits for the PIN: {left} s")
TICKS_PER_SECOND = 2
SECONDS_TOLD = 3  # work that takes longer says for how long it has run


class StepScreen(FramedScreen):
    """One step of the wizard. A subclass gives `fill` and, where it asks something, widgets."""

    HELP_LINES: ClassVar[tuple[str, ...]] = ()  # message ids, a paragraph each

    def __init__(self) -> None:
        super().__init__()
        self._ticking: Timer | None = None
        self._ticks = 0
        self._timed: Work | None = None

    @property
    def wizard(self) -> Wizard:
        return self.shell.wizard

    def fill(self, wizard: Wizard) -> None:
        """Put the state into this step's own widgets."""
        raise TypeError("a step fills its own texts")

    def enter_does(self, wizard: Wizard) -> str | None:
        """The message id of what Enter does now; None when it does nothing."""
        return N_("Continue")

    def show(self) -> None:
        _ = self.words
        wizard = self.wizard
        names = tuple(_(STEP_NAMES[step]) for step in wizard.steps)
        running = wizard.step in wizard.steps
        at = wizard.steps.index(wizard.step) if running else None
        title = _("Bind a health professional card")
        if running:
            title = _("{title}: {purpose}", title=title, purpose=_(PURPOSE_NAMES[wizard.purpose]))
        self.frame(title, self.keys(wizard), names, at)
        self.fill(wizard)
        self._tell_time(wizard.busy)
        self.notice(self._notice(wizard))

    def _tell_time(self, busy: Work | None) -> None:
        """While work runs, two small updates a second show that it does."""
        if busy is not self._timed:
            self._timed, self._ticks = busy, 0
        if busy is None and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None
        elif busy is not None and self._ticking is None:
            self._ticking = self.set_interval(1 / TICKS_PER_SECOND, self._tick)

    def _tick(self) -> None:
        self._ticks += 1
        self.notice(self._notice(self.wizard))

    def keys(self, wizard: Wizard) -> list[Key]:
        _ = self.words
        enter = self.enter_does(wizard)
        keys = [("Enter", _(enter))] if enter and wizard.busy is None else []
        if can_cancel(wizard):
            keys.append(("Esc", _("Cancel")))
        elif can_go_back(wizard):
            keys.append(("Esc", _("Back")))
        if wizard.failure is not None:
            keys.append(("F2", _("What to do")))
        if wizard.failure is not None and not self.shell.kiosk:
            keys.append(("F8", _("Report")))
        keys += [("F1", _("Help")), ("F3", _("中文"))]
        if not (self.shell.kiosk and wizard.step is Step.WELCOME):
            keys.append(("F10", _("Quit")))
        return keys

    def _notice(self, wizard: Wizard) -> Content | None:
        _ = self.words
        if wizard.busy is not None:
            return Content(self._under_way(wizard, wizard.busy))
        if wizard.failure is None:
            return None
        remedy = self.shell.remedy_of(wizard.failure)
        code = _("Support code: {code}", code=self.shell.support_code(wizard.failure))
        # On a low terminal the notice is cut, and the code is what support asks for first.
        below = (code, remedy.steps[0]) if self.size.height < 16 else (remedy.steps[0], code)
        return Content.assemble((f"!! {remedy.title}", "bold"), *(f"\n   {line}" for line in below))

    def _under_way(self, wizard: Wizard, busy: Work) -> str:
        """What runs, and for how long it has; of the reader's own wait, how long it still takes."""
        _ = self.words
        seconds = self._ticks // TICKS_PER_SECOND
        limit = wizard.card.pad.seconds if wizard.card and wizard.card.pad else None
        if busy is Work.ENTERING and limit is not None:
            # One number changes a second, and nothing else: a slow line has its bytes for that.
            return f"... {_(COUNTDOWN, left=f'{max(0, limit - seconds):2}')}"
        words = _(WORK_NAMES[busy])
        dots = "." * (self._ticks % 3 + 1)
        waited = f"  {seconds} s" if seconds >= SECONDS_TOLD else ""
        return f"{dots:3} {words}{waited}"
