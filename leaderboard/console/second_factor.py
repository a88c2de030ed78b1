"""The second factor of staff: one-time codes by time (TOTP, RFC 6238) and recovery codes for a lost device.

django-otp checks the codes, takes each time step once and makes a guesser wait (one second, doubled by each failure);
the device row is locked while it does, so that two requests cannot use one code. A code opens its session for VALID.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from datetime import timedelta
from typing import Literal
from urllib.parse import quote, urlencode

import segno
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from leaderboard.models import AuditEntry, RecoveryCode

ISSUER = "Gyeoru"
VALID = timedelta(hours=12)
CODES = 10
BY_OWNER = "by the account's owner"
SESSION, KEY = "second_factor", "second_factor_key"


class Refused(Exception):
    """The code was not taken. `wait` is how many seconds no code will be, 0 where another may be tried at once."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__(f"wait {wait:.0f} s" if wait else "wrong code")
        self.wait = wait


def lacks(request: HttpRequest) -> Literal["", "enrolment", "code"]:
    """What the person of this request still has to do before the console opens; one query, none where it is off."""
    if settings.CONSOLE_SECOND_FACTOR == "off":
        return ""
    device = device_of(request.user)  # type: ignore[arg-type]
    if device is None:
        return "enrolment" if settings.CONSOLE_SECOND_FACTOR == "required" else ""
    known, at = request.session.get(SESSION) or (None, 0.0)
    return "" if known == device.pk and time.time() - at < VALID.total_seconds() else "code"


def device_of(user: User) -> TOTPDevice | None:
    """The device whose codes count."""
    return TOTPDevice.objects.filter(user=user.pk, confirmed=True).order_by("-pk").first()


def offered_key(request: HttpRequest) -> bytes:
    """The secret for a new device, 20 random bytes; it stays the same until it is confirmed or the session ends."""
    key = request.session.setdefault(KEY, random_hex(20))
    return bytes.fromhex(key)


def text_of(key: bytes) -> str:
    """The secret as one types it, in groups of four."""
    text = base64.b32encode(key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture_of(key: bytes, username: str) -> SafeString:
    """The secret as a QR code (inline SVG), in the form that authenticators read."""
    query = urlencode({"secret": base64.b32encode(key).decode(), "issuer": ISSUER, "digits": 6, "period": 30})
    drawn = segno.make(f"otpauth://totp/{quote(f'{ISSUER}:{username}')}?{query}", error="m", micro=False)
    return mark_safe(drawn.svg_inline(scale=4, border=4, light="#fff", svgclass="qr"))  # noqa: S308 - paths alone


def enrol(request: HttpRequest, code: str) -> list[str]:
    """Makes the offered secret this person's device when `code` is of it, and lets the session in.

    Returns the recovery codes, which nobody can show again. Raises Refused.
    """
    user, key = _user(request), offered_key(request)
    totp = TOTP(key)
    if not _is_code(code) or not totp.verify(int(_bare(code)), tolerance=1) or device_of(user):
        raise Refused
    with transaction.atomic():
        device = TOTPDevice.objects.create(
            user=user, name="TOTP", key=key.hex(), drift=totp.drift, last_t=totp.t(), last_used_at=timezone.now()
        )
        codes = _new_codes(user)
        _note(user, "factor_on")
    del request.session[KEY]
    _let_in(request, device)
    return codes


def verify(request: HttpRequest, code: str) -> None:
    """Lets the session in for a code of the device or a recovery code; each counts once. Raises Refused."""
    user = _user(request)
    with transaction.atomic():
        device = _locked(user)
        wait = _wait(device)
        taken = wait == 0 and (device.verify_token(_bare(code)) if _is_code(code) else _recover(device, code))
    # Outside of the transaction: a failure has to stay counted.
    if not taken:
        raise Refused(wait)
    _let_in(request, device)


def renew_codes(request: HttpRequest, code: str) -> list[str]:
    """New recovery codes instead of all old ones, for a code. Raises Refused."""
    verify(request, code)
    with transaction.atomic():
        codes = _new_codes(_user(request))
        _note(_user(request), "factor_codes")
    return codes


def remove(request: HttpRequest, code: str) -> None:
    """Takes the device and its recovery codes off the account, for a code. Raises Refused."""
    verify(request, code)
    with transaction.atomic():
        _forget(_user(request))
        _note(_user(request), "factor_off")
    request.session.pop(SESSION, None)


def reset(user: User, reason: str) -> bool:
    """Takes a lost device off an account, at the operator's word; False where there is none. ValueError: no reason."""
    if not reason.strip():
        raise ValueError("a reset needs a reason")
    with transaction.atomic():
        if not _forget(user):
            return False
        entry = AuditEntry(actor_name="manage.py", action="factor_reset", reason=reason.strip())
        entry.target, entry.batch = f"account {user.get_username()}", secrets.token_hex(8)
        entry.save()
    return True


def codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _locked(user: User) -> TOTPDevice:
    device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True).order_by("-pk").first()
    if device is None:
        raise Refused
    return device


def _wait(device: TOTPDevice) -> float:
    """Seconds until the device takes a code again."""
    allowed, why = device.verify_is_allowed()
    if allowed:
        return 0.0
    locked: timedelta = why["locked_until"] - timezone.now()
    return max(1.0, locked.total_seconds())


def _recover(device: TOTPDevice, code: str) -> bool:
    unused = RecoveryCode.objects.filter(user=device.user, digest=_digest(device.user, code), used_at=None)
    if not unused.update(used_at=timezone.now()):
        device.throttle_increment()
        return False
    device.throttle_reset()
    _note(device.user, "factor_used")
    return True


def _new_codes(user: User) -> list[str]:
    """Ten codes of 80 random bits, too many to be guessed from their hashes."""
    codes = ["-".join(text[at : at + 4] for at in range(0, 16, 4)) for text in (_random() for _ in range(CODES))]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=_digest(user, code)) for code in codes])
    return codes


def _random() -> str:
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def _digest(user: User, code: str) -> str:
    return hashlib.sha256(f"{user.pk}:{_bare(code).replace('-', '').lower()}".encode()).hexdigest()


def _forget(user: User) -> int:
    RecoveryCode.objects.filter(user=user).delete()
    return int(TOTPDevice.objects.filter(user=user).delete()[0])


def _let_in(request: HttpRequest, device: TOTPDevice) -> None:
    """Under a new session key, so that one seen before the code was given is worth nothing after it."""
    request.session.cycle_key()
    request.session[SESSION] = [device.pk, time.time()]


def _note(user: User, action: str) -> None:
    AuditEntry.objects.create(
        actor=user, actor_name=user.get_username(), action=action, reason=BY_OWNER,
        target=f"account {user.get_username()}", batch=secrets.token_hex(8),
    )  # fmt: skip


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _bare(code: str) -> str:
    return "".join(code.split())


def _is_code(code: str) -> bool:
    return len(_bare(code)) == 6 and _bare(code).isascii() and _bare(code).isdigit()
