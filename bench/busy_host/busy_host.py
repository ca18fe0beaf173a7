#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is left of the speed where other programs want the processors too, or a container may use only a share of them.

    python bench/busy_host/busy_host.py -m examples/models/shakespeare
    python bench/busy_host/busy_host.py -m DIR --situations idle,busy --seconds 5 --rounds 5

Compares what trine does by default with one thread, with OpenMP's threads that wait passively (OMP_WAIT_POLICY=passive) and with
OpenMP as it is. All of them keep the model loaded and take turns, a few seconds each, in one situation after another:

    idle       nothing else runs (as far as this script can tell)
    busy       one foreign process per processor that only computes
    quota:Q    a control group that grants Q processors' worth of time (Linux; needs the right to make one, mostly root)

A figure is tokens per second over all turns of a program: tokens / seconds, not a mean of rates, so that turns in which nothing
moved count. The last column is the ratio of the default to the better of one thread and passive OpenMP, and must not be below
0.9 (--check makes that the exit code, where the situation is not idle).
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))
from serving import Client, PeerError       # noqa: E402

VERSION1 = pathlib.Path("/sys/fs/cgroup/cpu")
PROCESSORS = len(os.sched_getaffinity(0))
CANDIDATES = {   # name: (environment, options of trine-bench, threads; 0: the default)
    "default": ({}, [], 0),
    "1 thread": ({}, [], 1),
    "passive OpenMP": ({"OMP_WAIT_POLICY": "passive"}, ["--executor", "openmp"], PROCESSORS),
    "OpenMP": ({}, ["--executor", "openmp"], PROCESSORS),
}


@contextlib.contextmanager
def busy_processes(count):
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class ControlGroup:
    """A control group of its own with a CPU quota; version 1 or 2, whichever the system has."""

    PERIOD = 100_000   # microseconds

    def __init__(self, processors):
        quota = int(processors * self.PERIOD)
        period, limit = ("cpu.cfs_period_us", "cpu.cfs_quota_us") if VERSION1.is_dir() else (None, "cpu.max")
        self.path = self.parent() / f"trine-busy-host-{os.getpid()}"
        try:
            self.path.mkdir()
            if period:
                (self.path / period).write_text(str(self.PERIOD))
            (self.path / limit).write_text(str(quota) if period else f"{quota} {self.PERIOD}")
        except OSError as error:
            self.close()
            raise PeerError(f"quota: cannot make the control group {self.path}: {error.strerror}") from error

    @staticmethod
    def parent():
        if not VERSION1.is_dir():
            return pathlib.Path("/sys/fs/cgroup")   # a group with processes in it could not limit others
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        own = next((path for _, names, path in (line.split(":", 2) for line in lines) if "cpu" in names.split(",")), "/")
        return VERSION1 / own.lstrip("/")

    def command(self, command):
        """The command that runs `command` inside."""
        return ["sh", "-c", f'echo $$ > "{self.path}/cgroup.procs" && exec "$@"', "sh", *command]

    def close(self):
        for _ in range(50):   # until the processes inside have ended
            with contextlib.suppress(OSError):
                self.path.rmdir()
            if not self.path.exists():
                return
            time.sleep(0.1)


def measure(options, situation, log):
    """{test: {candidate: tokens per second}} of one situation."""
    kind, _, value = situation.partition(":")
    with contextlib.ExitStack() as stack:
        group = None
        if kind == "quota":
            group = ControlGroup(float(value))
            stack.callback(group.close)
        clients = {}
        for name in options.candidates:
            environment, arguments, _ = CANDIDATES[name]
            command = ["env", *(f"{key}={value}" for key, value in environment.items()), options.trine, *options.model,
                       *arguments, "--no-limits", "-r", "1", "--serve"]
            clients[name] = stack.enter_context(Client(name, group.command(command) if group else command, log))
        if kind == "busy":
            stack.enter_context(busy_processes(PROCESSORS))
        elif kind not in ("idle", "quota"):
            raise PeerError(f"situation {situation!r}: expected idle, busy or quota:PROCESSORS")
        return {test: turns(options, clients, test) for test in options.tests}


def turns(options, clients, test):
    tokens = dict.fromkeys(clients, 0)
    seconds = dict.fromkeys(clients, 0.0)
    request = {"test": test[:2], "tokens": int(test[2:])}
    for name, client in clients.items():
        client.ask({**request, "threads": CANDIDATES[name][2]})   # pages in the weights
    for turn in range(options.rounds):
        for name in sorted(clients, reverse=turn % 2 == 1):
            end = seconds[name] + options.seconds
            while seconds[name] < end:
                answer = clients[name].ask({**request, "threads": CANDIDATES[name][2]})
                tokens[name] += request["tokens"]
                seconds[name] += request["tokens"] / answer["tokens_per_second"]["samples"][0]
    return {name: tokens[name] / seconds[name] for name in clients}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trine", default=str(ROOT / "build/bin/trine-bench"), metavar="PROGRAM")
    parser.add_argument("-m", "--model-directory", metavar="DIR", help="a model; or --synthetic")
    parser.add_argument("--synthetic", metavar="SHAPE", help="random weights, as trine-bench has them")
    parser.add_argument("--layers", default="4", metavar="N", help="of --synthetic")
    parser.add_argument("--type", default="q8", help="of the weights of --synthetic")
    parser.add_argument("--tests", type=lambda text: text.split(","), default=["pp128", "tg64"], metavar="LIST")
    parser.add_argument("--situations", type=lambda text: text.split(","), metavar="LIST",
                        default=["idle", "busy", "quota:1", "quota:0.5"])
    parser.add_argument("--candidates", type=lambda text: text.split(","), metavar="LIST", default=list(CANDIDATES))
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--check", action="store_true", help="exit with 1 where the default is below 0.9 of the better one")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures here too")
    options = parser.parse_args()
    if (options.model_directory is None) == (options.synthetic is None):
        parser.error("a model is missing: -m DIR or --synthetic SHAPE")
    for name in options.candidates:
        if name not in CANDIDATES:
            parser.error(f"--candidates: expected some of {', '.join(CANDIDATES)}, found {name!r}")
    options.model = ["-m", options.model_directory] if options.model_directory else [
        "--synthetic", options.synthetic, "--layers", options.layers, "--type", options.type]

    print(f"{PROCESSORS} processors\n")
    print("| situation | test | " + " | ".join(options.candidates) + " | default : better |")
    print("|---|---|" + "---:|" * (len(options.candidates) + 1))
    document, below = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for situation in options.situations:
            document[situation] = measure(options, situation, pathlib.Path(folder) / "log.txt")
            for test, rates in document[situation].items():
                peers = [rates[name] for name in ("1 thread", "passive OpenMP") if name in rates]
                ratio = rates["default"] / max(peers) if peers and "default" in rates else float("nan")
                if ratio < 0.9 and situation != "idle":
                    below.append(f"{situation} {test}: {ratio:.2f}")
                cells = [f"{rate:.1f}" for rate in rates.values()] + [f"{ratio:.2f}"]
                print(f"| {situation} | {test} | " + " | ".join(cells) + " |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.check and below:
        sys.exit("below 0.9: " + ", ".join(below))


if __name__ == "__main__":
    try:
        main()
    except PeerError as error:
        sys.exit(f"busy_host: {error}")
