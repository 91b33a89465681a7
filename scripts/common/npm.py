"""Packages of the npm registry, by name, version and hash. Nothing of them is run."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

PACK_SECONDS = 180


class Package(NamedTuple):
    """A published package; `sha512` is its `dist.integrity` in base64."""

    name: str
    version: str
    sha512: str


class NpmMissing(Exception):
    """There is no npm on this machine."""


class CannotObtain(Exception):
    """npm is there and does not deliver."""


def obtain(package: Package, folder: Path) -> Path:
    """The package's tarball in `folder`, fetched unless it is there, its hash checked."""
    stem = package.name.lstrip("@").replace("/", "-")
    tarball = folder / f"{stem}-{package.version}.tgz"
    if not tarball.exists():
        _fetch(package, folder)
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    if digest != base64.b64decode(package.sha512):
        raise CannotObtain(
            f"{tarball} is not the {package.name} {package.version} that is pinned; remove it"
        )
    return tarball


def read(tarball: Path, member: str) -> bytes:
    """One file of a tarball, `member` without the leading `package/`."""
    with tarfile.open(tarball, "r:gz") as archive:
        found = archive.extractfile(f"package/{member}")
        if found is None:
            raise CannotObtain(f"{tarball} holds no {member}")
        return found.read()


def unpack(tarball: Path, folder: Path) -> None:
    """All plain files of a tarball, into an empty `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive.getmembers():
            parts = Path(member.name).parts[1:]
            if not member.isfile() or ".." in parts or not parts:
                continue
            found = archive.extractfile(member)
            assert found is not None
            file = folder.joinpath(*parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(found.read())


def _fetch(package: Package, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmMissing("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PACK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CannotObtain(f"npm pack {package.name} took more than {PACK_SECONDS} s") from late
    if done.returncode != 0:
        raise CannotObtain(f"npm pack {package.name} failed: {done.stderr.strip()[-500:]}")
