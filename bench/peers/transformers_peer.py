# SPDX-License-Identifier: Apache-2.0
"""Answers requests of speed with PyTorch and Transformers in bf16: python transformers_peer.py SHAPE LAYERS [tiny]

A model of random weights, `sdpa` attention, a cache of keys and values; how experts are computed is left to
Transformers.
"""
import sys

import torch
import transformers
from transformers.initialization import no_init_weights

from serving import serve, timed
from shapes import config_of


class Runner:
    def __init__(self, shape, layers, tiny):
        config = config_of(shape, layers, tiny)
        config = transformers.AutoConfig.for_model(**{k: v for k, v in config.items() if v is not None})
        if config.model_type == "deepseek_v2":
            config.q_lora_rank = None
        with no_init_weights():
            self._model = transformers.AutoModelForCausalLM.from_config(
                config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                parameter.fill_(1.0) if "norm" in name else parameter.uniform_(-0.035, 0.035)
        self._vocab_size = config.vocab_size

    def describe(self):
        parameters = list(self._model.parameters())
        return {"version": f"torch {torch.__version__}, transformers {transformers.__version__}",
                "build": torch.backends.cpu.get_cpu_capability(),
                "experts": str(self._model.config._experts_implementation),
                "weight_bytes": sum(p.numel() * p.element_size() for p in parameters),
                "parameters": sum(p.numel() for p in parameters)}

    @torch.inference_mode()
    def run(self, test, threads):
        torch.set_num_threads(threads)
        cache = transformers.DynamicCache(config=self._model.config)
        if test.depth:
            self._forward(cache, 0, test.depth, 1)
        return timed(lambda: self._run(cache, test))

    def _run(self, cache, test):
        for begin in range(test.depth, test.depth + test.tokens, test.rows):
            self._forward(cache, begin, test.rows, 1 if test.kind == "pp" else test.rows)

    def _forward(self, cache, begin, rows, logits):
        tokens = torch.tensor([[(7919 * (begin + i) + 13) % self._vocab_size for i in range(rows)]])
        out = self._model(input_ids=tokens, cache=cache, use_cache=True, logits_to_keep=logits)
        if not bool(torch.isfinite(out.logits).all()):
            raise RuntimeError("the logits are not finite")


if __name__ == "__main__":
    serve(lambda: Runner(sys.argv[1], int(sys.argv[2]), "tiny" in sys.argv[3:]))
