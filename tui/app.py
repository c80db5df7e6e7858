"""The full-screen program: Textual's side of the wizard."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.color import ColorSystem
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import Reactive

from screens import messages
from screens.frame import FramedScreen
from screens.language import Language, Words
from screens.shell import Action
from screens.steps.step_screen import StepScreen
from screens.steps.welcome import WelcomeScreen
from screens.wizard import Failure, Step, Wizard, step_to_check
from tui.engine import Engine
from tui.event_log import EventLog
from tui.examination import Examination
from tui.painter import Painter
from tui.policy import STANDARD, Policy
from tui.terminal import end_cleanly

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.driver import Driver
    from textual.screen import Screen

    from screens.findings import Finding
    from screens.jobs import Backends
    from screens.troubleshooting.catalogue import Condition
    from screens.troubleshooting.remedy import RemedyWords
    from screens.troubleshooting.situation import Situation
    from tui.conductor import Conductor
    from tui.examination import Found

EXIT_DONE = 0
EXIT_CANCELLED = 4
EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h


class Call(Message):
    """Something to do on the event loop, from a worker thread."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        super().__init__()


class WizardApp(App[int], inherit_bindings=False):
    """Shows the engine's state, and hands it what people do."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+l", "redraw", show=False)]
    theme: Reactive[str] = Reactive("ansi-dark")  # set later, it would have all styles read anew

    def __init__(
        self,
        backends: Backends,
        language: Language = Language.ZH,
        *,
        ascii_lines: bool = False,
        hint: str = "",
        notes: tuple[str, ...] = (),
        bilingual: bool = True,
        policy: Policy = STANDARD,
        conductor: Conductor | None = None,
        first: Callable[[], Screen[None]] = WelcomeScreen,
    ) -> None:
        """`conductor` stands in for the engine, and `first` makes another first screen."""
        super().__init__()
        self.words = Words(language)
        self.hint = hint
        self.notes = notes
        self.bilingual = bilingual
        self.rule = "-" if ascii_lines else "─"
        self.policy = policy
        if policy.turn is not None:
            policy.turn.attach(self)
        self.unexpected: str | None = None  # the type of the exception that ended the program
        self._disable_tooltips = self._disable_notifications = True  # two widgets on each screen
        self._painter = Painter(ascii_only=not bilingual)
        self._history = EventLog()
        self._examination = Examination(backends, self._post, self._history)
        self._first = first
        self.engine: Conductor = conductor or Engine(
            backends, self._post, self._changed, self._history, ask_rights=self._ask_rights
        )

    @property
    def wizard(self) -> Wizard:
        return self.engine.wizard

    @property
    def kiosk(self) -> bool:
        return self.policy.kiosk

    @property
    def actions(self) -> frozenset[Action]:
        return self.policy.actions

    def get_driver_class(self) -> type[Driver]:
        if sys.platform == "win32":
            return super().get_driver_class()
        from tui.driver import SleepingDriver

        return SleepingDriver

    def get_default_screen(self) -> Screen[None]:
        """The first screen at once: a default one below it would cost a tenth of the start."""
        screen = self._first()
        screen._push_result_callback(self, None)  # as a pushed screen has one, to be switched away
        return screen

    def on_mount(self) -> None:
        if not self.is_headless:
            end_cleanly(self)
        if self.policy.turn is not None:
            self.policy.turn.begin()
        self.call_after_refresh(self._warm_up)

    def _warm_up(self) -> None:
        """Behind the first screen: what the next steps, and a failure's support code, need."""
        gc.collect()
        gc.freeze()  # what is loaded by now stays for good
        gc.enable()
        self.engine.warm_up()
        self._examination.look_around()

    async def on_event(self, event: events.Event) -> None:
        if self.policy.turn is not None and self.policy.turn.takes(event):
            return
        await super().on_event(event)
        # Of sizes that follow each other quickly some are never painted, or never told; yet the
        # terminal may have lost its lines to them.
        if isinstance(event, events.Resize) and self._painter.painted:
            self.action_redraw()

    def copy_to_clipboard(self, text: str) -> None:
        """A kiosk keeps nothing for the next person, here or (OSC 52) in the terminal."""
        if not self.kiosk:
            super().copy_to_clipboard(text)

    def on_unmount(self) -> None:
        self.engine.end()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send what the terminal does not show yet; anything but an update is Textual's own."""
        driver = self._driver
        if not isinstance(renderable, CompositorUpdate) or driver is None or self.is_headless:
            super()._display(screen, renderable)
        elif not self._batch_count and self._running and not self._closed:
            colours = self.console._color_system or ColorSystem.STANDARD
            if painted := self._painter.paint(renderable, self.size, colours):
                x, y = self.screen.outer_size.clamp_offset(self.cursor_position)
                self._begin_update()
                driver.write(f"{painted}\x1b[{y + 1};{x + 1}H")
                self._end_update()
                driver.flush()
            self.post_display_hook()

    def action_redraw(self) -> None:
        """Send the whole screen anew: something else may have written over it."""
        self._painter.forget()
        self.screen.refresh(layout=True)

    def exit(
        self,
        result: int | None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        if self.policy.turn is not None:
            self.policy.turn.over(return_code)
        super().exit(result, return_code, message)

    def _handle_exception(self, error: Exception) -> None:
        """End calmly: Textual's own crash screen prints local variables, a PIN's among them."""
        self.unexpected = type(error).__name__
        super()._handle_exception(error)
        self._return_code = EXIT_UNEXPECTED

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def _post(self, call: Callable[[], None]) -> None:
        self.post_message(Call(call))

    def on_call(self, event: Call) -> None:
        event.call()

    # --- showing ----------------------------------------------------------------------------------

    def _changed(self, old: Wizard, new: Wizard) -> None:
        if self.return_code is not None:  # the screens are on their way out already
            return
        if self.policy.turn is not None and self.policy.turn.changed(old, new):
            return
        if new.step is old.step:
            self._show()
            return
        while len(self.screen_stack) > 1:  # help or a remedy stood over the step before
            self.pop_screen()
        self.switch_screen(step_screen(new.step))
        self.call_after_refresh(self._load_next)

    def _load_next(self) -> None:
        """Behind the present screen, so that the next one comes the sooner."""
        gc.collect()  # the screen that was left; what comes next takes its memory
        steps = self.wizard.steps
        if self.wizard.step in steps[:-1]:
            step_class(steps[steps.index(self.wizard.step) + 1])

    def _show(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, FramedScreen) and screen.ready:
                screen.show()

    def remedy_of(self, failure: Failure) -> RemedyWords:
        from screens.troubleshooting.remedy import words_for

        return words_for(failure.code, failure.facts, self.words, self.conditions())

    @property
    def situation(self) -> Situation:
        from screens.troubleshooting.situation import Situation

        return Situation(self.wizard, self._examination.attachment(self.wizard.slots))

    def support_code(self, failure: Failure) -> str:
        from screens.troubleshooting.situation import support_code

        return support_code(failure, self.situation, self.words.language)

    def conditions(self) -> frozenset[Condition]:
        from screens.troubleshooting.situation import conditions

        return conditions(self.situation)

    def examine(self, found: Found) -> None:
        self._examination.start(found)

    def report(self, findings: tuple[Finding, ...]) -> str:
        failure = self.wizard.failure
        code = self.support_code(failure) if failure else None
        return self._examination.report(findings, code, self.words)

    def save_report(self, text: str) -> str:
        return self._examination.save(text)

    def _ask_rights(self, command: tuple[str, ...]) -> bool:
        """Hand the terminal to what asks for an administrator's password; True when it got it."""
        if self.kiosk:
            return False
        import subprocess

        from textual.app import SuspendNotSupported

        try:
            with self.suspend():
                return subprocess.run(command, check=False).returncode == 0
        except (SuspendNotSupported, OSError):
            return False

    def show_help(self) -> None:
        from screens.help import HelpScreen

        if isinstance(self.screen, StepScreen):
            self.push_screen(HelpScreen(self.wizard.step, self.screen.HELP_LINES))

    def show_remedy(self) -> None:
        from screens.troubleshooting.remedy_screen import RemedyScreen

        failure = self.wizard.failure
        if failure is not None and isinstance(self.screen, StepScreen):
            link = self.remedy_of(failure).link
            self.push_screen(
                RemedyScreen(
                    lambda: self.remedy_of(failure),
                    partial(self.engine.check_again, link),
                    support_code=self.support_code(failure),
                    step=step_to_check(self.wizard, link),
                )
            )

    def show_report(self) -> None:
        if self.kiosk:
            return
        from screens.doctor_screen import ReportScreen

        self.push_screen(ReportScreen())

    def show_doctor(self) -> None:
        if self.kiosk:
            return
        from screens.doctor_screen import DoctorScreen

        self.push_screen(DoctorScreen())

    def leave(self) -> None:
        self.exit(return_code=EXIT_DONE if self.wizard.receipt is not None else EXIT_CANCELLED)

    # --- what people do ---------------------------------------------------------------------------

    def on_started(self, event: messages.Started) -> None:
        if Action(event.purpose) in self.policy.actions:
            self.engine.start(event.purpose)

    def on_continued(self) -> None:
        self.engine.go_on()

    def on_component_wanted(self) -> None:
        self.engine.get_component()

    def on_check_wanted(self) -> None:
        self.engine.check_again(Step.COMPONENTS)

    def on_back_wanted(self) -> None:
        self.engine.back()

    def on_reader_chosen(self, event: messages.ReaderChosen) -> None:
        self.engine.choose_reader(event.reader)

    def on_card_confirmed(self, event: messages.CardConfirmed) -> None:
        self.engine.confirm_card(event.account)

    def on_last_try_confirmed(self) -> None:
        self.engine.confirm_last_try()

    def on_secret_entered(self, event: messages.SecretEntered) -> None:
        with event.secret.wiped_on_error():  # a defect's frames would keep it
            self.engine.secret(event.secret)

    def on_pad_wanted(self) -> None:
        self.engine.enter_on_pad()

    def on_other_keys_wanted(self) -> None:
        self.engine.change_keys()

    def on_form_left(self, event: messages.FormLeft) -> None:
        self.engine.keep_draft(event.fields)

    def on_form_submitted(self, event: messages.FormSubmitted) -> None:
        self.engine.submit(event.fields)

    def on_language_wanted(self) -> None:
        if self.bilingual:
            self.words = Words(self.words.language.other)
            self._show()

    def on_troubleshooting_wanted(self) -> None:
        from screens.troubleshooting.search_screen import SearchScreen

        if Action.TROUBLESHOOTING in self.actions:
            self.push_screen(SearchScreen())

    def on_quit_wanted(self) -> None:
        from screens.help import LeaveScreen

        idle = self.kiosk and self.wizard.step is Step.WELCOME
        if idle or isinstance(self.screen, LeaveScreen):
            return
        if self.wizard.step in {Step.WELCOME, Step.RECEIPT}:
            self.leave()
        else:
            self.push_screen(LeaveScreen(self.wizard.undecided))


def step_screen(step: Step) -> StepScreen:
    return step_class(step)()


def step_class(step: Step) -> type[StepScreen]:
    """The screen of a step; its module is loaded when it is first asked for."""
    from importlib import import_module

    module = import_module(f"screens.steps.{step.value.replace('-', '_')}")
    name = "".join(part.capitalize() for part in step.value.split("-")) + "Screen"
    screen: type[StepScreen] = getattr(module, name)
    return screen
