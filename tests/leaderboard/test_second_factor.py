"""Staff's second factor: codes count once, guessers wait, lost devices have a way back, and nothing is open before."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import checks
from leaderboard.console import second_factor
from leaderboard.models import AuditEntry, RecoveryCode
from tests import factories

pytestmark = pytest.mark.django_db
PAGE, VERIFY = "/en/console/second-factor/", "/en/console/second-factor/verify/"
PAGES = ["", "failures/", "fleet/", "suites/", "audit/"]


@pytest.fixture
def chief(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("chief"))
    return client


def _code(key: str, steps: int = 0) -> str:
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def _enrol(client: Client) -> list[str]:
    """Sets the factor up as a person does, with the secret of the page; the recovery codes."""
    shown = client.get(PAGE).content.decode()
    key = client.session["second_factor_key"]
    assert second_factor.text_of(bytes.fromhex(key)) in shown
    answer = client.post(PAGE, {"action": "enrol", "code": _code(key)})
    assert answer.status_code == 200
    return re.findall(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b", answer.content.decode())


def _again() -> Client:
    """The same person, logged in anew with the password alone."""
    client = Client()
    client.force_login(User.objects.get(username="chief"))
    return client


def _key() -> str:
    key: str = TOTPDevice.objects.get().key
    return key


def test_the_codes_are_those_of_the_rfc():
    """RFC 6238, appendix B, its last six digits: SHA-1, the secret 12345678901234567890, steps of 30 s."""
    totp = TOTP(b"12345678901234567890")
    for at, code in ((59, 287082), (1111111109, 81804), (1234567890, 5924), (20000000000, 353130)):
        totp.time = at
        assert totp.token() == code


def test_the_enrolment_page_draws_the_secret_and_loads_nothing(chief: Client):
    answer = chief.get(PAGE)
    text = answer.content.decode()
    assert 'class="qr"' in text and "<path" in text and "no-store" in answer["Cache-Control"]
    assert " style=" not in text and "http://www.w3.org" not in text.split('class="qr"')[0][-200:]
    assert chief.get(PAGE).content.decode().split('id="secret"')[1][:60] == text.split('id="secret"')[1][:60]
    assert not TOTPDevice.objects.exists()


def test_who_has_set_it_up_gives_a_code_and_comes_where_he_wanted(chief: Client):
    codes = _enrol(chief)
    assert len(codes) == len(set(codes)) == 10
    assert chief.get("/en/console/").status_code == 200
    again = _again()
    wanted = again.get("/en/console/?status=failed")
    assert wanted["Location"] == f"{VERIFY}?next=%2Fen%2Fconsole%2F%3Fstatus%3Dfailed"
    assert again.post(VERIFY, {"code": "000000"}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    before = again.session.session_key
    answer = again.post(VERIFY, {"code": _code(_key(), 1), "next": "/en/console/?status=failed"})
    assert answer["Location"] == "/en/console/?status=failed"
    assert again.session.session_key != before
    assert again.get("/en/console/").status_code == 200


def test_a_code_counts_once(chief: Client):
    _enrol(chief)
    assert _again().post(VERIFY, {"code": _code(_key())}).status_code == 422  # the one it was set up with
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    code = _code(_key(), 1)
    assert _again().post(VERIFY, {"code": code}).status_code == 302
    assert _again().post(VERIFY, {"code": code}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_code_at_once_one_gets_in(chief: Client):
    codes = _enrol(chief)
    for code in (_code(_key(), 1), codes[0]):
        clients, answers = [_again() for _ in range(4)], []

        def press(client: Client, code: str = code, answers: list[int] = answers) -> None:
            try:
                answers.append(client.post(VERIFY, {"code": code}).status_code)
            finally:
                connection.close()

        threads = [Thread(target=press, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [302, 422, 422, 422]
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)


def test_a_guesser_waits_twice_as_long_each_time_and_the_right_code_waits_too(chief: Client):
    _enrol(chief)
    guesser = _again()
    assert guesser.post(VERIFY, {"code": "123456"}).status_code == 422
    assert "for 1 second." in guesser.post(VERIFY, {"code": _code(_key(), 1)}).content.decode()
    TOTPDevice.objects.update(throttling_failure_count=7)
    assert re.search(r"for 6[34] seconds\.", guesser.post(VERIFY, {"code": _code(_key(), 1)}).content.decode())
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(seconds=65))
    assert guesser.post(VERIFY, {"code": _code(_key(), 1)}).status_code == 302
    assert TOTPDevice.objects.get().throttling_failure_count == 0


def test_a_recovery_code_opens_once_is_kept_as_a_hash_and_stands_in_the_audit(chief: Client):
    codes = _enrol(chief)
    assert not RecoveryCode.objects.filter(digest__in=codes).exists()
    assert _again().post(VERIFY, {"code": codes[3].upper().replace("-", " ")}).status_code == 302
    second = _again()
    assert second.post(VERIFY, {"code": codes[3]}).status_code == 422
    assert second.get("/en/console/").status_code == 302
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "target")) == [
        ("factor_on", "account chief"), ("factor_used", "account chief"),
    ]  # fmt: skip
    assert "9</b>" in chief.get(PAGE).content.decode()


def test_another_persons_recovery_code_is_worth_nothing(chief: Client):
    codes = _enrol(chief)
    other = Client()
    other.force_login(User.objects.create_superuser("other"))
    _enrol(other)
    fresh = Client()
    fresh.force_login(User.objects.get(username="other"))
    assert fresh.post(VERIFY, {"code": codes[0]}).status_code == 422
    assert RecoveryCode.objects.filter(used_at=None).count() == 20


def test_new_codes_make_the_old_ones_worthless_and_need_a_code(chief: Client):
    old = _enrol(chief)
    assert chief.post(PAGE, {"action": "codes", "code": "aaaa-aaaa-aaaa-aaaa"}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert chief.post(PAGE, {"action": "codes", "code": _code(_key(), 1)}).status_code == 200
    assert _again().post(VERIFY, {"code": old[0]}).status_code == 422


def test_a_second_enrolment_over_a_device_is_refused(chief: Client):
    _enrol(chief)
    key = _key()
    session = chief.session
    session["second_factor_key"] = "11" * 20
    session.save()
    assert chief.post(PAGE, {"action": "enrol", "code": _code("11" * 20)}).status_code == 422
    assert _key() == key


def test_taking_it_off_needs_a_code(chief: Client):
    _enrol(chief)
    assert chief.post(PAGE, {"action": "remove", "code": "1"}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert chief.post(PAGE, {"action": "remove", "code": _code(_key(), 1)}).status_code == 302
    assert not TOTPDevice.objects.exists() and not RecoveryCode.objects.exists()
    assert _again().get("/en/console/").status_code == 200


def test_required_closes_every_page_of_console_and_admin_until_it_is_set_up(chief: Client, settings: Any):
    settings.CONSOLE_SECOND_FACTOR = "required"
    run = factories.make_run(status="failed")
    for address in [*(f"/en/console/{page}" for page in PAGES), "/admin/", "/admin/auth/user/"]:
        assert chief.get(address)["Location"][3:].startswith("/console/second-factor/?next="), address
    assert chief.post("/en/console/act/", {"action": "rerun", "ids": [run.pk], "reason": "x"})["Location"] == PAGE
    assert not run.reruns.exists()
    _enrol(chief)
    assert {chief.get(address).status_code for address in ("/en/console/", "/admin/", "/admin/auth/user/")} == {200}
    again = _again()
    assert (
        again.get("/admin/auth/user/")["Location"] == "/ko/console/second-factor/verify/?next=%2Fadmin%2Fauth%2Fuser%2F"
    )
    assert again.get(PAGE)["Location"].startswith(VERIFY)
    assert again.post("/admin/logout/").status_code == 200


def test_a_fragment_sends_the_whole_page_to_the_code(chief: Client):
    run = factories.make_run()
    _enrol(chief)
    answer = _again().get(f"/en/console/runs/{run.pk}/log/", headers={"hx-request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, VERIFY)


def test_a_code_is_asked_again_after_half_a_day(chief: Client):
    _enrol(chief)
    session = chief.session
    session["second_factor"] = [TOTPDevice.objects.get().pk, time.time() - 12 * 3600 - 1]
    session.save()
    assert chief.get("/en/console/")["Location"].startswith(VERIFY)


def test_off_asks_nobody(chief: Client, settings: Any):
    _enrol(chief)
    settings.CONSOLE_SECOND_FACTOR = "off"
    again = _again()
    assert again.get("/en/console/").status_code == 200
    assert "switched off" in again.get(PAGE).content.decode()
    assert again.post(PAGE, {"action": "enrol", "code": "1"}).status_code == 422


def test_a_visitor_is_never_asked(client: Client, settings: Any):
    settings.CONSOLE_SECOND_FACTOR = "required"
    client.force_login(User.objects.create_user("visitor"))
    assert client.get("/en/models/").status_code == 200
    assert client.get("/en/console/").status_code == 403


def test_the_way_back_leads_nowhere_else(chief: Client):
    _enrol(chief)
    answer = _again().post(VERIFY, {"code": _code(_key(), 1), "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/en/console/"


def test_the_operator_resets_a_lost_device_with_a_reason_in_the_audit(chief: Client, capsys: Any):
    _enrol(chief)
    with pytest.raises(CommandError, match="reason"):
        call_command("reset_second_factor", "chief", "--reason", " ")
    with pytest.raises(CommandError, match="no account"):
        call_command("reset_second_factor", "nobody", "--reason", "x")
    call_command("reset_second_factor", "chief", "--reason", "lost phone, seen in person")
    assert "password alone" in capsys.readouterr().out
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor_name, entry.action, entry.target) == ("manage.py", "factor_reset", "account chief")
    assert _again().get("/en/console/").status_code == 200
    with pytest.raises(CommandError, match="no second factor"):
        call_command("reset_second_factor", "chief", "--reason", "x")


def test_a_session_of_the_old_device_is_out_once_another_is_set_up(chief: Client):
    _enrol(chief)
    second_factor.reset(User.objects.get(), "lost")
    _enrol(_again())
    assert chief.get("/en/console/")["Location"].startswith(VERIFY)


def test_secrets_of_devices_have_no_admin_page(chief: Client):
    assert chief.get("/admin/otp_totp/totpdevice/").status_code == 404


def test_a_misspelt_policy_stops_the_start(settings: Any):
    assert checks.second_factor_is_known(None) == []
    settings.CONSOLE_SECOND_FACTOR = "requird"
    assert [error.id for error in checks.second_factor_is_known(None)] == ["gyeoru.E005"]
