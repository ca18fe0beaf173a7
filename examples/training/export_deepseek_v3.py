# SPDX-License-Identifier: Apache-2.0
"""Saves a checkpoint of train_deepseek_v3.py as a Hugging Face model directory, with what transformers answers for it.

    python export_deepseek_v3.py --run runs/deepseek-v3 --tokenizer ../models/shakespeare/tokenizer.json --text input.txt \\
        --out ../models/deepseek-v3-shakespeare

Everything but expected.json and self_test.json is written by save_pretrained. Both are measured on the directory as loaded
again, in f32 arithmetic on the stored weights. Greedy answers are kept only where the best token leads the second by more than
LEAD at every step, and self tests only where every choice of experts is clear by more than CLEAR: rounding cannot turn them.
"""
import argparse
import json
import platform
import tempfile
from pathlib import Path

import safetensors
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer
from transformers import DeepseekV3ForCausalLM, PreTrainedTokenizerFast

from evaluate import encode
from tokenizer import split_text
from train_deepseek_v3 import Experts, configuration, evaluate

SCRIPT = "examples/training/export_deepseek_v3.py"
LEAD, CLEAR = 1e-3, 1e-4
EAGER = dict(attn_implementation="eager", experts_implementation="eager")
PROMPTS = ["ROMEO:\n", "KING RICHARD III:\n", "JULIET:\nO Romeo, Romeo! ", "DUKE VINCENTIO:\n", "What is the matter", "My lord, ",
           "PETRUCHIO:\nGood morrow, Kate; for that's your name, I hear.\n\nKATHARINA:\n", "BAPTISTA:\nNow, sir, ",
           "GREMIO:\nGood morrow, neighbour Baptista.\n\n", "PROSPERO:\nMy brother and thy uncle, call'd Antonio--\n",
           "The queen, my lord, is dead.\n\n", "Enter two soldiers with drums and "]
GREEDY, EXCERPT, CONTEXT = 200, 2048, 512


def made_by():
    return {"transformers": transformers.__version__, "torch": torch.__version__, "tokenizers": tokenizers.__version__,
            "safetensors": safetensors.__version__, "python": platform.python_version(), "script": SCRIPT}


def figures(result):
    return {"perplexity": result["perplexity"], "bits_per_byte": result["bits_per_byte"]}


def rounded(values):
    return [float(f"{v:.7g}") for v in values]


def save(checkpoint, tokenizer_path, out):
    """config.json, generation_config.json, model.safetensors, tokenizer.json, tokenizer_config.json"""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=tokenizer_path, eos_token="<|endoftext|>", bos_token="<|endoftext|>",
                                        model_max_length=1024, clean_up_tokenization_spaces=False)
    model = DeepseekV3ForCausalLM(configuration(len(tokenizer)))
    model.load_state_dict(checkpoint["model"])
    with tempfile.TemporaryDirectory() as folder:                                 # loading decides what stays in f32: the gates
        model.save_pretrained(folder)
        DeepseekV3ForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def lead(logits):
    best = logits.topk(2).values
    return (best[..., 0] - best[..., 1]).min().item()


@torch.no_grad()
def greedy(model, ids):
    """(the GREEDY best tokens, least lead of a best token); everything is computed again for each token."""
    ids, least = list(ids), float("inf")
    for _ in range(GREEDY):
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        least = min(least, lead(logits))
        ids.append(logits.argmax().item())
    return ids[-GREEDY:], least


def variety(answer):
    """How many runs of four tokens differ: greedy text soon goes in circles."""
    ids = answer["continuation"]
    return len({tuple(ids[i:i + 4]) for i in range(len(ids) - 3)})


