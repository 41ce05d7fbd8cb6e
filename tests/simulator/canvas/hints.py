"""What the hosts of the cloud tell each other through the browser: short JWTs under a key they share."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from tests.simulator.canvas.lms import Cloud
from tests.simulator.keys import b64url, signing_input

LIFE = timedelta(minutes=5)


def seal(cloud: Cloud, **claims: Any) -> str:
    """A JWT that ends after five minutes."""
    body = {**claims, "exp": int((cloud.clock() + LIFE).timestamp())}
    text = signing_input({"typ": "JWT", "alg": "HS512"}, body)
    return text + "." + b64url(hmac.digest(cloud.secret, text.encode(), "sha512"))


def unseal(cloud: Cloud, token: str) -> dict[str, Any] | None:
    """Its claims; None where it is not ours, or over."""
    text, _, signature = token.rpartition(".")
    expected = b64url(hmac.digest(cloud.secret, text.encode(), hashlib.sha512))
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    body = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims if claims["exp"] > cloud.clock().timestamp() else None
