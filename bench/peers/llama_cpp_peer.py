# SPDX-License-Identifier: Apache-2.0
"""Answers requests of speed with llama.cpp: python llama_cpp_peer.py MODEL.gguf POSITIONS [ADAPTER.gguf] < requests

Settings are llama.cpp's defaults but for 512 tokens in a batch and in what is computed at once.
"""
import ctypes
import math
import sys
from importlib.metadata import version

import llama_cpp as llama

from serving import serve, timed

BATCH = 512


class Runner:
    def __init__(self, path, positions, adapter=None):
        llama.llama_backend_init()
        self._model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        if not self._model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self._vocab_size = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self._model))
        params = llama.llama_context_default_params()
        params.n_ctx = positions
        params.n_batch = params.n_ubatch = BATCH
        self._context = llama.llama_init_from_model(self._model, params)
        if not self._context:
            raise RuntimeError(f"llama.cpp cannot make a context of {positions} tokens")
        self._batch = llama.llama_batch_init(BATCH, 0, 1)
        if adapter:
            self._attach(adapter)

    def _attach(self, path):
        adapter = llama.llama_adapter_lora_init(self._model, path.encode())
        if not adapter:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        adapters = (llama.llama_adapter_lora_p_ctypes * 1)(adapter)
        if llama.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(1.0)) != 0:
            raise RuntimeError(f"llama.cpp cannot use {path}")

    def describe(self):
        return {"version": "llama-cpp-python " + version("llama-cpp-python"),
                "build": llama.llama_print_system_info().decode(),
                "weight_bytes": llama.llama_model_size(self._model),
                "parameters": llama.llama_model_n_params(self._model)}

    def run(self, test, threads):
        llama.llama_set_n_threads(self._context, threads, threads)
        llama.llama_memory_clear(llama.llama_get_memory(self._context), True)
        for begin in range(0, test.depth, BATCH):
            self._decode(begin, min(BATCH, test.depth - begin), False)
        llama.llama_synchronize(self._context)
        seconds = timed(lambda: self._run(test))
        self._check_logits()
        return seconds

    def _run(self, test):
        for begin in range(test.depth, test.depth + test.tokens, test.rows):
            for part in range(0, test.rows, BATCH):
                self._decode(begin + part, min(BATCH, test.rows - part), test.kind != "pp")
                llama.llama_synchronize(self._context)

    def _decode(self, begin, rows, all_logits):
        batch = self._batch
        batch.n_tokens = rows
        for i in range(rows):
            batch.token[i] = (7919 * (begin + i) + 13) % self._vocab_size
            batch.pos[i] = begin + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = all_logits or i + 1 == rows
        code = llama.llama_decode(self._context, batch)
        if code != 0:
            raise RuntimeError(f"llama_decode answers {code} for {rows} tokens at position {begin}")

    def _check_logits(self):
        logits = llama.llama_get_logits_ith(self._context, -1)[:self._vocab_size]
        if not all(map(math.isfinite, logits)) or min(logits) == max(logits):
            raise RuntimeError("the logits are not finite, or all the same")


if __name__ == "__main__":
    serve(lambda: Runner(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
