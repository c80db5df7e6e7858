"""explain, decode, doctor and report as they are typed; what is printed, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from screens.findings import Topic
from screens.language import Language
from screens.troubleshooting.situation import Situation, support_code, version
from screens.troubleshooting.support_code import Attachment, decode
from screens.wizard import Failure, Step, Wizard
from tui.arguments import parser
from tui.main import COMMANDS, run

WRONG_PIN = Failure("card.pin.wrong", {"tries_left": 2})
AT_PIN = Situation(Wizard(step=Step.PIN), Attachment.FORWARDED)
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("HCA_BIND_SERVICE", raising=False)


def test_every_command_of_the_parser_is_known() -> None:
    (action,) = parser()._subparsers._group_actions  # type: ignore[union-attr]
    assert set(action.choices or ()) | {"wizard"} == COMMANDS.keys()


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (["驗證逾時"], "web.1"),
        (["0x8010001D"], "pcsc.8010001d"),
        (["-2146435043"], "pcsc.8010001d"),
        (["HCA", "9043"], "hca.9043"),
    ],
)
def test_explain_ranks_entries_with_id_and_score(
    capsys: Captured, text: list[str], id: str
) -> None:
    assert run(["explain", "--json", *text]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["id"] == id
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert run(["explain", "--lang", "en", *text]) == 0
    assert f"({id})" in capsys.readouterr().out.splitlines()[0]


def test_explain_answers_no_match_rather_than_the_nearest(capsys: Captured) -> None:
    assert run(["explain", "--json", "今天天氣很好"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["explain", "--lang", "en", "今天天氣很好"]) == 0
    assert capsys.readouterr().out.startswith("No match")


@pytest.mark.parametrize("spoken", [str, str.lower, lambda code: code.replace("-", " ")])
def test_decode_reads_a_code_however_it_was_written(capsys: Captured, spoken: object) -> None:
    code = support_code(WRONG_PIN, AT_PIN, Language.ZH)
    assert callable(spoken)
    assert run(["decode", "--json", spoken(code)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["code"], facts["step"], facts["tries_left"]) == ("card.pin.wrong", "pin", 2)
    assert facts["attachment"] == "forwarded"
    assert facts["steps"]
    assert run(["decode", "--lang", "en", *spoken(code).split()]) == 0
    assert "(card.pin.wrong)" in capsys.readouterr().out


def test_decode_refuses_a_code_with_a_slip(capsys: Captured) -> None:
    code = support_code(WRONG_PIN, AT_PIN, Language.ZH)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert run(["decode", "--json", wrong]) == 1
    assert json.loads(capsys.readouterr().out)["fault"] == "check"
    assert run(["decode", wrong]) == 1
    assert capsys.readouterr().out.startswith("!! ")


def test_the_doctor_says_all_and_fails_without_a_service(capsys: Captured) -> None:
    assert run(["doctor", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [check["check"] for check in told["checks"]] == [topic.value for topic in Topic]
    settings = next(check for check in told["checks"] if check["check"] == "settings")
    assert (settings["outcome"], settings["code"]) == ("failure", "net.address.unset")
    assert settings["remedy"]["steps"]
    assert run(["doctor", "--lang", "en"]) == 3
    assert "net.address.unset" in capsys.readouterr().out


def test_a_report_is_shown_and_saved_for_its_owner_alone(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    assert run(["report", "--lang", "en", "--output", str(file)]) == 0
    saved = file.read_text("utf-8")
    assert saved in capsys.readouterr().out
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Service: not set" in saved
    assert ".".join(map(str, version())) in saved
    assert run(["report", "--output", str(file)]) == 2, "an existing file is never overwritten"
    assert file.read_text("utf-8") == saved


def test_a_failure_of_the_line_mode_has_its_support_code(capsys: Captured) -> None:
    assert run(["verify", "--json", "--service", "https://localhost:1"]) == 3
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    facts = decode(said["support_code"])
    assert (facts.code, facts.step) == ("net.refused", Step.COMPONENTS)
    assert facts.version == version()


def test_a_code_without_a_number_still_gives_a_support_code() -> None:
    assert decode(support_code(Failure("no.such.code"), AT_PIN, Language.EN)).code == (
        "app.unexpected"
    )


def test_a_blocked_pin_has_no_try_left_in_the_support_code() -> None:
    code = support_code(Failure("card.pin.blocked"), AT_PIN, Language.ZH)
    assert decode(code).tries_left == 0
