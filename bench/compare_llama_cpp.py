#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""trine beside llama.cpp, or beside PyTorch with Transformers: the same shape, random weights, one run.

    python bench/compare_llama_cpp.py --trine build/bin/trine-bench --shape deepseek-v2-lite --layers 6

Both programs keep their model loaded and take turns, run by run, each run after an untimed one of its own, so that what
the machine does meanwhile meets both. A row of the table has the medians, in brackets the least and the most; the ratio
of the medians; the bits of a weight that a token reads; and what share of the machine's limit that is, which trine-bench
measures right before and after each of its runs. Needs no packages itself.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(PEERS))

from environment import python_for          # noqa: E402
from serving import Client, PeerError       # noqa: E402
from shapes import CONFIGS, Test, Work, config_of, most_tokens_per_second   # noqa: E402

# What is compared with trine's type: what loses as much (docs/measurements/quantised-weights.md).
COUNTERPARTS = {"llama.cpp": {"q8": ["Q8_0"], "q4a": ["Q4_K_M"], "q4": ["Q4_0"], "bf16": ["BF16"]},
                "transformers": {"bf16": ["bf16"]}}
BATCH_TOKENS = 64


def numbers(text):
    """1,2,4"""
    try:
        values = [int(part) for part in text.split(",") if part]
    except ValueError:
        values = [-1]
    if any(not 0 <= value <= 1 << 20 for value in values):
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 1,2,4, found {text!r}")
    return [value for value in values if value > 0]


def some(text):
    values = numbers(text)
    if not values:
        raise argparse.ArgumentTypeError(f"expected at least one number above 0, found {text!r}")
    return values


def one(text):
    values = some(text)
    if len(values) > 1:
        raise argparse.ArgumentTypeError(f"expected one number, found {text!r}")
    return values[0]