class Choices(Experts):
    """Also the order of the chosen experts, and how clear the least clear choice was."""

    def __init__(self, model):
        self.biased = {}
        super().__init__(model)
        for i, gate in self.gates.items():
            gate.register_forward_hook(lambda module, args, output, i=i: self.biased.update(
                {i: output[0].sigmoid() + module.e_score_correction_bias}))

    def best_first(self, i):
        chosen = self.chosen[i]
        return chosen.gather(1, self.biased[i].gather(1, chosen).argsort(1, descending=True))

    def margin(self):
        clear = float("inf")
        for i, gate in self.gates.items():
            grouped = self.biased[i].unflatten(1, (gate.num_group, -1))
            group, order = grouped.topk(2).values.sum(-1).sort(1, descending=True)
            inside = grouped.gather(1, order[:, :gate.topk_group, None].expand(-1, -1, grouped.shape[2])).flatten(1)
            ranked = inside.topk(gate.top_k + 1).values
            clear = min(clear, (group[:, gate.topk_group - 1] - group[:, gate.topk_group]).min().item(),
                        (ranked[:, :-1] - ranked[:, 1:]).min().item())
        return clear


@torch.no_grad()
def self_test(model, choices, ids, lengths=(1, 40, 100, 200), every=16, step=97):
    cases = []
    for n in lengths:
        for begin in range(1000 * len(cases), len(ids) - n, step):
            tokens = ids[begin:begin + n]
            logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
            if choices.margin() > CLEAR:
                break
        else:
            raise SystemExit(f"no passage of {n} tokens has clear choices of experts")
        best, positions = logits.topk(10), sorted(set(range(0, n, every)) | {n - 1})
        cases.append({"tokens": tokens, "experts": {str(i): choices.best_first(i).tolist() for i in choices.gates},
                      "top_logits": [{"position": p, "ids": best.indices[p].tolist(),
                                      "logits": rounded(best.values[p].tolist())} for p in positions]})
    return {"format": "trine-self-test", "version": 1, "made_by": made_by(), "cases": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="folder written by train_deepseek_v3.py")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.set_num_threads(1)
    out, tokenizer = Path(args.out), Tokenizer.from_file(args.tokenizer)
    checkpoint = torch.load(Path(args.run) / "best.pt")
    save(checkpoint, args.tokenizer, args.out)
    validation = split_text(args.text)[1]
    ids, scored_bytes = encode(tokenizer, validation)
    assert Tokenizer.from_file(str(out / "tokenizer.json")).encode(validation).ids == ids

    model = DeepseekV3ForCausalLM.from_pretrained(out, dtype=torch.float32, **EAGER).eval()
    choices = Choices(model)
    whole = evaluate(model, choices, ids, scored_bytes, CONTEXT)
    half = DeepseekV3ForCausalLM.from_pretrained(out, dtype=torch.bfloat16, **EAGER).eval()
    in_bf16 = evaluate(half, Experts(half), ids, scored_bytes, CONTEXT)

    excerpt = next(ids[begin:begin + EXCERPT] for begin in range(len(ids))
                   if tokenizer.encode(tokenizer.decode(ids[begin:begin + EXCERPT])).ids == ids[begin:begin + EXCERPT])
    text = tokenizer.decode(excerpt)
    answers = []
    for prompt in PROMPTS:
        tokens = tokenizer.encode(prompt).ids
        continuation, least = greedy(model, tokens)
        print(f"{prompt!r}: least lead {least:.2e}\n{prompt}{tokenizer.decode(continuation)}\n", flush=True)
        if least > LEAD:
            answers.append({"prompt": prompt, "tokens": tokens, "continuation": continuation, "least_lead": least,
                            "text": tokenizer.decode(continuation)})
    answers = sorted(answers, key=variety, reverse=True)[:2]
    assert len(answers) == 2, "fewer than two prompts with clear answers"
    part = evaluate(model, choices, *encode(tokenizer, text), CONTEXT)
    expected = {"made_by": made_by(), "context": CONTEXT, "validation": {"tokens": len(ids), **figures(whole)},
                "validation_in_bf16_arithmetic": figures(in_bf16),
                "excerpt": {"text": text, "tokens": excerpt, **figures(part)}, "greedy": answers}
    (out / "expected.json").write_text(json.dumps(expected) + "\n")
    (out / "self_test.json").write_text(json.dumps(self_test(model, choices, ids)) + "\n")
    print(json.dumps({"training": checkpoint["record"], "f32": whole, "bf16": in_bf16}, indent=1))
    print(sum(f.stat().st_size for f in out.iterdir()), "bytes")


if __name__ == "__main__":
    main()
