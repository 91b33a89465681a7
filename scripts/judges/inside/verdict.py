"""What the judges that run in an environment of their own have in common."""

import base64
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

# Which claims our entries carry (docs/spec): position, previous entry's hash.
POSITION, PREVIOUS = -70001, -70002
# One byte in so many is changed in each statement; the first byte differs from one to the next, so
# that all places are reached. The first statement is changed at every byte.
STRIDE = 16


class Verdict:
    """Counts what was found good, what was rightly refused, and what is wrong."""

    def __init__(self) -> None:
        self.checked = 0
        self.refused = 0
        self.failures: List[str] = []

    def expect(self, good: bool, what: str) -> None:
        """Notes a check."""
        if good:
            self.checked += 1
        else:
            self.failures.append(what)

    def expect_refused(self, good: bool, what: str) -> None:
        """Notes a forgery."""
        if good:
            self.refused += 1
        else:
            self.failures.append(f"{what} is accepted")

    def print(self) -> None:
        """Prints the verdict as a line of JSON."""
        print(
            json.dumps(
                {"checked": self.checked, "refused": self.refused, "failures": self.failures}
            )
        )


def material() -> Dict[str, Any]:
    """The material, the file of which is the first argument."""
    return json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def base64url(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(group: Dict[str, Any]) -> Iterator[Tuple[str, bytes, Dict[str, Any]]]:
    """Name, bytes and expectations of every statement."""
    for index, one in enumerate(group["statements"]):
        yield f"{group['name']} statement {index}", bytes.fromhex(one["statement"]), one


def check_claims(
    verdict: Verdict, name: str, group: Dict[str, Any], one: Dict[str, Any], claims: Any
) -> None:
    """The signed claims are those that the server says they are."""
    expected = {1: group["issuer"], 2: one["subject"], POSITION: one["position"]}
    if one["previous"] is not None:
        expected[PREVIOUS] = bytes.fromhex(one["previous"])
    for label, value in expected.items():
        if value is not None:
            verdict.expect(
                claims.get(label) == value, f"{name}: claim {label} is {claims.get(label)!r}"
            )


def check_forgeries(
    verdict: Verdict, name: str, statement: bytes, index: int, accepts: Callable[[bytes], bool]
) -> None:
    """The statement with one byte changed is refused, wherever the byte is."""
    step = STRIDE if index else 1
    for place in range(index % step, len(statement), step):
        forged = bytearray(statement)
        forged[place] ^= 0x01
        verdict.expect_refused(not accepts(bytes(forged)), f"{name} with byte {place} changed")
