# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's side of compare.py: python llama_cpp_files.py MODEL.gguf FOLDER TOKENS.json TYPE...

Writes FOLDER/TYPE.gguf for each type, and prints llama.cpp's own perplexity of MODEL.gguf as JSON: windows of tokens that do
not overlap, every token but the very first predicted from those before it in its window.
"""
import ctypes
import json
import math
import sys
from pathlib import Path

import llama_cpp as llama
import numpy as np

TYPES = {"Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q4_K_M": 15, "Q4_0": 2, "Q3_K_M": 12}


def quantise(source, target, kind):
    params = llama.llama_model_quantize_default_params()
    params.ftype = TYPES[kind]
    params.nthread = 2
    params.allow_requantize = True
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"llama.cpp cannot write {target}")


def perplexity(path, ids, window):
    model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
    vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    params = llama.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = window
    context = llama.llama_init_from_model(model, params)
    batch = llama.llama_batch_init(window, 0, 1)
    losses = []
    for begin in range(0, len(ids) - 1, window):
        count = min(window, len(ids) - 1 - begin)
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        batch.n_tokens = count
        for i in range(count):
            batch.token[i] = ids[begin + i]
            batch.pos[i] = i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        if llama.llama_decode(context, batch) != 0:
            raise SystemExit("llama.cpp cannot run the text")
        for i in range(count):
            logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(context, i), (vocab,)).astype(np.float64)
            top = logits.max()
            losses.append(top + math.log(np.exp(logits - top).sum()) - logits[ids[begin + i + 1]])
    return math.exp(sum(losses) / len(losses))


def main():
    source, folder, tokens = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    llama.llama_backend_init()
    for kind in sys.argv[4:]:
        quantise(source, folder / f"{kind}.gguf", kind)
    print(json.dumps({"perplexity": perplexity(source, tokens["ids"], tokens["window"])}))


if __name__ == "__main__":
    main()
