"""Passwords and tokens as they are kept: never themselves."""

import hashlib
import hmac
import secrets


def keep(password):
    """What is kept of a password. Cheap, as tests do it often."""
    salt = secrets.token_hex(8)
    return f"{salt}${_digest(salt, password)}"


def fits(kept, password):
    """Whether it is the password that this was kept of."""
    salt, _, digest = (kept or "").partition("$")
    return bool(digest) and hmac.compare_digest(digest, _digest(salt, password))


def fingerprint(token):
    """What is kept of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _digest(salt, password):
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()