def parse_options():
    parser = argparse.ArgumentParser(
        description="Measures trine and a peer alternately on random weights of the same shape.",
        epilog="Lists are separated by commas; 0 or an empty list leaves those tests out.")
    parser.add_argument("--trine", type=Path, default=Path("build/bin/trine-bench"), metavar="PROGRAM",
                        help="default: %(default)s")
    parser.add_argument("--peer", choices=sorted(COUNTERPARTS), default="llama.cpp", help="default: %(default)s")
    parser.add_argument("--shape", choices=sorted(CONFIGS), default="deepseek-v2-lite", help="default: %(default)s")
    parser.add_argument("--layers", type=one, metavar="N", help="default: as many as the model has")
    parser.add_argument("--tiny", action="store_true", help="a small model of the same structure: to see that all works")
    parser.add_argument("--types", default=None, metavar="LIST",
                        help="types of trine: q8, q4a, q4, bf16; each against its counterparts; default: all that the peer has")
    parser.add_argument("--prefill", type=numbers, default=[128, 512], metavar="LIST",
                        help="tokens of a prompt; default: 128,512")
    parser.add_argument("--decode", type=numbers, default=[64], metavar="LIST",
                        help="tokens one by one; default: 64")
    parser.add_argument("--batch", type=numbers, default=[2, 4, 8, 16, 32], metavar="LIST",
                        help=f"rows at once, {BATCH_TOKENS} tokens in all; default: 2,4,8,16,32")
    parser.add_argument("--depth", type=int, default=16, metavar="N",
                        help="tokens before those of decode and batch; default: %(default)s")
    parser.add_argument("--activations", choices=["native", "f32"], default="native",
                        help="of trine, as in trine-bench: native, as suits the weights (bf16 with bf16, bytes with q8, "
                             "q4a and q4), or f32; default: %(default)s")
    parser.add_argument("--lora-rank", type=one, metavar="N",
                        help="give both a LoRA adapter of this rank (llama.cpp; not for deepseek-v2-lite)")
    parser.add_argument("--lora-targets", choices=["attention", "all"], default="attention",
                        help="what it updates: q_proj and v_proj, or all linear layers and experts; default: %(default)s")
    parser.add_argument("--threads", type=some, default=[1, 2], metavar="LIST", help="default: 1,2")
    parser.add_argument("--repetitions", type=one, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here too")
    parser.add_argument("--cache", type=Path, default=Path("build/compare"), metavar="DIR",
                        help="packages, model files and logs; default: %(default)s")
    parser.add_argument("--no-install", action="store_true", help="fail where packages are missing")
    options = parser.parse_args()
    known = COUNTERPARTS[options.peer]
    options.types = list(known) if options.types is None else [t for t in options.types.split(",") if t]
    for name in options.types:
        if name not in known:
            parser.error(f"--types: {options.peer} has no counterpart of {name!r}; expected some of {', '.join(known)}")
    if options.lora_rank and (options.peer != "llama.cpp" or options.shape == "deepseek-v2-lite"):
        parser.error("--lora-rank: expected --peer llama.cpp and another --shape than deepseek-v2-lite")
    if not 0 <= options.depth <= 1 << 20:
        parser.error("--depth: expected 0 or more")
    return options


def tests_of(options):
    result = [Test("pp", tokens, tokens) for tokens in options.prefill]
    result += [Test("tg", tokens, 1, options.depth) for tokens in options.decode]
    result += [Test("batch", max(BATCH_TOKENS // rows, 1) * rows, rows, options.depth) for rows in options.batch]
    return result


def progress(text):
    """One line that is written over on a terminal; nothing otherwise, the rows of the table being progress enough."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Side:
    """One of the two programs, and what it answered so far."""

    def __init__(self, client):
        self.client = client
        self.answers = []

    def run(self, test, threads):
        self.answers.append(self.client.ask(test.request(threads)))

    def take(self):
        answers, self.answers = self.answers, []
        return answers


def speeds(answers):
    return [answer["tokens_per_second"]["samples"][0] for answer in answers]


def mean_limits(answers):
    """Of all that trine-bench measured before and after its runs."""
    limits = [answer["limit"][when] for answer in answers for when in ("before", "after")]
    return {key: statistics.fmean(limit[key] for limit in limits)
            for key in ("read_gb_per_second", "giga_operations_per_second")}


def measure(test, threads, sides, options, note):
    """Both sides in turn, `repetitions` times."""
    for repetition in range(options.repetitions):
        for side in sides:
            progress(f"{note}, {test.name}, {threads} threads, run {repetition + 1} of {options.repetitions}: "
                     f"{side.client.name}")
            side.run(test, threads)
    progress("")
    return [side.take() for side in sides]


def row_of(test, threads, trine, peer, peer_work):
    """trine, peer: answers. Shares are those of the medians."""
    limits = mean_limits(trine)
    operations = peer_work.operations_per_token(test)
    bytes_per_token = [statistics.fmean(answer["touched_bytes_per_token"] for answer in trine),
                       peer_work.bytes_per_token(test)]
    row = {"test": test.name, "tokens": test.tokens, "rows": test.rows, "depth": test.depth, "threads": threads,
           "limits": limits, "giga_operations_per_token": operations * 1e-9}
    for name, answers, size in zip(("trine", "peer"), (trine, peer), bytes_per_token):
        samples = speeds(answers)
        limit = most_tokens_per_second(limits, operations, size)
        row[name] = {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "samples": samples,
                     "bytes_per_token": size, "limit_tokens_per_second": limit,
                     "share": statistics.median(samples) / limit}
    row["ratio"] = row["trine"]["median"] / row["peer"]["median"]
    pairs = zip(row["trine"]["samples"], row["peer"]["samples"])
    row["median_of_adjacent_ratios"] = statistics.median(ours / theirs for ours, theirs in pairs)
    return row


def number(value):
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table_row(pair, row):
    def speed(side):
        return f"{number(side['median'])} ({number(side['min'])} to {number(side['max'])})"

    def both(text):
        return " : ".join(text(side) for side in ("trine", "peer"))

    return (f"| {pair['type']} : {pair['counterpart']} | {row['test']} | {row['threads']} | {speed(row['trine'])} | "
            f"{speed(row['peer'])} | **{row['ratio']:.2f}** | {both(lambda s: format(pair['bits_per_weight'][s], '.2f'))} | "
            f"{both(lambda s: format(100 * row[s]['share'], '.0f') + ' %')} |")


def trine_command(options, kind):
    stored = "bf16_panels" if kind == "bf16" else kind  # as trine-quantize writes it
    command = [str(options.trine), "--synthetic", options.shape, "--type", stored, "--activations", options.activations]
    if options.layers:
        command += ["--layers", str(options.layers)]
    command += ["--tiny"] if options.tiny else []
    return command + (["--lora", str(lora_folder(options))] if options.lora_rank else [])


def lora_folder(options):
    layers = options.layers or config_of(options.shape, None)["num_hidden_layers"]
    return options.cache / (f"{options.shape}{'-tiny' if options.tiny else ''}-{layers}-layers-lora-"
                            f"{options.lora_targets}-{options.lora_rank}")


def make_lora(options, python):
    """The adapter for both sides, written if it is not there."""
    folder = lora_folder(options)
    if folder.exists():
        return
    command = [str(python), str(PEERS / "random_lora.py"), "--shape", options.shape, "--rank", str(options.lora_rank),
               "--targets", options.lora_targets, *(["--layers", str(options.layers)] if options.layers else []),
               *(["--tiny"] if options.tiny else []), str(folder)]
    if subprocess.run(command, check=False).returncode != 0:
        raise PeerError(f"{folder} could not be written")


def machine_of(options):
    """What trine-bench says about itself and the processor, asked with a model that takes a moment."""
    command = [str(options.trine), "--synthetic", options.shape, "--tiny", "--layers", "2", "--type", "bf16",
               "-p", "8", "-n", "0", "-r", "1", "-o", "json"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(result.stdout)["machine"]
    except OSError as error:
        raise PeerError(f"cannot start {options.trine}: {error.strerror}; build it, or say where it is: "
                        "--trine") from error
    except subprocess.CalledProcessError as error:
        raise PeerError(f"{options.trine} ended with code {error.returncode}: {error.stderr.strip()[-400:]}") from error
    except (ValueError, KeyError) as error:
        raise PeerError(f"{options.trine}: expected a JSON document with \"machine\" for -o json") from error


def model_file(options, python, counterpart):
    """The GGUF file of that type, written if it is not there."""
    layers = options.layers or config_of(options.shape, None)["num_hidden_layers"]
    path = options.cache / f"{options.shape}{'-tiny' if options.tiny else ''}-{layers}-layers-{counterpart}.gguf"
    if path.exists():
        return path
    command = [str(python), str(PEERS / "random_gguf.py"), "--shape", options.shape, "--layers", str(layers),
               "--type", counterpart, *(["--tiny"] if options.tiny else []), str(path)]
    if subprocess.run(command, check=False).returncode != 0:
        raise PeerError(f"{path} could not be written")
    return path


def peer_command(options, python, counterpart, positions):
    if options.peer == "transformers":
        return [str(python), str(PEERS / "transformers_peer.py"), options.shape, str(options.layers or 0),
                *(["tiny"] if options.tiny else [])]
    model = model_file(options, python, counterpart)
    command = [str(python), str(PEERS / "llama_cpp_peer.py"), str(model), str(positions)]
    return command + ([str(lora_folder(options) / "adapter.gguf")] if options.lora_rank else [])


def peer_work(options, python, counterpart):
    config = config_of(options.shape, options.layers, options.tiny)
    if options.peer == "transformers":
        return Work(config, lambda tensor: 2 * tensor.count)
    # Types of llama.cpp are known to the `gguf` package only, which is not ours to import.
    code = ("import json, random_gguf as r\nfrom shapes import config_of, tensors_of\nimport sys\n"
            "shape, layers, tiny, kind = json.loads(sys.argv[1])\nconfig = config_of(shape, layers, tiny)\n"
            "print(json.dumps({t.name: r.bytes_of(t, config, kind) for t in tensors_of(config)}))\n")
    argument = json.dumps([options.shape, options.layers, options.tiny, counterpart])
    result = subprocess.run([str(python), "-c", code, argument], capture_output=True, text=True, cwd=PEERS)
    if result.returncode != 0:
        raise PeerError(f"the types of {counterpart} could not be listed: {result.stderr.strip()[-400:]}")
    sizes = json.loads(result.stdout)
    return Work(config, lambda tensor: sizes[tensor.name])


def warn_if_crowded(needed):
    """Both models are in memory at once."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return
    if needed > available:
        print(f"warning: both models need about {needed / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are available: "
              "fewer --layers are measured more truly", file=sys.stderr)


def check_same_work(test, answer, work):
    """Two models that do not do the same are not compared."""
    ours, theirs = answer["giga_operations_per_token"], work.operations_per_token(test) * 1e-9
    if abs(ours - theirs) > 0.01 * theirs:
        raise PeerError(f"trine-bench counts {ours:.4f} operations (10^9) a token, the peer's shape has {theirs:.4f}: "
                        "not the same model")


def compare(options, python, kind, counterpart):
    """All tests of one pair of types; prints each row as it is there."""
    tests = tests_of(options)
    positions = max(test.depth + test.tokens for test in tests)
    work = peer_work(options, python, counterpart)
    warn_if_crowded(2 * work.bytes_per_token(Test("pp", 1 << 20, 1 << 20)) * (1 << 20))
    note = f"{kind} : {counterpart}"
    name = f"{options.peer}-{counterpart}"
    command = peer_command(options, python, counterpart, positions)
    with Client("trine-bench", trine_command(options, kind) + ["-r", "1", "--serve"],
                options.cache / f"trine-{kind}.log") as trine, \
            Client(options.peer, command, options.cache / f"{name}.log") as peer:
        progress(f"{note}: loading")
        one_token = Test("tg", 1, 1)
        first = trine.ask(one_token.request(1))
        description = peer.ask({"test": "describe"})
        check_same_work(one_token, first, work)
        ours = 16.0 * first["touched_bytes_per_token"] / (first["giga_operations_per_token"] * 1e9)
        pair = {"type": kind, "counterpart": counterpart, "peer": description,
                "bits_per_weight": {"trine": ours, "peer": work.bits_per_weight()}, "rows": []}
        sides = [Side(trine), Side(peer)]
        for threads in options.threads:
            for test in tests:
                row = row_of(test, threads, *measure(test, threads, sides, options, note), work)
                pair["rows"].append(row)
                print(table_row(pair, row), flush=True)
        return pair


def write_json(path, document):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def run(options):
    if not tests_of(options):
        raise PeerError("nothing to measure: --prefill, --decode and --batch are all empty")
    options.cache.mkdir(parents=True, exist_ok=True)
    machine = machine_of(options)
    python = python_for(options.peer, options.cache / "venv", not options.no_install)
    if options.lora_rank:
        make_lora(options, python)
    layers = options.layers or config_of(options.shape, None)["num_hidden_layers"]
    document = {"machine": {**machine, "system": platform.platform()}, "shape": options.shape, "layers": layers,
                "tiny": options.tiny, "activations": options.activations, "peer": options.peer,
                "lora": {"rank": options.lora_rank, "targets": options.lora_targets} if options.lora_rank else None,
                "repetitions": options.repetitions, "pairs": []}
    print(f"{options.shape}{' (tiny)' if options.tiny else ''}, {layers} layers; trine {machine['version']}, "
          f"{machine['isa']}, {options.activations} activations; {machine['cpu']}"
          + (f"; LoRA of rank {options.lora_rank}, {options.lora_targets}" if options.lora_rank else "") + "\n")
    print(f"| trine : {options.peer} | test | threads | trine tokens/s | {options.peer} tokens/s | ratio | "
          "bits per weight | of the limit |\n|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    failed = False
    for kind in options.types:
        for counterpart in COUNTERPARTS[options.peer][kind]:
            try:
                document["pairs"].append(compare(options, python, kind, counterpart))
            except PeerError as error:
                failed = True
                progress("")
                print(f"{kind} : {counterpart} is left out: {error}", file=sys.stderr)
            if options.json:
                write_json(options.json, document)
    for peer in {pair["peer"]["version"]: pair["peer"] for pair in document["pairs"]}.values():
        print(f"\n{peer['version']}; {peer['build']}")
    return 1 if failed else 0


def main():
    options = parse_options()
    try:
        return run(options)
    except PeerError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
