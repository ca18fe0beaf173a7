# SPDX-License-Identifier: Apache-2.0
"""Measurements in a process of their own: a request a line in, an answer a line out, both JSON; as `trine-bench --serve`.

    {"test": "pp", "tokens": 512, "threads": 2, "depth": 0}     answered by {"tokens_per_second": {"samples": [x]}}
    {"test": "tg", ...}, {"test": "batch", "rows": 8, ...}      or {"error": "..."}

A peer that dies takes nothing down with it, and keeps its model between requests.
"""
import json
import os
import subprocess
import sys
import time

from shapes import Test


class PeerError(Exception):
    """A program did not do what it was asked for."""


class Client:
    """The asking side."""

    def __init__(self, name, command, log):
        self.name = name
        self._log = log
        self._log_file = open(log, "w", encoding="utf-8", errors="replace")
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=self._log_file, text=True)
        except OSError as error:
            self._log_file.close()
            raise PeerError(f"{name}: cannot start {command[0]}: {error.strerror}") from error

    def ask(self, request):
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass   # the missing answer tells
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self.name}: ended with code {self._process.wait()} at {json.dumps(request)}; the end of "
                            f"{self._log}:\n{self._last_lines()}")
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise PeerError(f"{self.name}: not a line of JSON: {line[:80]!r}") from error
        if "error" in answer:
            raise PeerError(f"{self.name}: {answer['error']}")
        return answer

    def _last_lines(self):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            return "".join(f"    {line}" for line in file.readlines()[-8:])

    def close(self):
        try:
            self._process.stdin.close()   # the end of requests ends it
        except BrokenPipeError:
            pass   # it has ended already
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log_file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def serve(make_runner):
    """The answering side. make_runner() -> runner with `describe()` and `run(test, threads)`, which returns the seconds
    of the timed calls. Whatever else is printed to stdout goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    runner = None
    for line in sys.stdin:
        try:
            runner = runner or make_runner()
            answer = _answer(runner, json.loads(line))
        except Exception as error:   # the other side decides what to do about it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _answer(runner, request):
    if request["test"] == "describe":
        return runner.describe()
    kind, tokens = request["test"], request["tokens"]
    rows = {"pp": tokens, "tg": 1}.get(kind) or request["rows"]
    test = Test(kind, tokens // rows * rows, rows, request.get("depth", 0))
    runner.run(test, request["threads"])   # not timed, as in trine-bench
    seconds = runner.run(test, request["threads"])
    return {"tokens_per_second": {"samples": [test.tokens / seconds]}}


def timed(calls):
    start = time.perf_counter()
    calls()
    return time.perf_counter() - start
