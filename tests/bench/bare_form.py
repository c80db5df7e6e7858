"""A form of Textual's own fields, as they come: the reference for a digit and a Tab."""

from textual.app import App, ComposeResult
from textual.widgets import Input, Label


class BareForm(App[None]):
    def compose(self) -> ComposeResult:
        yield Label("bare form")
        yield Input(password=True)
        yield Input()
        yield Input()


BareForm().run()
