"""Virtual environments for the judges, and the Pythons to make them with."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

HERE = Path(__file__).resolve().parent
# The oldest Python that the pinned versions run on.
OLDEST = {
    "scitt-cose": (3, 10),
    "cwt": (3, 10),
    "rfc8785": (3, 8),
    "http-message-signatures": (3, 10),
    "openapi-spec-validator": (3, 11),
    "schemathesis": (3, 11),
    "standardwebhooks": (3, 9),
}
NEWEST_TRIED = 20
INSTALL_SECONDS = 600


class Skipped(Exception):
    """Why a judge cannot be heard on this machine."""


class CannotObtain(Exception):
    """A judge could not be installed."""


class Python(NamedTuple):
    """An interpreter and its version."""

    path: str
    version: Tuple[int, ...]


def find_python(oldest: Tuple[int, int]) -> Python:
    """The running interpreter, or another one of the machine that is new enough."""
    for path in _candidates():
        version = _version(path)
        if version is not None and version[:2] >= oldest:
            return Python(path, version)
    raise Skipped(f"no Python {oldest[0]}.{oldest[1]} or later is on this machine")


def _candidates() -> Iterator[str]:
    yield sys.executable
    for minor in range(9, NEWEST_TRIED):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from (str(path) for path in sorted(versions.glob("3.*/bin/python3")))


def _version(path: str) -> Optional[Tuple[int, ...]]:
    """None when it does not run, as a pyenv shim of a version that is not selected."""
    command = [path, "-c", "import sys; print(*sys.version_info[:3])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None


def environment(name: str, folder: Path) -> str:
    """The interpreter of an environment with `requirements/<name>.txt` in it, made unless it is
    there. Every file that is installed has a hash that is pinned there."""
    python = find_python(OLDEST[name])
    requirements = HERE / "requirements" / f"{name}.txt"
    stamp = hashlib.sha256(requirements.read_bytes() + repr(python).encode()).hexdigest()
    where = folder / f"venv-{name}"
    inside = str(where / "bin" / "python")
    done = where / "installed"
    if done.exists() and done.read_text(encoding="utf-8") == stamp:
        return inside
    print(f"Installing {name} and what it needs", file=sys.stderr, flush=True)
    shutil.rmtree(where, ignore_errors=True)
    _run([python.path, "-m", "venv", str(where)])
    _run([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--require-hashes", "--only-binary", ":all:", "-r", str(requirements)])  # fmt: skip
    done.write_text(stamp, encoding="utf-8")
    return inside


def source(name: str, folder: Path) -> Path:
    """The source archive of `requirements/<name>.txt`, its hash checked when it is fetched."""
    into = folder / f"source-{name}"
    found = sorted(into.glob("*.tar.gz"))
    if not found:
        python = find_python(OLDEST[name])
        requirements = HERE / "requirements" / f"{name}.txt"
        into.mkdir(parents=True, exist_ok=True)
        command = [python.path, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-binary", ":all:", "--require-hashes"]
        _run([*command, "-r", str(requirements), "-d", str(into)])
        found = sorted(into.glob("*.tar.gz"))
    if len(found) != 1:
        raise CannotObtain(f"one source archive is expected in {into}, there are {len(found)}")
    return found[0]


def version(name: str) -> str:
    """The version of a judge that is pinned."""
    for line in (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}=="):
            return line.split("==")[1].split()[0]
    raise ValueError(f"{name} is not pinned")


def _run(command: List[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CannotObtain(f"{' '.join(command[:4])} took more than {INSTALL_SECONDS} s") from late
    if done.returncode != 0:
        raise CannotObtain((done.stderr or done.stdout).strip()[-600:])
