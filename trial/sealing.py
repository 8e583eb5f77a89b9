"""Encrypt the few secrets that must rest in the database: Fernet, newest key first."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from trial.errors import DomainError

PURPOSE = b"attune.sealing.v1"


class SealingError(DomainError):
    """A secret that no configured key opens, or a key that is none."""

    code = "sealing_key"


def encrypt(secret: bytes) -> bytes:
    return _keys().encrypt(secret)


def decrypt(token: bytes) -> bytes:
    """Raises SealingError when no configured key opens the token, or it was altered."""
    try:
        return _keys().decrypt(token)
    except InvalidToken as error:
        raise SealingError(
            "No key in FIELD_ENCRYPTION_KEYS opens this secret, or it was altered. "
            "Put the key that sealed it back into the list; nothing else can recover it."
        ) from error


def rotate(token: bytes) -> bytes:
    """The same secret under the newest key."""
    return encrypt(decrypt(token))


def _keys() -> MultiFernet:
    keys = settings.FIELD_ENCRYPTION_KEYS or [_demo_key()]
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise SealingError("FIELD_ENCRYPTION_KEYS holds something that is no Fernet key.") from error


def _demo_key() -> str:
    """Only the demo has no key of its own: settings refuse an empty list in production."""
    digest = hmac.new(settings.SECRET_KEY.encode(), PURPOSE, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
