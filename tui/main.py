"""The command `hca-bind`: which of its forms was asked for, and its exit status."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from card.private_process import keep_private
from screens.language import Language
from tui.arguments import LANGUAGES, parser
from tui.terminal import (
    CONSOLE_NOTE,
    bare_console,
    full_screen_possible,
    prepare_environment,
)

if TYPE_CHECKING:
    from card.port import PadUse, Tracer
    from screens.jobs import Backends
    from screens.troubleshooting.situation import Situation
    from tui.app import WizardApp
    from tui.backends import SupplyOptions
    from tui.reporter import Reporter


def main() -> None:
    """Run what the command line asks for and exit with its status."""
    keep_private()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a library's remark on a card is no message for people
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of one command line: 0 to 4 (see `tui.exit_status`), 70 for a defect."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return 4
    except Exception as error:  # noqa: BLE001 - people get the catalogue's words, never a traceback
        return _failed(options, error)


# --- the commands --------------------------------------------------------------------------------


def _wizard(options: argparse.Namespace) -> int:
    prepare_environment()
    _fit()
    from tui.backends import RealBackends

    backends = RealBackends(
        options.service, options.ca, _tracer(options), _supply(options), _pads(options)
    )
    return _full_screen(_app(backends, options))


def _demo(options: argparse.Namespace) -> int:
    from tui.scenarios import SCENARIOS

    if options.scenario == "list":
        words = _reporter(options).words
        for name, scenario in SCENARIOS.items():
            sys.stdout.write(f"{name:22} {words(scenario.about)}\n")
        return 0
    if options.scenario not in SCENARIOS:
        from tui.errors import ScenarioUnknown

        raise ScenarioUnknown(options.scenario)
    prepare_environment()
    if options.autopilot is None:
        _fit()
    from tui.demo import DemoBackends

    backends = DemoBackends(SCENARIOS[options.scenario], _tracer(options))
    try:
        if options.autopilot is not None:
            from tui.autopilot import autopilot

            return autopilot(options.autopilot, backends, _language(options))
        return _full_screen(_app(backends, options, hint=backends.pin))
    finally:
        backends.close()


def _verify(options: argparse.Namespace) -> int:
    from client.purpose import Purpose

    return _line_mode(options, Purpose.SIGN_IN)


def _bind(options: argparse.Namespace) -> int:
    from client.purpose import Purpose

    return _line_mode(options, Purpose(options.purpose))


def _components(options: argparse.Namespace) -> int:
    from tui.backends import RealBackends
    from tui.component_report import report

    backends = RealBackends(options.service, options.ca, supply=_supply(options))
    return report(
        backends.equipment(),
        _reporter(options).words,
        as_json=options.json,
        get=options.get,
        install=options.install,
    )


def _readers(options: argparse.Namespace) -> int:
    from tui.backends import RealBackends
    from tui.readers import list_readers

    return list_readers(RealBackends(pads=_pads(options)), _reporter(options))


def _virtual_card(options: argparse.Namespace) -> int:
    from card.virtual import vpcd
    from card.virtual.profile import Profile

    host, port = options.vpcd
    path = Path(options.profile)
    profile = Profile.load(path) if path.exists() else Profile.named(options.profile)
    vpcd.run(host, port, profile, options.authority, options.responder)
    return 0


def _sandbox(options: argparse.Namespace) -> int:
    from client.port import Revocation
    from client.sandbox import server
    from client.sandbox.faults import Fault

    account = None
    if options.account is not None and options.password_fd is not None:
        from tui.prompt import read_secret

        with read_secret(options.password_fd).spend() as password:
            account = (options.account, bytes(password))
    faults = {fault for fault in Fault if fault in options.fault}
    server.run(
        options.port,
        options.data,
        options.card_ca,
        faults,
        account,
        revocation=Revocation(options.revocation),
        responder_port=options.responder,
    )
    return 0


def _passthrough(options: argparse.Namespace) -> int:
    from tui.output import say
    from tui.passthrough import host, script

    if options.what == "script":
        sys.stdout.write(script())
        return 0
    return host.report(_reporter(options).words, say, options.sshd_config)


def _support(options: argparse.Namespace) -> int:
    from tui import support
    from tui.backends import RealBackends

    def backends() -> Backends:
        return RealBackends(options.service, options.ca)

    return support.COMMANDS[options.command](options, _reporter(options).words, backends)


def _guide(options: argparse.Namespace) -> int:
    prepare_environment()
    _fit()
    from tui.backends import RealBackends
    from tui.exit_status import CANCELLED
    from tui.guide import guide

    backends = RealBackends(options.service, options.ca)
    status = _full_screen(guide(backends, _language(options), ascii_lines=bare_console()))
    return 0 if status == CANCELLED else status  # leaving it is no cancelled procedure


def _kiosk(options: argparse.Namespace) -> int:
    from tui.kiosk import run
    from tui.kiosk.settings import EXAMPLE
    from tui.output import say

    match options.what:
        case "settings":
            sys.stdout.write(EXAMPLE)
            return 0
        case "password":
            return run.password(_reporter(options).words, say)
        case "install":
            return run.install(_reporter(options).words, say, options.settings)
        case _:
            return run.kiosk(options.settings)


COMMANDS = {
    "wizard": _wizard,
    "demo": _demo,
    "verify": _verify,
    "bind": _bind,
    "components": _components,
    "readers": _readers,
    "virtual-card": _virtual_card,
    "sandbox": _sandbox,
    "passthrough": _passthrough,
    "explain": _support,
    "decode": _support,
    "doctor": _support,
    "report": _support,
    "guide": _guide,
    "kiosk": _kiosk,
}


def _failed(options: argparse.Namespace, error: Exception) -> int:
    from screens.wizard import failure_of
    from tui.exit_status import status_of

    failure = failure_of(error)
    situation: Situation | None = getattr(options, "situation", None)
    _reporter(options).error(failure.code, failure.facts, situation)
    return status_of(failure.code)


# --- what they share -----------------------------------------------------------------------------


def _language(options: argparse.Namespace) -> Language:
    """As asked for; else Chinese, but English where the console has no Chinese glyphs."""
    if options.lang:
        return LANGUAGES[options.lang]
    return Language.EN if bare_console() else Language.ZH


def _supply(options: argparse.Namespace) -> SupplyOptions:
    from tui.backends import SupplyOptions

    return SupplyOptions(options.components, tuple(options.component_key or ()))


def _pads(options: argparse.Namespace) -> PadUse | None:
    if options.pin_pad is None:
        return None
    from card.port import PadUse

    return PadUse(options.pin_pad)


def _fit() -> None:
    if not full_screen_possible():
        from tui.errors import TerminalUnfit

        raise TerminalUnfit


def _tracer(options: argparse.Namespace) -> Tracer | None:
    if options.trace is None:
        return None
    from tui.errors import FileUnusable
    from tui.trace import trace_to

    try:
        return trace_to(options.trace)
    except OSError as error:
        raise FileUnusable(str(options.trace)) from error


def _app(backends: Backends, options: argparse.Namespace, hint: str = "") -> WizardApp:
    from tui.app import WizardApp

    language, bare = _language(options), bare_console()
    unreadable = bare and language is Language.EN
    return WizardApp(
        backends,
        language,
        ascii_lines=bare,
        hint=hint,
        notes=(CONSOLE_NOTE,) if unreadable else (),
        bilingual=not unreadable,
    )


def _full_screen(app: WizardApp) -> int:
    """Run the wizard; a defect ends with a calm sentence, never with a traceback."""
    app.run(mouse=False)
    if app.unexpected is not None:
        from tui.reporter import Reporter

        facts = {"kind": app.unexpected}
        Reporter(app.words, as_json=False).error("app.unexpected", facts, app.situation)
    return app.return_code or 0


def _reporter(options: argparse.Namespace) -> Reporter:
    from screens.language import Words
    from tui.reporter import Reporter

    return Reporter(Words(_language(options)), getattr(options, "json", False))


def _line_mode(options: argparse.Namespace, purpose: str) -> int:
    import tomllib

    from client.purpose import Purpose
    from tui.backends import RealBackends
    from tui.errors import FileUnusable
    from tui.line import Answers, LineMode

    form: dict[str, object] = {}
    if path := getattr(options, "form", None):
        try:
            form = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
            raise FileUnusable(str(path)) from error
    answers = Answers(
        reader=options.reader,
        account=getattr(options, "account", None),
        form=form,
        pin_fd=options.pin_fd,
        password_fd=getattr(options, "password_fd", None),
        confirm_last_try=options.confirm_last_try,
    )
    backends = RealBackends(options.service, options.ca, _tracer(options), pads=_pads(options))
    mode = LineMode(backends, _reporter(options), answers)
    try:
        return mode.run(Purpose(purpose))
    finally:
        options.situation = mode.situation  # a failure's support code tells of it
