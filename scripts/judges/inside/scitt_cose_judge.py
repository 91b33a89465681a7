"""PyPI `scitt-cose`: every entry is a SCITT signed statement under the keys of the JWK Set."""

from functools import partial
from typing import Any, Dict

import cbor2
import scitt_cose
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from verdict import Verdict, base64url, check_claims, check_forgeries, material, signed


def pem_keys(jwk_set: Dict[str, Any]) -> Dict[bytes, bytes]:
    """PEM by key id."""
    return {
        base64url(key["kid"]): Ed25519PublicKey.from_public_bytes(base64url(key["x"])).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        for key in jwk_set["keys"]
    }


def key_id(statement: bytes) -> bytes:
    """The key id of the protected header."""
    return bytes(cbor2.loads(cbor2.loads(statement).value[0])[4])


def accepts(statement: bytes, pem: bytes) -> bool:
    """Whether it verifies; this function of the library never raises."""
    parsed = scitt_cose.parse_signed_statement(statement, public_key_pem=pem)
    return parsed["signature_verified"] is True


def main() -> None:
    """Judges and prints the verdict."""
    verdict = Verdict()
    for group in material()["sets"]:
        keys = pem_keys(group["jwkSet"])
        for index, (name, statement, one) in enumerate(signed(group)):
            pem = keys[key_id(statement)]
            parsed = scitt_cose.parse_signed_statement(statement, public_key_pem=pem)
            verdict.expect(parsed["signature_verified"] is True, f"{name}: signature")
            verdict.expect(parsed["payload"] == bytes.fromhex(one["payload"]), f"{name}: payload")
            check_claims(verdict, name, group, one, parsed["claims"])
            check_forgeries(verdict, name, statement, index, partial(accepts, pem=pem))
    verdict.print()


main()
