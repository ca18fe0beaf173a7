#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How decode slows down with the tokens before it: a model of random weights for each kind of attention, its depths in turns.

    python bench/decode_by_depth.py --shapes trine-3d,trine-3d-strided,trine-full --depths 1024,32768
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))
from serving import Client, PeerError       # noqa: E402


def numbers(text):
    return [int(part) for part in text.split(",")]


def measure(options, shape, log):
    """{depth: [milliseconds per token]}, depth after depth, as often as asked for."""
    name, *chunked = shape.split("@")   # SHAPE@chunked:1024
    command = [options.trine, "--synthetic", name, "--type", options.type, "-r", "1", "--serve"]
    if chunked:
        command += ["--attention", chunked[0]]
    result = {depth: [] for depth in options.depths}
    with Client(shape, command, log) as client:
        for _ in range(options.repetitions):
            for depth, samples in result.items():
                answer = client.ask({"test": "tg", "tokens": options.tokens, "depth": depth, "threads": options.threads})
                samples.append(1e3 / answer["tokens_per_second"]["samples"][0])
    return result


def row(shape, samples):
    first, *others = samples
    medians = {depth: statistics.median(values) for depth, values in samples.items()}
    cells = [f"{medians[first]:.2f} ms"]
    for depth in others:
        ratio = statistics.median(b / a for a, b in zip(samples[first], samples[depth]))   # of neighbours
        cells.append(f"{medians[depth]:.2f} ms, {ratio:.2f} times")
    return f"| {shape} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trine", default=str(ROOT / "build/bin/trine-bench"), metavar="PROGRAM")
    parser.add_argument("--shapes", type=lambda text: text.split(","), metavar="LIST",
                        default=["trine-3d", "trine-3d-strided", "trine-full@chunked:1024", "trine-full"],
                        help="of trine-bench --synthetic, @chunked:SIZE[:OVERLAP] behind it if wanted")
    parser.add_argument("--depths", type=numbers, default=[1024, 32768], metavar="LIST", help="tokens before")
    parser.add_argument("--tokens", type=int, default=64, metavar="N", help="that are timed")
    parser.add_argument("--type", default="bf16", help="of the weights")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0: one a core")
    parser.add_argument("-r", "--repetitions", type=int, default=7, metavar="N")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all samples here too")
    options = parser.parse_args()
    print("| model | " + " | ".join(f"behind {depth} tokens" for depth in options.depths) + " |")
    print("|---|" + "---:|" * len(options.depths))
    document = {}
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes:
            document[shape] = measure(options, shape, pathlib.Path(folder) / "log.txt")
            print(row(shape, document[shape]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except PeerError as error:
        sys.exit(f"decode_by_depth: {error}")
