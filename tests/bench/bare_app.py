"""The least that a Textual program can be: the reference for the wizard's first frame."""

from textual.app import App, ComposeResult
from textual.widgets import Label


class BareApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Label("bare")


BareApp().run()
