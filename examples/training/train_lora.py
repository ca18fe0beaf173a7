# SPDX-License-Identifier: Apache-2.0
"""Trains a LoRA adapter with PEFT for a causal language model of Hugging Face transformers on one text file.

    python train_lora.py -m ../models/deepseek-v3-shakespeare --text austen.txt --output my-adapter
    trine-generate -m ../models/deepseek-v3-shakespeare --lora my-adapter -p "She was"

LoRA (Hu et al. 2021, arXiv:2106.09685) leaves every weight W as it is and learns y = W x + lora_alpha / r * B A x, where A is
[r, in] and B is [out, r]. --target-modules names linear layers. Experts that transformers stacks in one tensor are no linear
layers: --target-parameters names them. The last 10 % of the text are held out. Their perplexity is printed without the adapter,
and with it as loaded again from the files. On one CPU the same command writes the same adapter.
"""
import argparse
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from evaluate import encode
from tokenizer import split_text
from train import windows


def load_model(directory):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)


@torch.no_grad()
def perplexity(model, ids, context=512):
    """Windows of `context` tokens; every token but the very first is scored. As trine-perplexity."""
    model.eval()
    ids, nll = torch.as_tensor(ids), 0.0
    for begin in range(0, len(ids) - 1, context):
        end = min(begin + context, len(ids) - 1)
        logits = model(input_ids=ids[None, begin:end], use_cache=False).logits[0]
        nll += F.cross_entropy(logits.double(), ids[begin + 1:end + 1], reduction="sum").item()
    return math.exp(nll / (len(ids) - 1))


def add_adapter(model, args):
    config = LoraConfig(task_type="CAUSAL_LM", r=args.r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout,
                        target_modules="all-linear" if args.target_modules == ["all-linear"] else args.target_modules,
                        target_parameters=args.target_parameters)
    model = get_peft_model(model, config)
    config.base_model_name_or_path = Path(args.model).resolve().name            # rather than a path of this machine
    for targets in ("target_modules", "target_parameters"):                     # a set has another order in each process
        if isinstance(getattr(config, targets), set):
            setattr(config, targets, sorted(getattr(config, targets)))
    return model


def train(model, ids, args):
    parameters = [p for p in model.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in parameters)} parameters, {len(ids)} training tokens", flush=True)
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate, weight_decay=args.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        (step + 1) / args.warmup_steps, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps))))
    batches = windows(torch.tensor(ids), args.context, args.batch_size, torch.Generator().manual_seed(args.seed))
    recent, begin = [], time.time()
    model.train()
    for step in range(1, args.steps + 1):
        inputs, targets = next(batches)
        loss = F.cross_entropy(model(input_ids=inputs, use_cache=False).logits.flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recent.append(loss.item())
        if step % 100 == 0 or step == args.steps:
            print(f"step {step} of {args.steps} {time.time() - begin:.0f} s loss {sum(recent) / len(recent):.4f}", flush=True)
            recent = []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", required=True, help="directory with config.json, weights and tokenizer")
    parser.add_argument("--text", required=True)
    parser.add_argument("--output", required=True, help="directory for the adapter")
    parser.add_argument("--r", type=int, default=16)
    parser.add_argument("--lora-alpha", type=float, default=32)
    parser.add_argument("--lora-dropout", type=float, default=0.0)
    parser.add_argument("--target-modules", nargs="+", default=["q_proj", "v_proj"], help="names of layers, or all-linear")
    parser.add_argument("--target-parameters", nargs="+", help="such as mlp.experts.gate_up_proj mlp.experts.down_proj")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--warmup-steps", type=int, default=30)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32", help="of the saved adapter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    training, validation = (encode(tokenizer, part)[0] for part in split_text(args.text))
    model = load_model(args.model)
    before = perplexity(model, validation, args.context)
    print(f"held-out perplexity {before:.4f} without an adapter", flush=True)

    model = add_adapter(model, args)
    train(model, training, args)
    model.to(getattr(torch, args.dtype)).save_pretrained(args.output, save_embedding_layers=False)

    model = PeftModel.from_pretrained(load_model(args.model), args.output)
    print(f"held-out perplexity {perplexity(model, validation, args.context):.4f} with the adapter, {before:.4f} without")


if __name__ == "__main__":
    main()
