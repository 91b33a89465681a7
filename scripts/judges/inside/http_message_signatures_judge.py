"""PyPI `http-message-signatures`: every Ed25519 delivery verifies with the published key, over all that
has to be signed, and none of its forgeries does."""

import base64
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)

from verdict import Verdict, base64url, material

COVERED = (
    "@method",
    "@target-uri",
    "content-digest",
    "content-type",
    "webhook-id",
    "webhook-timestamp",
)


class Keys(HTTPSignatureKeyResolver):
    """The keys of the server's JWK Set."""

    def __init__(self, jwk_set: Dict[str, Any]) -> None:
        self.keys = {key["kid"]: base64url(key["x"]) for key in jwk_set["keys"]}

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        """The key of that name."""
        return Ed25519PublicKey.from_public_bytes(self.keys[key_id])


def accepts(keys: Keys, url: str, headers: List[Tuple[str, str]], body: bytes, method: str) -> bool:
    """Whether the library takes it."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    message = SimpleNamespace(method=method, url=url, headers=dict(headers))
    try:
        found = verifier.verify(
            message, expect_tag="deed-webhook", require_components=COVERED, body=body
        )
        return len(found) == 1 and found[0].body == body
    except (HTTPMessageSignaturesException, KeyError, ValueError):
        return False


def judge(verdict: Verdict, keys: Keys, index: int, one: Dict[str, Any]) -> None:
    """One delivery."""
    name, url = f"delivery {index}", one["url"]
    headers = [(key, value) for key, value in one["headers"]]
    body = base64.b64decode(one["body"])
    verdict.expect(accepts(keys, url, headers, body, "POST"), name)
    for place in range(len(body)):
        forged = bytearray(body)
        forged[place] ^= 0x01
        good = not accepts(keys, url, headers, bytes(forged), "POST")
        verdict.expect_refused(good, f"{name} with byte {place} changed")
    for header in ("content-digest", "content-type", "webhook-id", "webhook-timestamp"):
        changed = [(k, v + "0" if k.lower() == header else v) for k, v in headers]
        good = not accepts(keys, url, changed, body, "POST")
        verdict.expect_refused(good, f"{name} with another {header}")
    verdict.expect_refused(not accepts(keys, url + "c", headers, body, "POST"), f"{name}, other URL")
    verdict.expect_refused(not accepts(keys, url, headers, body, "PUT"), f"{name}, other method")


def main() -> None:
    """Judges and prints the verdict."""
    verdict, given = Verdict(), material()
    keys = Keys(given["jwkSet"])
    for index, one in enumerate(given["deliveries"]):
        if one["alg"] == "ed25519":
            judge(verdict, keys, index, one)
    verdict.print()


main()
