"""`make judges`: implementations that are not ours check what Deed signs and hashes.

Prints a line for each judge: name, version, what it judged, counts, and pass, skip or fail. The
last line of the output is one line of JSON; the exit code is 0 when no judge failed and at least
one judge of signatures and one of body hashes was heard, else 1.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.client import Client, Refused  # noqa: E402
from common.npm import CannotObtain as CannotObtainFromNpm  # noqa: E402
from common.npm import NpmMissing  # noqa: E402
from common.paths import TARGET  # noqa: E402
from common.server import CannotStart, deed_server  # noqa: E402

import envs  # noqa: E402
import hooks  # noqa: E402
import material  # noqa: E402
from bench import Bench, Finding, Judge, Wrong  # noqa: E402
from panel import JUDGES  # noqa: E402

FOLDER = TARGET / "judges"
# Of each of these at least one judge has to be heard.
NEEDED = ("signatures", "hashes")
HEAD = f"{'judge':<22} {'version':<8} {'judged':<50} {'good':>5} {'refused':>7}  result"


def main() -> int:
    """Gathers the material, hears every judge and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running server; its platform key in DEED_PLATFORM_KEY")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        pki = None if options.url else _certificates()
        variables = hooks.variables(pki) if pki else {}
        with deed_server(FOLDER / "deed.log", options.url, variables) as platform:
            bench = _gather(platform, pki)
            print(HEAD, flush=True)
            results = {judge.name: _hear(judge, bench) for judge in JUDGES}
    except (CannotStart, Refused, OSError, ValueError) as error:
        print(f"There is nothing to judge: {error}", file=sys.stderr)
        return _verdict(False, {"reason": str(error).splitlines()[0]})
    return _sum_up(results, bench, time.monotonic() - started)


def _certificates() -> Optional[hooks.Pki]:
    """What an endpoint of webhooks needs; None where it cannot be made, and its judges are skipped."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        return hooks.certificates(FOLDER)
    except (envs.Skipped, envs.CannotObtain, subprocess.SubprocessError) as why:
        print(f"No deliveries of webhooks are judged: {why}", file=sys.stderr)
        return None


def _gather(platform: Client, pki: Optional[hooks.Pki]) -> Bench:
    """Has the server sign a variety of records; what it says is kept in files."""
    name = time.strftime("Judges %Y-%m-%d %H:%M:%S", time.gmtime())
    gathered = material.gather(platform, name)
    FOLDER.mkdir(parents=True, exist_ok=True)
    sets = [gathered.signed, material.vectors()]
    openapi = FOLDER / "openapi.json"
    openapi.write_bytes(platform.get_bytes("/openapi.json"))
    statements = sum(len(group["statements"]) for group in sets)
    file = material.write(FOLDER, sets)
    admin, record = gathered.admin, gathered.record
    deliveries = hooks.gather(admin, gathered.agent, record, pki, FOLDER) if pki else None
    return Bench(FOLDER, file, openapi, statements, record, admin, deliveries)


def _hear(judge: Judge, bench: Bench) -> Dict[str, Any]:
    """One judge's line and figures."""
    try:
        finding = judge.hear(bench)
        result, note = "pass", ""
    except (envs.Skipped, NpmMissing) as why:
        finding, result, note = Finding(0, 0), "skip", str(why)
    except (envs.CannotObtain, CannotObtainFromNpm, Wrong) as why:
        finding, result, note = Finding(0, 0), "fail", str(why)
    except Exception as why:  # The other judges are to be heard all the same.
        finding, result, note = Finding(0, 0), "fail", f"it broke off: {why!r}"
    version = finding.version or judge.version
    counts = f"{finding.good:>5} {finding.refused:>7}"
    line = f"{judge.name:<22} {version:<8} {judge.judged:<50} {counts}  {result}"
    print(line + (f": {note}" if note else ""), flush=True)
    return {"result": result, "version": version, "good": finding.good, "refused": finding.refused}


def _sum_up(results: Dict[str, Dict[str, Any]], bench: Bench, seconds: float) -> int:
    def named(result: str) -> List[str]:
        return [name for name, one in results.items() if one["result"] == result]

    heard = {judge.about for judge in JUDGES if results[judge.name]["result"] == "pass"}
    unheard = [what for what in NEEDED if what not in heard]
    if unheard:
        print(f"No judge of {' and '.join(unheard)} found all well, so the whole is no pass.")
    figures = {
        "statements": bench.statements,
        "judges": results,
        "skipped": named("skip"),
        "failed": named("fail"),
        "unheard": unheard,
        "seconds": round(seconds, 1),
    }
    return _verdict(not named("fail") and not unheard, figures)


def _verdict(passed: bool, figures: Dict[str, Any]) -> int:
    print(json.dumps({"suite": "judges", "pass": passed, "figures": figures}), flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
