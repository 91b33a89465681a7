"""PyPI `standardwebhooks`: every HMAC delivery verifies with each of its secrets, and none of its
forgeries does."""

import base64
from typing import Any, Dict

from standardwebhooks import Webhook, WebhookVerificationError

from verdict import Verdict, material


def accepts(secret: str, body: bytes, headers: Dict[str, str]) -> bool:
    """Whether the library takes it."""
    try:
        Webhook(secret).verify(body, headers)
        return True
    except (WebhookVerificationError, ValueError):
        return False


def judge(verdict: Verdict, index: int, one: Dict[str, Any]) -> None:
    """One delivery."""
    name = f"delivery {index}"
    headers, body = dict(one["headers"]), base64.b64decode(one["body"])
    for number, secret in enumerate(one["secrets"]):
        verdict.expect(accepts(secret, body, headers), f"{name} with secret {number}")
        for place in range(len(body)):
            forged = bytearray(body)
            forged[place] ^= 0x01
            good = not accepts(secret, bytes(forged), headers)
            verdict.expect_refused(good, f"{name} with byte {place} changed")
        for header in ("webhook-id", "webhook-timestamp"):
            forged_value = headers[header][:-1] + ("0" if headers[header][-1] != "0" else "1")
            good = not accepts(secret, body, {**headers, header: forged_value})
            verdict.expect_refused(good, f"{name} with another {header}")
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    verdict.expect_refused(not accepts(other, body, headers), f"{name} with another secret")


def main() -> None:
    """Judges and prints the verdict."""
    verdict = Verdict()
    for index, one in enumerate(material()["deliveries"]):
        if one["alg"] == "hmac":
            judge(verdict, index, one)
    verdict.print()


main()
