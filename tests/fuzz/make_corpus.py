"""The seeds, made anew by the project's own card, service and vectors.

Run by hand when a format changes, with tests/support on PYTHONPATH. An input that a campaign found
is kept beside them as `found-…`. The keys are thrown away, so every run makes other bytes of the
same shape.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from invented_card import Authority as InventedAuthority
from invented_card import account_fields
from status_seeds import issue, seeds
from talks import DATES, HOW, profile, talk
from targets import CORPUS, HERE, ORIGIN, STATUSES

from card.signing import signing_key
from card.virtual import der
from card.virtual.authority import Authority, Issued
from card.virtual.card import VirtualCard
from card.virtual.filesystem import DedicatedFile, ElementaryFile
from card.virtual.profile import Profile
from client import https, token, wire
from client.errors import ContractProblem
from client.line import Answer
from client.port import idempotency_key, signed_message
from client.purpose import Purpose
from client.sandbox.app import _refusal
from client.sandbox.server import Sandbox
from screens.language import Language
from screens.troubleshooting import support_code
from screens.troubleshooting.support_code import SupportFacts
from screens.wizard import Step

VECTORS = HERE.parent / "vectors" / "web-eid-tokens.json"
# The letters that the target knows the service's answers by, and the files of the application.
SHAPES: dict[bytes, type] = {
    b"V": wire.Versioned,
    b"D": wire.Description,
    b"C": wire.Challenge,
    b"P": wire.Verification,
    b"S": wire.Session,
    b"R": wire.Receipt,
}
ENTRANCES = {0x5031: "D", 0x5032: "T", 0x4401: "A", 0x4402: "K", 0x4403: "C", 0x4331: "W"}


def put(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def cards(authority: Authority) -> None:
    for kind in ("pkcs15", "piv"):
        for how in HOW:
            card = VirtualCard(profile(kind, how), authority)
            put(kind, f"talk-{how}", talk(card))
            assert card.issued is not None
            put("certificate", f"{kind}-{how}", card.issued.certificate)
            for tag, name in ((b"\x7e", "D"), (b"\x5f\xc1\x05", "C")):
                if tag in card._objects:
                    put("piv", f"{name}-{how}", name.encode() + card._objects[tag])
                    put("tlv", f"piv-{name}-{how}", card._objects[tag])
            if kind == "pkcs15" and how in ("extended", "ec"):
                files = application_files(card)
                for number, name in ENTRANCES.items():
                    put(kind, f"{name}-{how}", name.encode() + files[number])
                    put("tlv", f"{name}-{how}", files[number])
            for listed in card._files.files[:1]:
                assert isinstance(listed, ElementaryFile)
                put("pkcs15", "E", b"E" + listed.content)
    put("tlv", "fields", der.tlv(0x02, b"\x01") + der.tlv(0x0A, b"\x01") + b"\x03\x02\x06\x40")
    for name, toml in {
        "hop": 'category = "HOP"\n',
        "moica": 'category = "MOICA"\n',
        "none": 'category = "none"\n',
        "encipherment": "digital_signature = false\n",
        "client": "client_auth = true\n",
        "ber": "malformed = true\n",
    }.items():
        issued = authority.issue(Profile.parse('[key]\ntype = "EC"\n' + DATES + toml))
        put("certificate", name, issued.certificate)
    put("certificate", "chain.pem", authority.chain_pem)


def application_files(card: VirtualCard) -> dict[int, bytes]:
    """The files of the PKCS#15 application by their identifiers."""
    (application,) = (each for each in card._files.files if isinstance(each, DedicatedFile))
    return {
        each.identifier: each.content
        for each in application.files
        if isinstance(each, ElementaryFile)
    }


def tokens(authority: Authority) -> None:
    for vector in json.loads(VECTORS.read_text())["vectors"]:
        put("token", vector["name"].partition(".")[2].lower(), json.dumps(vector["token"]).encode())
    for how, algorithm in (("extended", "RS256"), ("ec", "ES256")):
        issued = authority.issue(profile("pkcs15", how))
        data = signed_message(ORIGIN, "A" * 44)
        put("token", f"own-{how}", token.build(signed(issued, data, algorithm)))


