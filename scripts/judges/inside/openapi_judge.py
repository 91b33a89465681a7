"""PyPI `openapi-spec-validator`: /openapi.json is a valid OpenAPI 3.1 document."""

import json
import sys
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from verdict import Verdict

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def main() -> None:
    """Judges and prints the verdict; what is counted are operations."""
    verdict = Verdict()
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    verdict.expect(
        document.get("openapi", "").startswith("3.1"), f"openapi is {document.get('openapi')}"
    )
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        verdict.failures.append(f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    verdict.checked = sum(len(METHODS & set(path)) for path in document.get("paths", {}).values())
    verdict.expect(verdict.checked > 0, "it has no operation")
    verdict.print()


main()
