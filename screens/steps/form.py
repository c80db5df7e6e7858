"""The account form, as the service describes it."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from client.port import FieldKind, FormField
from screens.consent import Consent
from screens.field_line import FieldLine
from screens.form_rules import COMPLAINTS, complaint_about, known
from screens.language import N_
from screens.messages import Continued, FormLeft, FormSubmitted
from screens.picker import Picker
from screens.prose import Prose
from screens.secret_field import SecretField
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard

LABELS = 24  # columns that labels get at most, and no more than two fifths of the screen


class FormScreen(StepScreen):
    """A field a line; Enter moves on, on the last one it sends."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("Tab or Enter goes to the next field, Shift+Tab to the one before."),
        N_("* marks what must be filled in. Ctrl+S sends the form from anywhere."),
        N_("If the line breaks while sending, Enter sends the same form again; it counts once."),
    )
    # Before the field sees them: what was typed ahead of a slow line then goes where it belongs,
    # and the first letter of a password not into the field above it.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", show=False),
        Binding("tab,down", "app.focus_next", show=False, priority=True),
        Binding("shift+tab,up", "app.focus_previous", show=False, priority=True),
        Binding("enter", "go_on", show=False, priority=True),
    ]
    DEFAULT_CSS = "FormScreen #fields { height: auto; }"

    def body(self) -> ComposeResult:
        yield Prose(id="intro")
        with Vertical(id="fields"):
            for index, field in enumerate(self._fields):
                widget = self._widget(f"field-{index}", field)
                if isinstance(widget, Consent):
                    yield widget
                else:
                    with FieldLine():
                        yield widget

    def _widget(self, id: str, field: FormField) -> Widget:
        match field.kind:
            case FieldKind.SECRET:
                return SecretField(id, password=True, submits=False)
            case FieldKind.CHOICE:
                return Picker(id)
            case FieldKind.CONSENT:
                return Consent(id)
            case _:
                return Input(id=id, max_length=field.max_length)

    @property
    def _fields(self) -> tuple[FormField, ...]:
        service = self.wizard.service
        return service.account_form if service else ()

    def on_mount(self) -> None:
        self._complaints: dict[str, str] = {}
        for index, field in enumerate(self._fields):
            self._restore(index, field)
        if self._fields and not self.wizard.undecided:
            self.set_focus(self.query_one("#field-0"))

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        undecided = wizard.undecided and wizard.busy is None
        self.query_one("#intro", Prose).update(
            (
                _(
                    "It is not known whether the form arrived. Press Enter to send the very same "
                    "one again; it will count once."
                )
                if undecided
                else _("Your account application. * must be filled in.")
            )
            + "\n"
        )
        self.query_one("#fields").display = not wizard.undecided
        for name in wizard.refused_fields:
            self._complaints.setdefault(name, "service")
        for index, field in enumerate(self._fields):
            if field.kind is FieldKind.CHOICE:
                self.query_one(f"#field-{index}", Picker).show(
                    [_.of(choice.label) for choice in field.choices]
                )
        self._label()

    def on_resize(self) -> None:
        self._label()

    def _label(self) -> None:
        """Labels and, below the fields, complaints and hints."""
        labels = [self._label_of(field) for field in self._fields]
        beside = [
            cell_len(label)
            for label, field in zip(labels, self._fields, strict=True)
            if field.kind is not FieldKind.CONSENT
        ]
        column = min(LABELS, self.size.width * 2 // 5, max(beside, default=0) + 1)
        for index, (label, field) in enumerate(zip(labels, self._fields, strict=True)):
            widget = self.query_one(f"#field-{index}")
            if isinstance(widget, Consent):
                widget.show(Content.assemble(label, "  ", self._note(field)))
            elif isinstance(widget.parent, FieldLine):
                widget.parent.show(Content(label), self._note(field), column)

    def _label_of(self, field: FormField) -> str:
        return f"{'*' if field.required else ' '} {self.words.of(field.label)}"

    def _note(self, field: FormField) -> Content:
        _ = self.words
        why = self._complaints.get(field.name)
        complaint = f"!! {_(COMPLAINTS[why])}  " if why else ""
        hint = _.of(field.hint) if field.hint is not None else ""
        return Content.assemble((complaint, "bold"), (hint, "dim"))

    def enter_does(self, wizard: Wizard) -> str | None:
        return N_("Send again") if wizard.undecided else N_("Next field")

    def keys(self, wizard: Wizard) -> list[tuple[str, str]]:
        keys = super().keys(wizard)
        if wizard.busy is None and not wizard.undecided:
            keys.insert(1, ("Ctrl+S", self.words(N_("Send"))))
        return keys

    def action_go_on(self) -> None:
        if self.wizard.undecided:
            self.post_message(Continued())
        else:
            self._next()

    def _next(self) -> None:
        focused = self.focused
        last = f"field-{len(self._fields) - 1}"
        if focused is not None and focused.id == last:
            self.action_submit()
        else:
            self.focus_next()

    def _restore(self, index: int, field: FormField) -> None:
        """What stood in a field before, or the card knows; secret and consent are given anew."""
        wizard = self.wizard
        kept = wizard.draft.get(field.name, known(field, wizard.verification))
        widget = self.query_one(f"#field-{index}")
        if isinstance(widget, Input):
            widget.cursor_blink = False
            widget.value = kept
        elif isinstance(widget, Picker):
            values = [choice.value for choice in field.choices]
            widget.index = values.index(kept) if kept in values else 0

    def _draft(self) -> dict[str, str]:
        given_anew = {FieldKind.SECRET, FieldKind.CONSENT}
        return {
            field.name: str(self._value(index, field))
            for index, field in enumerate(self._fields)
            if field.kind not in given_anew
        }

    def action_go_back(self) -> None:
        self.post_message(FormLeft(self._draft()))
        super().action_go_back()

    def _value(self, index: int, field: FormField) -> str | bytearray:
        """What is filled in; empty where nothing is. A secret's bytes are the caller's to wipe."""
        widget = self.query_one(f"#field-{index}")
        if isinstance(widget, SecretField):
            secret = bytearray()
            widget.copy_into(secret)
            return secret
        if isinstance(widget, Picker):
            return field.choices[widget.index].value
        if isinstance(widget, Consent):
            return "true" if widget.ticked else ""
        return self.query_one(f"#field-{index}", Input).value.strip()

    def action_submit(self) -> None:
        if self.wizard.busy is not None or self.wizard.undecided:
            return
        values = {field.name: self._value(index, field) for index, field in enumerate(self._fields)}
        found = ((field.name, complaint_about(field, values[field.name])) for field in self._fields)
        self._complaints = {name: why for name, why in found if why is not None}
        if not self._complaints:
            self.post_message(FormLeft(self._draft()))
            self.post_message(FormSubmitted({name: v for name, v in values.items() if v}))
            return
        for value in values.values():
            if isinstance(value, bytearray):
                value[:] = bytes(len(value))
        self.show()
        wrong = (i for i, field in enumerate(self._fields) if field.name in self._complaints)
        self.set_focus(self.query_one(f"#field-{next(wrong)}"))
