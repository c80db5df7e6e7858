"""OpenSC's configuration without its PIN cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.pkcs11.opensc import VARIABLE, environment, without_pin_caching

OFF = "use_pin_caching = false;"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "app default { framework pkcs15 { OFF } }"),
        ("app default { debug = 0; }", "app default { framework pkcs15 { OFF } debug = 0; }"),
        (
            "app default {\n framework pkcs15 {\n use_pin_caching = true;\n a = b;\n}\n}",
            "app default { framework pkcs15 { OFF a = b; } }",
        ),
        (
            "# app default { framework pkcs15 {\n  # use_pin_caching = true;\napp default { }",
            "app default { framework pkcs15 { OFF } }",
        ),
        (
            "app default { framework pkcs15 { } }"
            " app opensc-pkcs11 { framework pkcs15 { x = y; } }",
            "app default { framework pkcs15 { OFF } }"
            " app opensc-pkcs11 { framework pkcs15 { OFF x = y; } }",
        ),
    ],
)
def test_the_cache_is_off_and_the_rest_is_kept(text: str, expected: str) -> None:
    assert " ".join(without_pin_caching(text).split()) == expected.replace("OFF", OFF)


def test_only_opensc_gets_a_file_and_only_for_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "opensc.conf"
    own.write_text("app default { debug = 3; }\n")
    monkeypatch.setenv(VARIABLE, str(own))
    with environment(Path("/usr/lib/opensc-pkcs11.so")) as added:
        file = Path(added[VARIABLE])
        assert "debug = 3;" in file.read_text()
        assert OFF in file.read_text()
    assert not file.exists()
    assert OFF not in own.read_text()
    with environment(Path("/usr/lib/libhcapkcs11.so")) as added:
        assert added == {}