def signed(issued: Issued, data: bytes, algorithm: str) -> token.Token:
    key = signing_key(issued.certificate)
    answer = issued.sign(key.prepare(sha256(data).digest()))
    assert answer is not None
    return token.Token(issued.certificate, algorithm, key.signature(answer, data).value)


def service(folder: Path) -> None:
    """What a real sandbox answers to both flows, as its client is about to read it."""
    letters = {shape: letter for letter, shape in SHAPES.items()}
    decode = https._decode

    def recorded(answer: Answer, shape: type, convert: object) -> object:
        put("answer", f"{shape.__name__.lower()}-{len(taken)}", letters[shape] + answer.body)
        taken.append(answer)
        return decode(answer, shape, convert)  # type: ignore[arg-type]

    taken: list[Answer] = []
    https._decode = recorded  # type: ignore[assignment]
    invented = InventedAuthority()
    with Sandbox(folder, trusted_card_roots=[invented.pem]) as sandbox:
        shelf = sandbox.shelf
        (folder / "list").mkdir()
        shelf.export(folder / "list")
        content = (folder / "list" / "manifest.json").read_bytes()
        signature = (folder / "list" / "manifest.json.sig").read_bytes()
        put("manifest", "folder", b"0" + content)
        put("manifest", "service", b"1" + content.replace(sandbox.url.encode(), ORIGIN.encode()))
        put("manifest", "packages", b"0" + json.dumps(packages(json.loads(content))).encode())
        put("manifest", "signature", b"S" + signature)
        put("manifest", "keys", b"K" + shelf.public_key.encode())
        with closing(https.HttpsService(sandbox.url, ca_file=sandbox.ca_file)) as client:
            client.describe()
            form = account_fields("wang.test")
            password = form["password"]
            assert isinstance(password, bytearray)
            proof = invented.issue().prove(client, Purpose.REGISTER)
            client.register(proof, form, idempotency_key())
            proof = invented.issue("測試員乙").prove(client, Purpose.REBIND, "wang.test")
            signed_in = client.sign_in("wang.test", password)
            client.rebind(signed_in, proof, idempotency_key())


def packages(listed: dict[str, object]) -> dict[str, object]:
    """The same list with a package of the distribution on it."""
    component = {
        "id": "card-service",
        "part": "service",
        "name": {"zh-Hant": "讀卡服務", "en": "card service"},
        "version": "1.9.9",
        "minimum": "1.9",
        "licence": "BSD-3-Clause",
        "platform": {"system": "linux", "machine": "any", "distributions": ["debian"]},
        "install": {"how": "apt", "packages": ["pcscd"]},
        "usb": ["04e6:5116"],
    }
    return {**listed, "components": [component]}


def problems() -> None:
    samples: dict[str, object] = {"retry_after": 42, "fields": "email,phone"}
    for kind in ContractProblem.__subclasses__():
        problem = kind(**{each.name: samples[each.name] for each in fields(kind)})
        outcome = _refusal(problem)
        put("problem", kind.__name__, bytes((STATUSES.index(outcome.status),)) + outcome.body)


def revocation() -> None:
    for name, content in seeds(issue()).items():
        put("revocation", name, content)


def support_codes() -> None:
    for number, facts in enumerate(
        (
            SupportFacts("card.pin.wrong", Step.PIN, 2, 1, 1),
            SupportFacts("net.timeout", None, None, 5, 5, version=(40, 300, 200)),
            SupportFacts("service.busy", Step.RECEIPT, 15, language=Language.EN),
        )
    ):
        code = support_code.encode(facts)
        put("support-code", f"code-{number}", code.encode())
    wide = "".join(chr(ord(character) + 0xFEE0) for character in code)
    put("support-code", "wide", wide.lower().encode())
    put("support-code", "spoken", code.replace("0", "o").replace("1", "l").lower().encode())


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    authority = Authority.create()
    (HERE / "anchors.pem").write_bytes(authority.chain_pem)
    cards(authority)
    tokens(authority)
    revocation()
    problems()
    support_codes()
    with TemporaryDirectory() as folder:
        service(Path(folder))


if __name__ == "__main__":
    main()
