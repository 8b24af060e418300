"""Tokens of the header that the settings name: their signature, and what they claim."""

import json
import time

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .settings import Wrong

ALGORITHMS = ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
# As the real server's library has it.
LEEWAY = 60
REGISTERED = ("iss", "sub", "aud")


class Invalid(Exception):
    """The token does not verify, or does not claim what it must."""


class Verifier:
    """The keys are read once."""

    def __init__(self, settings):
        self.expected = settings.expected_claims
        files = [name for name in ("AUTH_JWT_KEY_FILE", "AUTH_JWT_JWK_SET_FILE") if settings[name]]
        if not files:
            raise Wrong("key set for jwt verification is not configured: GF_AUTH_JWT_KEY_FILE or GF_AUTH_JWT_JWK_SET_FILE")
        if len(files) > 1:
            raise Wrong("key set configuration is ambiguous: set either GF_AUTH_JWT_KEY_FILE or GF_AUTH_JWT_JWK_SET_FILE")
        file = settings[files[0]]
        try:
            with open(file, "rb") as opened:
                content = opened.read()
            # By the id that a token's header names; without one it is the empty one.
            if files == ["AUTH_JWT_KEY_FILE"]:
                self.keys = [(settings["AUTH_JWT_KEY_ID"], load_pem_public_key(content))]
            else:
                # An id that is given more than once stands for all of its keys.
                self.keys = [(key.get("kid", ""), jwt.PyJWK(key).key) for key in json.loads(content)["keys"]]
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise Wrong(f"GF_{files[0]}: {file}: {error}") from error

    def verify(self, token):
        """The claims."""
        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
        except jwt.PyJWTError as error:
            raise Invalid(str(error)) from error
        keys = [key for id, key in self.keys if id == kid]
        if not keys:
            raise Invalid(f"no key has the id {kid!r}")
        wrong = None
        for key in keys:
            try:
                options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
                claims = jwt.decode(token, key, ALGORITHMS, options)
            except (jwt.PyJWTError, TypeError, ValueError) as error:
                wrong = error
                continue
            self._check(claims)
            return claims
        raise Invalid(str(wrong))

    def _check(self, claims):
        now = time.time()
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise Invalid(f"{name} must be a number, not {value!r}")
        if claims.get("exp") is not None and now - LEEWAY > claims["exp"]:
            raise Invalid("token is expired (exp)")
        if claims.get("nbf") is not None and now + LEEWAY < claims["nbf"]:
            raise Invalid("token not valid yet (nbf)")
        if claims.get("iat") is not None and now + LEEWAY < claims["iat"]:
            raise Invalid("token was issued in the future (iat)")
        for name, expected in self.expected.items():
            if name == "aud":
                held, wanted = _list(claims.get("aud")), _list(expected)
                if not set(held) & set(wanted):
                    raise Invalid("invalid audience claim (aud)")
            elif claims.get(name) != expected:
                raise Invalid(f"{name!r} claim mismatch")


def subject(token):
    """The `sub` that a token claims, true or not; without one the header counts as absent."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    value = claims.get("sub")
    return value if isinstance(value, str) and value else None


def _list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
