# SPDX-License-Identifier: Apache-2.0
"""Where the peers run: a virtual environment with what they need."""
import os
import subprocess
import sys
import venv
from pathlib import Path

from serving import PeerError

# llama-cpp-python brings llama.cpp as source code; this is how it is told to use all that this processor has.
BUILD_FLAGS = "-DGGML_NATIVE=ON"
PACKAGES = {"llama.cpp": ["llama-cpp-python==0.3.36", "gguf==0.19.0", "numpy"],
            "transformers": ["torch==2.13.0", "transformers==5.24.0"]}


def _missing(python, packages):
    """Those of `packages` that this interpreter has not, or has in another version."""
    code = ("import importlib.metadata as m, sys\n"
            "for p in sys.argv[1:]:\n"
            "    name, _, wanted = p.partition('==')\n"
            "    try: found = m.version(name)\n"
            "    except m.PackageNotFoundError: found = None\n"
            "    if found is None or (wanted and found.split('+')[0] != wanted): print(p)\n")
    result = subprocess.run([str(python), "-c", code, *packages], capture_output=True, text=True, check=True)
    return result.stdout.split()


def python_for(peer, folder, install):
    """An interpreter with the packages of the peer: this one, or that of the environment in `folder`, where they are
    installed if need be. Throws PeerError."""
    packages = PACKAGES[peer]
    if not _missing(sys.executable, packages):
        return Path(sys.executable)
    python = folder / "bin" / "python"
    missing = _missing(python, packages) if python.exists() else packages
    if not missing:
        return python
    if not install:
        raise PeerError(f"{peer} is not installed: without --no-install, {' '.join(missing)} go to {folder}")
    if not python.exists():
        print(f"making {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True)
    for package in missing:
        note = f" (built with {BUILD_FLAGS}: this takes minutes)" if package.startswith("llama") else ""
        print(f"installing {package}{note}", file=sys.stderr, flush=True)
        command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", package]
        if package.startswith("llama"):   # verbose: the steps of the build are in the output
            command += ["--verbose", "--no-binary", "llama-cpp-python"]
        _run_pip(command, folder.parent / "install.log", package)
    return python


def _run_pip(command, log, package):
    """Shows the steps of a build, "[12/345] Building ...", in one line; all else goes to the log."""
    environment = {**os.environ, "CMAKE_ARGS": BUILD_FLAGS}
    with open(log, "a", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", env=environment)
        for line in process.stdout:
            file.write(line)
            if line.lstrip().startswith("[") and sys.stderr.isatty():
                print(f"\r\033[K{line.strip()[:100]}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if process.wait() != 0:
        raise PeerError(f"pip could not install {package}; see {log}")
