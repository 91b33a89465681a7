"""PyPI `cwt`: every entry verifies under the keys of the COSE Key Set, and under the JWK Set."""

from functools import partial
from typing import Any, Dict, List

import cbor2
from cwt import COSE, COSEKey

from verdict import Verdict, base64url, check_claims, check_forgeries, material, signed

CWT_CLAIMS = 15


def main() -> None:
    """Judges and prints the verdict."""
    verdict = Verdict()
    for group in material()["sets"]:
        key_sets = {
            "COSE Key Set": [
                COSEKey.new(key) for key in cbor2.loads(bytes.fromhex(group["coseKeySet"]))
            ],
            "JWK Set": [COSEKey.from_jwk(with_bytes(key)) for key in group["jwkSet"]["keys"]],
        }
        for index, (name, statement, one) in enumerate(signed(group)):
            for what, keys in key_sets.items():
                protected, _, payload = COSE.new(verify_kid=True).decode_with_headers(
                    statement, keys
                )
                verdict.expect(
                    payload == bytes.fromhex(one["payload"]), f"{name}: payload under the {what}"
                )
                check_claims(verdict, name, group, one, protected[CWT_CLAIMS])
            check_forgeries(verdict, name, statement, index, partial(accepts, keys=keys))
    verdict.print()


def with_bytes(jwk: Dict[str, Any]) -> Dict[str, Any]:
    """The JWK with its key id as bytes: the library would take the text's characters for them,
    where it is the base64url form of the key id in the entries."""
    return {**jwk, "kid": base64url(jwk["kid"])}


def accepts(statement: bytes, keys: List[Any]) -> bool:
    """Whether it verifies; whatever keeps it from being decoded is a refusal."""
    try:
        COSE.new(verify_kid=True).decode(statement, keys)
        return True
    except Exception:  # The library has no common error: what comes out of it depends on the byte.
        return False


main()
