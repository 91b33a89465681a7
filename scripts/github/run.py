"""`make example-github`: 329 real GitHub deliveries as records of what an agent did.

Registers a Type for each event, notarizes, exports and verifies every delivery, and shows that a
changed export is refused. The last line of the output is one line of JSON; the exit code is 0 when
all of it went well, else 1.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.client import Client, Refused, agent_in_new_org  # noqa: E402
from common.npm import CannotObtain, NpmMissing  # noqa: E402
from common.paths import TARGET  # noqa: E402
from common.server import CannotStart, deed_server  # noqa: E402

import checks  # noqa: E402
import notarize  # noqa: E402
from data import Delivery, load  # noqa: E402
from misfits import MISFITS  # noqa: E402

FOLDER = TARGET / "example-github"
EXPECTED = 329
PROGRESS_EVERY = 50
Figures = Dict[str, Any]


def main() -> int:
    """Runs the example and prints its verdict."""
    options = _options()
    started = time.monotonic()
    figures: Figures = {}
    try:
        deliveries, schema = load(options.data, FOLDER / "npm")
        say(f"{len(deliveries)} deliveries, a schema of {len(schema['definitions'])} definitions")
        with deed_server(FOLDER / "deed.log", options.url) as platform:
            passed = _example(platform, deliveries, schema, figures)
    except NpmMissing as missing:
        return _failed(
            f"{missing}. Install npm, or name a folder with deliveries.json and schema.json: "
            "--data DIR, or DEED_GITHUB_WEBHOOKS=DIR"
        )
    except (CannotObtain, CannotStart, Refused, OSError) as error:
        return _failed(str(error))
    figures["seconds"] = round(time.monotonic() - started, 1)
    say(
        f"{figures['verified']} of {len(deliveries)} deliveries are on record and verified, "
        f"in {figures['seconds']} s"
    )
    return _verdict(passed, figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("DEED_GITHUB_WEBHOOKS")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(given) if given else None,
        help="folder with deliveries.json and schema.json instead of the npm packages",
    )
    parser.add_argument("--url", help="a running server; its platform key in DEED_PLATFORM_KEY")
    return parser.parse_args()


def _example(
    platform: Client, deliveries: List[Delivery], schema: Figures, figures: Figures
) -> bool:
    suffix = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    admin, agent = agent_in_new_org(platform, f"GitHub example {suffix}", "github-agent")
    events = sorted({delivery.event for delivery in deliveries})
    figures["types"] = notarize.register_types(admin, events, schema)
    say(f"{figures['types']} Types are registered")

    outcomes = notarize.under_their_types(agent, deliveries, _progress("sent", len(deliveries)))
    refused = [outcome for outcome in outcomes if outcome.record_id is None]
    second = notarize.as_misfits(agent, refused)
    figures["strict"] = len(outcomes) - len(refused)
    figures["refused_then_lenient"] = sum(outcome.record_id is not None for outcome in second)
    recorded = {o.record_id: o.delivery for o in outcomes + second if o.record_id is not None}
    figures["notarized"] = len(recorded)
    _show(outcomes, second)

    files = checks.export_all(
        agent, list(recorded), FOLDER / "exports", _progress("exported", len(recorded))
    )
    verified = _verify(platform, files, figures)
    figures["search_agrees"] = checks.found_by_repository(agent, recorded)
    say(f"search by repository finds exactly these records: {figures['search_agrees']}")
    fitting = next(o.delivery for o in outcomes if o.record_id is not None)
    figures["retry_identical"] = checks.retried_alike(agent, fitting)
    say(f"a retry with the same Idempotency-Key gets the same bytes: {figures['retry_identical']}")
    misfits = {(outcome.delivery.event, outcome.delivery.index) for outcome in refused}
    figures["refusals_as_expected"] = misfits == MISFITS
    complete = len(recorded) == len(deliveries) == EXPECTED
    checked = ("search_agrees", "retry_identical", "refusals_as_expected")
    return verified and complete and all(figures[name] for name in checked)


def _show(outcomes: List[notarize.Outcome], second: List[notarize.Outcome]) -> None:
    """Prints what was notarized per event, and every refusal with its reason."""
    fitting = Counter(o.delivery.event for o in outcomes if o.record_id is not None)
    other = Counter(o.delivery.event for o in second if o.record_id is not None)
    say("notarized per event (as its Type + as a misfit):")
    cells = [
        f"{event} {fitting[event]}+{other[event]}" for event in sorted(set(fitting) | set(other))
    ]
    for row in range(0, len(cells), 4):
        say("  " + "  ".join(f"{cell:<38}" for cell in cells[row : row + 4]).rstrip())
    refused = [outcome for outcome in outcomes if outcome.record_id is None]
    say(
        f"{len(refused)} deliveries do not fit the published schema of their event "
        "and were refused (422);"
    )
    say(f"they are on record as {notarize.MISFIT}, with the reason:")
    for outcome in refused:
        say(f"  {outcome.delivery.name:<40} {notarize.reason(outcome.problem or {})}")
    for outcome in second:
        if outcome.problem is not None:
            say(f"  NOT RECORDED {outcome.delivery.name}: {notarize.reason(outcome.problem)}")


def _verify(platform: Client, files: List[Path], figures: Figures) -> bool:
    """Verifies every export under the published keys, and forges one."""
    keys = FOLDER / "keys.json"
    keys.write_bytes(platform.get_bytes("/.well-known/deed-vault-keys.json"))
    results = [checks.verify(file, keys) for file in files]
    for file, result in zip(files, results):
        if result.code != checks.VALID:
            say(f"{file} does not verify:\n{result.output}")
    figures["verified"] = sum(result.code == checks.VALID for result in results)
    say(
        f"{figures['verified']} of {len(files)} exports verify offline; "
        f"the first says:\n{results[0].output}"
    )
    forged = FOLDER / "forged.json"
    change = checks.forge(files[0], forged)
    answer = checks.verify(forged, keys)
    figures["forged_refused"] = answer.code == checks.TAMPERED
    say(f"a forged export, in which {change}:\n{answer.output}")
    return bool(figures["verified"] == len(files) and figures["forged_refused"])


def _progress(what: str, total: int) -> Callable[[int], None]:
    """A function that prints a line now and then."""
    last = 0

    def show(done: int) -> None:
        nonlocal last
        if done == total or done - last >= PROGRESS_EVERY:
            last = done
            say(f"{what} {done} of {total}")

    return show


def _failed(why: str) -> int:
    print(f"The example cannot run: {why}", file=sys.stderr)
    return _verdict(False, {"reason": why.splitlines()[0]})


def _verdict(passed: bool, figures: Figures) -> int:
    say(json.dumps({"suite": "example-github", "pass": passed, "figures": figures}))
    return 0 if passed else 1


def say(line: str) -> None:
    """Prints at once: the output may be a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
