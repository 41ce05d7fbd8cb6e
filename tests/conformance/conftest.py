"""Verifiers that are not ours, each installed once, and a database to serve from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tests.databases import sqlite_database, sqlite_template

__all__ = ["sqlite_database", "sqlite_template"]

BUILD = Path(__file__).parents[2] / "build"
NODE = Path(__file__).parent / "node"
SCRIPTS = ("verify.mjs", "matrix.mjs")
NODE_CACHE = BUILD / "node-verifiers"
OPEN_BADGES_2 = Path(__file__).parent / "open_badges_2"
PYTHON_CACHE = BUILD / "open-badges-2"


@pytest.fixture(scope="session")
def node_verifier() -> Path:
    """The verifiers of npm, installed once with ``npm ci`` from the lock file beside these tests."""
    needs.node()
    npm = shutil.which("npm")
    assert npm is not None, "Node without npm"
    files = [
        NODE / name for name in ("package.json", "package-lock.json", ".npmrc", "verify.mjs", "matrix.mjs")
    ]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = NODE_CACHE / digest
    if not (folder / "done").exists():
        # several test processes may come at once: each installs for itself, the first one stays
        made = NODE_CACHE / f"{digest}-{os.getpid()}"
        made.mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copy(path, made)
        subprocess.run([npm, "ci", "--silent"], cwd=made, check=True, timeout=500)
        (made / "done").touch()
        try:
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)
    return folder


@pytest.fixture(scope="session")
def python() -> Path:
    """A Python with 1EdTech's validator: its requirements of 2017 bear with no others, so it lives apart."""
    required = OPEN_BADGES_2 / "requirements.txt"
    digest = hashlib.sha256(required.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = PYTHON_CACHE / digest
    if not (folder / "done").exists():
        # several test processes may come at once: whoever is first makes it, and an environment cannot move
        PYTHON_CACHE.mkdir(parents=True, exist_ok=True)
        import fcntl

        with (PYTHON_CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                shutil.rmtree(folder, ignore_errors=True)
                subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=200)
                install = ["-m", "pip", "install", "-q", "--no-deps", "-r", str(required)]
                subprocess.run(
                    [folder / "bin" / "python", *install], check=True, timeout=400, capture_output=True
                )
                (folder / "done").touch()
    return folder / "bin" / "python"
