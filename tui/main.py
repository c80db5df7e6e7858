"""The command `hca-bind`: which of its forms was asked for, and its exit status."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from screens.language import Language
from tui.terminal import (
    accept_any_bytes,
    bare_console,
    full_screen_possible,
    prepare_environment,
)

if TYPE_CHECKING:
    from card.port import Tracer
    from screens.jobs import Backends
    from tui.app import WizardApp
    from tui.line import Reporter

LANGUAGES = {"zh": Language.ZH, "en": Language.EN}


def main() -> None:
    """Run what the command line asks for and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of one command line: 0 to 4 (see `tui.line`), 70 for a defect."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return 4
    except Exception as error:  # noqa: BLE001 - people get the catalogue's words, never a traceback
        return _failed(options, error)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--lang", choices=LANGUAGES, help="zh (default) or en")
    service = argparse.ArgumentParser(add_help=False)
    service.add_argument("--service", metavar="URL", help="https:// address of the service")
    service.add_argument("--ca", type=Path, metavar="FILE", help="trust this PEM file only")
    service.add_argument("--trace", type=Path, metavar="FILE", help="redacted APDU trace")
    lines = argparse.ArgumentParser(add_help=False)
    lines.add_argument("--reader", metavar="NAME", help="use this reader")
    lines.add_argument("--pin-fd", type=int, metavar="N", help="read the PIN from descriptor N")
    lines.add_argument("--json", action="store_true", help="one JSON object per line")
    lines.add_argument(
        "--confirm-last-try", action="store_true", help="use the card's last try without asking"
    )

    top = argparse.ArgumentParser(
        prog="hca-bind",
        description="Bind a 醫事憑證 IC 卡 to a reporting-system account.",
        parents=[common, service],
    )
    top.set_defaults(command="wizard")
    commands = top.add_subparsers(metavar="COMMAND")

    def command(
        name: str, about: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about, parents=parents)
        sub.set_defaults(command=name)
        return sub

    demo = command("demo", "the wizard on the embedded card and service", common)
    demo.add_argument("--scenario", default="ok", metavar="NAME", help="`list` prints them")
    demo.add_argument("--autopilot", choices=("register", "rebind"), help="drive it by itself")
    demo.add_argument("--trace", type=Path, metavar="FILE", help="redacted APDU trace")

    command("verify", "prove that the card is yours, line by line", common, service, lines)
    bind = command("bind", "bind a card, line by line", common, service, lines)
    bind.add_argument("--purpose", choices=("register", "rebind"), required=True)
    bind.add_argument("--form", type=Path, metavar="FILE", help="the account fields as TOML")
    bind.add_argument("--account", metavar="NAME", help="rebind: the account's name")
    bind.add_argument("--password-fd", type=int, metavar="N", help="rebind: its password")

    card = command("virtual-card", "a test card in a reader of Debian's vsmartcard-vpcd", common)
    card.add_argument("--vpcd", required=True, type=_host_port, metavar="HOST:PORT")
    card.add_argument("--profile", default="ok", metavar="NAME|FILE", help="the card, as TOML")
    card.add_argument("--authority", type=Path, metavar="DIR", help="keep the test CA here")

    sandbox = command("sandbox", "a reporting service for trying things out", common)
    sandbox.add_argument("--port", type=int, default=8443, metavar="N")
    sandbox.add_argument("--data", type=Path, required=True, metavar="DIR")
    sandbox.add_argument("--card-ca", type=Path, metavar="FILE", help="CAs whose cards it accepts")
    sandbox.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="see demo --scenario list"
    )
    sandbox.add_argument("--account", metavar="NAME", help="make an account to sign in to")
    sandbox.add_argument("--password-fd", type=int, metavar="N", help="read its password there")

    far = command("passthrough", "the reader on a thin client, this program on a host", common)
    far.add_argument(
        "what", choices=("script", "host-setup"), help="the thin client's script; sshd's settings"
    )
    far.add_argument("--sshd-config", type=Path, metavar="FILE", help="check this file of sshd's")
    return top


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "localhost", int(port)


# --- the commands --------------------------------------------------------------------------------


def _wizard(options: argparse.Namespace) -> int:
    prepare_environment()
    _fit()
    from tui.backends import RealBackends

    backends = RealBackends(options.service, options.ca, _tracer(options))
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


def _virtual_card(options: argparse.Namespace) -> int:
    from card.virtual import vpcd
    from card.virtual.profile import Profile

    host, port = options.vpcd
    path = Path(options.profile)
    profile = Profile.load(path) if path.exists() else Profile.named(options.profile)
    vpcd.run(host, port, profile, options.authority)
    return 0


def _sandbox(options: argparse.Namespace) -> int:
    from client.sandbox import server
    from client.sandbox.faults import Fault

    account = None
    if options.account is not None and options.password_fd is not None:
        from tui.prompt import read_secret

        with read_secret(options.password_fd).spend() as password:
            account = (options.account, bytes(password))
    faults = {fault for fault in Fault if fault in options.fault}
    server.run(options.port, options.data, options.card_ca, faults, account)
    return 0


def _passthrough(options: argparse.Namespace) -> int:
    from tui.passthrough import host, script

    if options.what == "script":
        sys.stdout.write(script())
        return 0
    return host.report(_reporter(options).words, print, options.sshd_config)


COMMANDS = {
    "wizard": _wizard,
    "demo": _demo,
    "verify": _verify,
    "bind": _bind,
    "virtual-card": _virtual_card,
    "sandbox": _sandbox,
    "passthrough": _passthrough,
}


def _failed(options: argparse.Namespace, error: Exception) -> int:
    from screens.wizard import failure_of
    from tui.line import status_of

    failure = failure_of(error)
    _reporter(options).error(failure.code, failure.facts)
    return status_of(failure.code)


# --- what they share -----------------------------------------------------------------------------


def _language(options: argparse.Namespace) -> Language:
    """As asked for; else Chinese, but English where the console has no Chinese glyphs."""
    if options.lang:
        return LANGUAGES[options.lang]
    return Language.EN if bare_console() else Language.ZH


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

    return WizardApp(backends, _language(options), ascii_lines=bare_console(), hint=hint)


def _full_screen(app: WizardApp) -> int:
    """Run the wizard; a defect ends with a calm sentence, never with a traceback."""
    accept_any_bytes()
    app.run(mouse=False)
    if app.unexpected is not None:
        from tui.line import Reporter

        Reporter(app.words, as_json=False).error("app.unexpected", {"kind": app.unexpected})
    return app.return_code or 0


def _reporter(options: argparse.Namespace) -> Reporter:
    from screens.language import Words
    from tui.line import Reporter

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
    backends = RealBackends(options.service, options.ca, _tracer(options))
    return LineMode(backends, _reporter(options), answers).run(Purpose(purpose))
