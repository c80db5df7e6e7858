"""The list: every field tampered with, every refusal with its own code, and key rotation."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from component_desk import Desk, entry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from client.components.manifest import (
    Manifest,
    Platform,
    check_age,
    key_name,
    open_manifest,
    pinned,
)
from client.components.seen import Seen
from client.components.supply import Supply
from client.errors import (
    ClientError,
    ComponentKeyInvalid,
    ComponentKeyUnset,
    ManifestChanged,
    ManifestExpired,
    ManifestForeign,
    ManifestFuture,
    ManifestMalformed,
    ManifestRollback,
    ManifestTampered,
    SeenUnusable,
)
from client.sandbox.faults import Fault

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ORIGIN = "https://reports.example.tw"
KEY, NEXT, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def pin(*keys: Ed25519PrivateKey) -> dict[str, bytes]:
    return pinned([base64.b64encode(public(key)).decode() for key in keys])


def sign(content: bytes, *keys: Ed25519PrivateKey) -> bytes:
    return b"".join(
        f"{key_name(public(key))} {base64.b64encode(key.sign(content)).decode()}\n".encode()
        for key in keys
    )


def document(**changes: object) -> dict[str, Any]:
    component = entry("lib.so", minimum="1.0")
    component["file"] = {
        "name": "lib.so",
        "address": "files/lib.so",
        "size": 5,
        "sha256": "ab" * 32,
    }
    component["usb"] = ["058f:9540"]
    component["platform"] = {"system": "linux", "machine": "any", "distributions": ["debian"]}
    return {
        "type": "hca-bind-components",
        "format": 1,
        "service": ORIGIN,
        "serial": 7,
        "issued": "2026-01-01T00:00:00Z",
        "expires": "2026-02-01T00:00:00Z",
        "components": [component],
        **changes,
    }


def encoded(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def read(content: bytes, signatures: bytes | None = None) -> Manifest:
    signatures = sign(content, KEY) if signatures is None else signatures
    manifest = open_manifest(
        content, signatures, pin(KEY, NEXT), service=ORIGIN, base=ORIGIN + "/v1/components/"
    )
    check_age(manifest, NOW)
    return manifest


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value that is no container."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    else:
        yield path


def changed(path: tuple[Any, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    data = deepcopy(document())
    at: Any = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = change(at[path[-1]])
    return data


PATHS = list(leaves(document()))


def test_a_good_list_is_read() -> None:
    manifest = read(encoded(document()))
    (component,) = manifest.components
    assert (manifest.serial, component.version, component.minimum) == (7, "1.2.3", "1.0")
    assert component.file is not None
    assert component.file.address == ORIGIN + "/v1/components/files/lib.so"
    here = Platform("linux", "x86_64", frozenset({"ubuntu", "debian"}))
    assert manifest.for_platform(here) == (component,)
    assert manifest.for_platform(Platform("linux", "x86_64", frozenset({"fedora"}))) == ()
    assert manifest.for_platform(Platform("windows", "x86_64")) == ()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_each_field_tampered_with_after_signing(path: tuple[Any, ...]) -> None:
    """Whatever is changed, the signature of the genuine list does not fit it any more."""
    genuine = encoded(document())
    for change in (lambda v: v + 1 if isinstance(v, int) else f"{v}0", lambda _: None):
        tampered = encoded(changed(path, change))
        assert tampered != genuine
        with pytest.raises(ManifestTampered):
            read(tampered, sign(genuine, KEY))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", [None, -1, [], {"a": 1}, "", "../../x y\n", 2**70, True, 0.5])
def test_each_field_signed_but_wrong(path: tuple[Any, ...], value: object) -> None:
    """No value of a wrong form gets through; where it is said, the field is the right one."""
    content = encoded(changed(path, lambda _: value))
    words = path[-1] in {"licence", "zh-Hant", "en"} and isinstance(value, str) and value
    if words or (value is None and path[-1] == "minimum"):
        read(content)
        return
    with pytest.raises((ManifestMalformed, ManifestForeign)) as caught:
        read(content)
    if isinstance(caught.value, ManifestForeign):
        assert path[0] in {"type", "service"}
    elif value != 2**70:  # no JSON decoder has to read that
        assert caught.value.field == ".".join(map(str, path))


@given(st.integers(0, len(encoded(document())) - 1), st.integers(1, 255))
def test_any_byte_changed_is_tampering(at: int, by: int) -> None:
    content = encoded(document())
    spoilt = content[:at] + bytes([content[at] ^ by]) + content[at + 1 :]
    with pytest.raises(ManifestTampered):
        read(spoilt, sign(content, KEY))


@given(st.binary(max_size=300))
def test_signed_rubbish_is_malformed_or_foreign(content: bytes) -> None:
    with pytest.raises((ManifestMalformed, ManifestForeign)):
        read(content)


@given(st.binary(max_size=300))
def test_rubbish_for_signatures(signatures: bytes) -> None:
    with pytest.raises((ManifestTampered, ManifestForeign)):
        read(encoded(document()), signatures)


# --- keys ----------------------------------------------------------------------------------------


def test_one_pinned_key_is_enough_and_a_stranger_is_not() -> None:
    content = encoded(document())
    for signers in ((KEY,), (NEXT,), (KEY, NEXT), (STRANGER, NEXT)):
        read(content, sign(content, *signers))
    with pytest.raises(ManifestForeign):
        read(content, sign(content, STRANGER))
    named_ours = sign(content, STRANGER).split()[1]
    with pytest.raises(ManifestTampered):
        read(content, key_name(public(KEY)).encode() + b" " + named_ours)


def test_keys_that_cannot_be_pinned() -> None:
    good = base64.b64encode(public(KEY)).decode()
    with pytest.raises(ComponentKeyUnset):
        pinned([])
    for keys in (["x"], [good[:-4]], ["鑰"], [good, good, good]):
        with pytest.raises(ComponentKeyInvalid):
            pinned(keys)


def test_openssl_signs_a_list_as_the_format_says(tmp_path: Path) -> None:
    content = encoded(document())
    (tmp_path / "manifest.json").write_bytes(content)
    (tmp_path / "key.pem").write_bytes(
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )

    def shell(command: str) -> bytes:
        run = ["sh", "-c", command]
        return subprocess.run(run, cwd=tmp_path, capture_output=True, check=True).stdout.strip()

    raw = "openssl pkey -in key.pem -pubout -outform DER | tail -c 32"
    name = shell(f"{raw} | sha256sum | cut -c 1-16")
    signature = shell("openssl pkeyutl -sign -inkey key.pem -rawin -in manifest.json | base64 -w 0")
    read(content, name + b" " + signature + b"\n")
    assert pinned([shell(f"{raw} | base64").decode()]) == {name.decode(): public(KEY)}


# --- age and serial ------------------------------------------------------------------------------


def test_too_old_and_too_new() -> None:
    with pytest.raises(ManifestExpired):
        read(encoded(document(expires=NOW.isoformat())))
    read(encoded(document(expires=(NOW + timedelta(seconds=1)).isoformat())))
    with pytest.raises(ManifestFuture):
        read(encoded(document(issued="2026-01-17T00:00:00Z")))
    with pytest.raises(ManifestMalformed):
        read(encoded(document(expires="2025-12-31T00:00:00Z")))


def test_an_older_list_is_a_replay_and_one_serial_has_one_content(tmp_path: Path) -> None:
    path = tmp_path / "state" / "components.json"
    newer, older = read(encoded(document(serial=9))), read(encoded(document(serial=8)))
    Seen(path).admit(newer, NOW)
    Seen(path).admit(newer, NOW)
    with pytest.raises(ManifestRollback) as rollback:
        Seen(path).admit(older, NOW)
    assert rollback.value.facts() == {"serial": 8, "seen": 9}
    with pytest.raises(ManifestChanged):
        Seen(path).admit(read(encoded(document(serial=9, expires="2026-02-02T00:00:00Z"))), NOW)
    Seen(path).admit(read(encoded(document(serial=10))), NOW)


def test_an_expired_list_leaves_no_trace(tmp_path: Path) -> None:
    """Else a list that nobody may use could lock out the present one."""
    seen = Seen(tmp_path / "components.json")
    with pytest.raises(ManifestExpired):
        seen.admit(read(encoded(document(serial=99))), NOW + timedelta(days=90))
    seen.admit(read(encoded(document(serial=7))), NOW)


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\x00"])
def test_a_spoilt_record_is_no_fresh_start(tmp_path: Path, spoilt: bytes) -> None:
    (tmp_path / "components.json").write_bytes(spoilt)
    with pytest.raises(SeenUnusable):
        Seen(tmp_path / "components.json").admit(read(encoded(document())), NOW)


# --- from the sandbox and from a folder ----------------------------------------------------------

FAULTS = {
    Fault.MANIFEST_MISSING: "component.manifest.missing",
    Fault.MANIFEST_TAMPERED: "component.manifest.signature",
    Fault.MANIFEST_UNSIGNED: "component.manifest.signature",
    Fault.MANIFEST_FOREIGN: "component.manifest.foreign",
    Fault.MANIFEST_SERVICE: "component.manifest.foreign",
    Fault.MANIFEST_MALFORMED: "component.manifest.malformed",
    Fault.MANIFEST_EXPIRED: "component.manifest.expired",
    Fault.MANIFEST_FUTURE: "component.manifest.future",
    Fault.MANIFEST_REPLAYED: "component.manifest.rollback",
    Fault.MANIFEST_CHANGED: "component.manifest.changed",
}


def test_every_fault_of_the_list_is_expected() -> None:
    assert FAULTS.keys() == {fault for fault in Fault if fault.startswith("manifest-")}


def code_of(supply: Supply, desk: Desk) -> str:
    try:
        supply.manifest(desk.stop)
    except ClientError as error:
        return error.code
    return ""


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_sandbox_spoils_is_refused(desk: Desk, fault: Fault) -> None:
    supply = desk.supply()
    supply.manifest(desk.stop)
    desk.sandbox.faults.add(fault)
    codes = {code_of(supply, desk) for _ in range(3)}  # a replay shows after a newer list
    assert FAULTS[fault] in codes <= {FAULTS[fault], ""}
    desk.sandbox.faults.clear()
    supply.manifest(desk.stop)


def test_a_folder_is_as_good_as_the_service_and_no_better(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    desk.sandbox.shelf.export(folder)
    offline = desk.supply(folder)
    file = offline.manifest(desk.stop).components[0].file
    assert file is not None
    path = offline.fetch(file, desk.reports.append, desk.stop)
    assert path.read_bytes() == (folder / file.name).read_bytes()
    path.unlink()
    (folder / file.name).write_bytes(b"x" * file.size)
    with pytest.raises(ClientError) as caught:
        offline.fetch(file, desk.reports.append, desk.stop)
    assert caught.value.code == "component.file.hash"
    (folder / file.name).unlink()
    with pytest.raises(ClientError) as caught:
        offline.fetch(file, desk.reports.append, desk.stop)
    assert caught.value.code == "component.file.missing"
    desk.sandbox.shelf.put(entry("newer.so"), b"newer")
    desk.supply().manifest(desk.stop)  # online a newer list was seen: the stick is a replay now
    with pytest.raises(ManifestRollback):
        offline.manifest(desk.stop)
    assert desk.cached() == []
