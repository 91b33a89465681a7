"""PyPI `rfc8785`: the payload of every entry is the SHA-256 of its body in canonical form."""

import hashlib
import json
from typing import Any, Union

import rfc8785

from verdict import Verdict, material, signed

LARGEST_EXACT = 2**53 - 1


def read(text: str) -> Any:
    """Parses JSON. Integers that a double cannot hold exactly are doubles, as in ECMAScript."""
    return json.loads(text, parse_int=number)


def number(digits: str) -> Union[int, float]:
    """The number of these digits; the library takes no larger integers."""
    value = int(digits)
    return value if abs(value) <= LARGEST_EXACT else float(digits)


def main() -> None:
    """Judges and prints the verdict."""
    verdict = Verdict()
    given = material()
    for group in given["sets"]:
        for name, _, one in signed(group):
            digest = hashlib.sha256(rfc8785.dumps(read(json.dumps(one["body"])))).hexdigest()
            verdict.expect(digest == one["payload"], f"{name}: body hash is {digest}")
    for case in given["canonical"]:
        canonical = rfc8785.dumps(read(case["input"])).decode()
        verdict.expect(canonical == case["canonical"], f"{case['input']} becomes {canonical}")
    verdict.print()


main()
