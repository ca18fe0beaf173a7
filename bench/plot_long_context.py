#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plots what trine_long_context_bench measured: prefill time, decode latency and memory against the tokens.

    build/bin/trine_long_context_bench --benchmark_out=long.json
    python bench/plot_long_context.py long.json docs/images/long-context.svg
"""

import argparse
import collections
import json
import pathlib

LABELS = {
    "full": "full",
    "chunked": "chunked (1024)",
    "summary": "3d summary",
    "strided": "3d strided",
    "latent": "latent (MLA)",
}


def read(path):
    """{kind: [(tokens, prefill s, decode ms, cache MiB, peak MiB)]}, ascending."""
    series = collections.defaultdict(list)
    for run in json.loads(path.read_text())["benchmarks"]:
        kind = run["name"].split("/")[0]
        series[kind].append((run["tokens"], run["real_time"] / 1e3, run["decode_ms"], run["cache_MiB"],
                             run["peak_MiB"]))
    return {kind: sorted(points) for kind, points in series.items()}


def plot(series, out):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "trine"  # the same picture from the same numbers
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(16, 4.2), layout="constrained")
    titles = ["prefill, seconds", "decode, milliseconds per token", "cache, MiB", "peak of memory, MiB"]
    for column, (axis, title) in enumerate(zip(axes, titles), start=1):
        for kind, points in series.items():
            axis.plot([p[0] for p in points], [p[column] for p in points], marker="o", markersize=4,
                      label=LABELS.get(kind, kind))
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        ticks = [p[0] for p in next(iter(series.values()))]
        axis.set_xticks(ticks, [f"{int(t) // 1024}K" for t in ticks])
        axis.minorticks_off()
        axis.set_xlabel("tokens")
        axis.set_title(title)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(out, metadata={"Date": None})


def table(series):
    """Markdown; how many times as fast as full attention the prompt is, and how much smaller the cache."""
    lines = ["| kind | tokens | prefill s | times as fast | decode ms | cache MiB | smaller by | peak MiB |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]
    full = {point[0]: point for point in series.get("full", [])}
    for kind, points in series.items():
        for tokens, prefill, decode, cache, peak in points:
            faster = smaller = ""
            if kind != "full" and tokens in full:
                faster = f"{full[tokens][1] / prefill:.1f}"
                smaller = f"{100 * (1 - cache / full[tokens][3]):.1f} %"
            lines.append(f"| {LABELS.get(kind, kind)} | {int(tokens) // 1024}K | {prefill:.3g} | {faster} | {decode:.3g} | "
                         f"{cache:.3g} | {smaller} | {peak:.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=pathlib.Path, help="what --benchmark_out wrote")
    parser.add_argument("svg", type=pathlib.Path, help="the picture to write")
    arguments = parser.parse_args()
    series = read(arguments.json)
    plot(series, arguments.svg)
    print(table(series))


if __name__ == "__main__":
    main()
