"""The command line of `hca-bind`: its commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from screens.language import Language

WIDEST = 400  # columns of a complaint about the command line
PADS = ("prefer", "only", "off")  # card.port.PadUse
LANGUAGES = {"zh": Language.ZH, "en": Language.EN}


class _Parser(argparse.ArgumentParser):
    """Its complaints quote the command line; the terminal must not obey what they quote."""

    def error(self, message: str) -> NoReturn:
        from card.text import clean

        super().error(clean(message, WIDEST))


def _shared(absent: str | None) -> tuple[_Parser, _Parser, _Parser]:
    """Options of many commands: of all; of those that meet the service; of those that fetch.

    `absent` stands for an option that is not given; argparse.SUPPRESS leaves it as it is.
    """
    common = _Parser(add_help=False, argument_default=absent)
    common.add_argument("--lang", choices=LANGUAGES, help="zh (default) or en")
    service = _Parser(add_help=False, argument_default=absent)
    service.add_argument("--service", metavar="URL", help="https:// address of the service")
    service.add_argument("--ca", type=Path, metavar="FILE", help="trust this PEM file only")
    service.add_argument("--trace", type=Path, metavar="FILE", help="redacted APDU trace")
    _pin_pad(service)
    supply = _Parser(add_help=False, argument_default=absent)
    supply.add_argument(
        "--components", type=Path, metavar="DIR", help="a folder of components, without internet"
    )
    supply.add_argument(
        "--component-key",
        action="append",
        metavar="KEY",
        help="trust lists signed with this key, in place of the settings' keys",
    )
    return common, service, supply


def parser() -> argparse.ArgumentParser:
    """The command line."""
    # What was given before the command must not be forgotten because it does not come after it.
    common, service, supply = _shared(argparse.SUPPRESS)
    lines = _Parser(add_help=False)
    lines.add_argument("--reader", metavar="NAME", help="use this reader")
    lines.add_argument("--pin-fd", type=int, metavar="N", help="read the PIN from descriptor N")
    lines.add_argument("--json", action="store_true", help="one JSON object per line")
    lines.add_argument(
        "--confirm-last-try", action="store_true", help="use the card's last try without asking"
    )

    top = _Parser(
        prog="hca-bind",
        description="Bind a 醫事憑證 IC 卡 to a reporting-system account.",
        parents=_shared(None),
    )
    top.set_defaults(command="wizard")
    commands = top.add_subparsers(metavar="COMMAND")

    def command(name: str, about: str, *parents: _Parser) -> _Parser:
        sub = commands.add_parser(name, help=about, description=about, parents=parents)
        sub.set_defaults(command=name)
        return sub

    demo = command("demo", "the wizard on the embedded card and service", common)
    demo.add_argument("--scenario", default="ok", metavar="NAME", help="`list` prints them")
    demo.add_argument("--autopilot", choices=("register", "rebind"), help="drive it by itself")
    demo.add_argument(
        "--trace",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="redacted APDU trace",
    )

    command("verify", "prove that the card is yours, line by line", common, service, lines)
    bind = command("bind", "bind a card, line by line", common, service, lines)
    bind.add_argument("--purpose", choices=("register", "rebind"), required=True)
    bind.add_argument("--form", type=Path, metavar="FILE", help="the account fields as TOML")
    bind.add_argument("--account", metavar="NAME", help="rebind: the account's name")
    bind.add_argument("--password-fd", type=int, metavar="N", help="rebind: its password")

    needed = command("components", "what this computer has and lacks", common, service, supply)
    needed.add_argument("--json", action="store_true", help="one JSON object")
    needed.add_argument("--get", action="store_true", help="download what is missing")
    needed.add_argument("--install", action="store_true", help="that, and install it")

    card = command("virtual-card", "a test card in a reader of Debian's vsmartcard-vpcd", common)
    card.add_argument("--vpcd", required=True, type=_host_port, metavar="HOST:PORT")
    card.add_argument("--profile", default="ok", metavar="NAME|FILE", help="the card, as TOML")
    card.add_argument("--authority", type=Path, metavar="DIR", help="keep the test CA here")
    card.add_argument(
        "--responder", metavar="URL", help="where its certificate says to ask: URL/ocsp, URL/crl"
    )

    _sandbox(command, common)
    _support(command, common, service)

    _kiosk(command, common)

    far = command("passthrough", "the reader on a thin client, this program on a host", common)
    far.add_argument(
        "what", choices=("script", "host-setup"), help="the thin client's script; sshd's settings"
    )
    far.add_argument("--sshd-config", type=Path, metavar="FILE", help="check this file of sshd's")
    return top


def _sandbox(command: Callable[..., _Parser], common: _Parser) -> None:
    """The service for trying things out."""
    sandbox = command("sandbox", "a reporting service for trying things out", common)
    sandbox.add_argument("--port", type=int, default=8443, metavar="N")
    sandbox.add_argument("--data", type=Path, required=True, metavar="DIR")
    sandbox.add_argument("--card-ca", type=Path, metavar="FILE", help="CAs whose cards it accepts")
    sandbox.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="see demo --scenario list"
    )
    sandbox.add_argument(
        "--revocation",
        choices=("none", "ocsp", "crl"),
        default="none",
        help="how clients must look a card's certificate up before the PIN",
    )
    sandbox.add_argument(
        "--responder",
        type=int,
        metavar="N",
        help="answer OCSP and offer the CRL on this http port, for the CA with a key in --card-ca",
    )
    sandbox.add_argument("--account", metavar="NAME", help="make an account to sign in to")
    sandbox.add_argument("--password-fd", type=int, metavar="N", help="read its password there")


def _kiosk(command: Callable[..., _Parser], common: _Parser) -> None:
    """The kiosk, and what its administrator needs."""
    kiosk = command("kiosk", "a terminal for everybody, one person after the other", common)
    kiosk.add_argument(
        "what",
        nargs="?",
        choices=("run", "settings", "password", "install"),
        default="run",
        help="an example of the settings; a hash for them; a systemd unit",
    )
    kiosk.add_argument(
        "--settings",
        type=Path,
        default=Path("/etc/hca-bind/kiosk.toml"),
        metavar="FILE",
        help="the administrator's file (/etc/hca-bind/kiosk.toml)",
    )
    kiosk.add_argument("--print", action="store_true", help="install: to standard output (always)")


def _support(
    command: Callable[..., _Parser],
    common: _Parser,
    service: _Parser,
) -> None:
    """The commands for finding out what is wrong."""
    asked = _Parser(add_help=False)
    asked.add_argument("--json", action="store_true", help="machine-readable")
    explain = command("explain", "find out what a message means", common, asked)
    explain.add_argument("text", nargs="+", metavar="TEXT", help="the message, or a part of it")
    decode = command("decode", "read a support code", common, asked)
    decode.add_argument("code", nargs="+", metavar="CODE", help="XXXX-XXXX-XXXX")
    pads = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    _pin_pad(pads)
    command("readers", "whose card of which kind lies in which reader", common, asked, pads)
    command("doctor", "look at everything that a binding needs", common, service, asked)
    report = command("report", "a text file for support, without any secret", common, service)
    report.add_argument("--output", type=Path, metavar="FILE", help="save it here, too")
    command("guide", "for support: the user's screens, and what to ask", common, service)


def _pin_pad(options: _Parser) -> None:
    options.add_argument(
        "--pin-pad", choices=PADS, help="readers with keys: use them, use only them, or never"
    )


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "localhost", int(port)
