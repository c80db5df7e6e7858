"""`hca-bind guide`: the real program on invented states, for the person who answers the phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from screens import moves
from screens.guide.guide_screen import GuideScreen
from screens.guide.states import signed_in, state
from screens.language import Language
from screens.wizard import Step, Wizard
from tui.app import WizardApp, step_screen

if TYPE_CHECKING:
    from card.pin import Pin
    from client.purpose import Purpose
    from screens.jobs import Backends


class Guide:
    """In the engine's place: nothing runs, nothing is sent; every key leads to the next screen."""

    def __init__(self, replace: Callable[[Step], None], close: Callable[[], None]) -> None:
        """`replace` shows another step's screen in place of the present one's."""
        self.wizard = Wizard()
        self._replace = replace
        self._close = close

    def show(self, wizard: Wizard) -> None:
        """Stand where `wizard` stands."""
        self.wizard = wizard

    def _next(self) -> None:
        now = self.wizard
        if now.failure is not None or now.step is now.steps[-1]:
            self._close()
            return
        at = now.steps.index(now.step) + 1 if now.step in now.steps else 0
        self._stand(state(now.steps[at], now.purpose))

    def _stand(self, wizard: Wizard) -> None:
        self.wizard = wizard
        self._replace(wizard.step)

    def warm_up(self) -> None:
        """Nothing is to come."""

    def watch_readers(self) -> None:
        """There are none."""

    def start(self, purpose: Purpose) -> None:
        self._stand(state(Step.COMPONENTS, purpose))

    def go_on(self) -> None:
        self._next()

    def back(self) -> None:
        self._close()

    def check_again(self, step: Step | None) -> None:  # noqa: ARG002 - there is nothing to look at
        self._close()

    def get_component(self) -> None:
        self._next()

    def choose_reader(self, reader: str) -> None:  # noqa: ARG002 - there is only one
        self._next()

    def confirm_card(self, account: str) -> None:  # noqa: ARG002 - it is not kept
        self._next()

    def confirm_last_try(self) -> None:
        self._next()

    def change_keys(self) -> None:
        self._stand(moves.change_keys(self.wizard))

    def enter_on_pad(self) -> None:
        self._next()

    def secret(self, secret: Pin) -> None:
        """Whatever was typed is wiped at once."""
        secret.wipe()
        if self.wizard.step is Step.SIGN_IN and self.wizard.session is None:
            self._stand(signed_in(self.wizard))
        else:
            self._next()

    def keep_draft(self, fields: Mapping[str, str]) -> None:
        """Nothing is typed in the guide."""

    def submit(self, fields: Mapping[str, str | bytearray]) -> None:
        """Whatever was typed is wiped at once."""
        for value in fields.values():
            if isinstance(value, bytearray):
                value[:] = bytes(len(value))
        self._next()

    def end(self) -> None:
        """Nothing runs."""


def guide(backends: Backends, language: Language, *, ascii_lines: bool = False) -> WizardApp:
    """The program with the guide on its first screen; `backends` are for the doctor."""

    def replace(step: Step) -> None:
        app.switch_screen(step_screen(step))

    def close() -> None:
        player.show(Wizard())
        app.pop_screen()

    def show_user(wizard: Wizard) -> None:
        player.show(wizard)
        app.push_screen(step_screen(wizard.step))

    player = Guide(replace, close)
    app = WizardApp(
        backends,
        language,
        ascii_lines=ascii_lines,
        conductor=player,
        first=lambda: GuideScreen(show_user),
    )
    return app
