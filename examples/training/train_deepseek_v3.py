# SPDX-License-Identifier: Apache-2.0
"""Trains a small DeepSeek-V3 with the implementation of Hugging Face transformers on one text file.

    python train_deepseek_v3.py --text input.txt --tokenizer ../models/shakespeare/tokenizer.json --out runs/deepseek-v3

Every part of the published architecture is there: latent attention with a low-rank query, YaRN, a dense first layer, sigmoid
router limited to groups, shared expert. The correction bias follows the sign rule that replaces an auxiliary loss
(arXiv:2412.19437, section 2.1.2). Matrices are trained with Muon, the rest with AdamW, as in train.py. The architecture has no
dropout of its own: hooks drop what attention and feed-forward add to the residual stream, while training only.
"""
import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

from evaluate import encode, utilization
from tokenizer import split_text
from train import Muon, windows


def configuration(vocab_size):
    return DeepseekV3Config(
        vocab_size=vocab_size, hidden_size=256, intermediate_size=256, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=8, q_lora_rank=96, kv_lora_rank=64, qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=32,
        first_k_dense_replace=1, moe_intermediate_size=32, n_routed_experts=16, num_experts_per_tok=3, n_shared_experts=2,
        n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=1.5, rms_norm_eps=1e-6,
        max_position_embeddings=1024, num_nextn_predict_layers=0, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False, rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 256,
            "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0})


class Experts:
    """Which experts the last forward chose: {layer: [tokens, experts per token]}."""

    def __init__(self, model):
        self.gates = {i: layer.mlp.gate for i, layer in enumerate(model.model.layers) if hasattr(layer.mlp, "gate")}
        self.chosen = {}
        for i, gate in self.gates.items():
            gate.register_forward_hook(lambda module, args, output, i=i: self.chosen.update({i: output[2].detach()}))

    def load(self, i):
        return torch.bincount(self.chosen[i].flatten(), minlength=self.gates[i].num_experts).float()

    def balance(self, step):
        """bias_e += step * sign(mean load - load_e)"""
        for i, gate in self.gates.items():
            load = self.load(i)
            gate.e_score_correction_bias += step * torch.sign(load.mean() - load)


def add_dropout(model, p):
    def drop(module, args, output):
        return F.dropout(output, p, training=module.training)

    model.model.embed_tokens.register_forward_hook(drop)
    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(drop)
        layer.mlp.register_forward_hook(drop)


@torch.no_grad()
def evaluate(model, experts, ids, scored_bytes, context=512, rows=4):
    """Windows of `context` inputs; every token but the very first is scored. As evaluate.py, for any causal model."""
    training = model.training
    model.eval()
    ids, nll, load = torch.as_tensor(ids), 0.0, {i: 0 for i in experts.gates}
    full = (len(ids) - 1) // context
    cuts = [(b * context, min(b + rows, full) * context) for b in range(0, full, rows)]
    if full * context < len(ids) - 1:
        cuts.append((full * context, len(ids) - 1))
    for begin, end in cuts:
        width = min(context, end - begin)
        logits = model(ids[begin:end].view(-1, width), use_cache=False).logits
        nll += F.cross_entropy(logits.float().flatten(0, 1), ids[begin + 1:end + 1], reduction="sum").double().item()
        for i in load:
            load[i] = load[i] + experts.load(i)
    model.train(training)
    shares = [utilization(counts) for counts in load.values()]
    return {"bits_per_byte": nll / math.log(2) / scored_bytes, "perplexity": math.exp(nll / (len(ids) - 1)),
            "utilization": sum(shares) / len(shares), "utilization_min": min(shares), "tokens": len(ids)}


def optimizers(model, lr, weight_decay):
    matrices = [p for name, p in model.named_parameters() if ".layers." in name and p.ndim >= 2 and ".gate." not in name]
    embeddings = [model.model.embed_tokens.weight, model.lm_head.weight]
    chosen = {id(p) for p in matrices + embeddings}
    small = [p for p in model.parameters() if id(p) not in chosen]                # routers and gains
    groups = [{"params": embeddings, "weight_decay": weight_decay}, {"params": small, "weight_decay": 0.0, "scale": 0.3}]
    return [Muon(matrices, lr, weight_decay), torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end the schedule by then, even with fewer steps")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--warmup", type=int, default=30)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--balance-step", type=float, default=5e-3)
    parser.add_argument("--eval-every", type=int, default=150)
    parser.add_argument("--experts", default="grouped_mm", help="experts_implementation of transformers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    training, validation = split_text(args.text)
    ids, held_out = torch.tensor(tokenizer.encode(training).ids), encode(tokenizer, validation)
    config = configuration(tokenizer.get_vocab_size())
    model = DeepseekV3ForCausalLM._from_config(config, attn_implementation="sdpa", experts_implementation=args.experts)
    model.train()
    experts = Experts(model)
    add_dropout(model, args.dropout)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters, {len(ids)} training tokens", flush=True)
    batches = windows(ids, args.context, args.batch, torch.Generator().manual_seed(args.seed))
    opts = optimizers(model, args.lr, args.weight_decay)
    log = (out / "log.jsonl").open("w")
    best, begin, tokens, done, recent = math.inf, time.time(), 0, 0.0, []

    step = 0
    while done < 1:
        step += 1
        done = max(step / args.steps, (time.time() - begin) / 60 / args.minutes)  # share of the schedule that is over
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = args.lr * group.get("scale", 1) * min(1, step / args.warmup) * cosine
        inputs, targets = next(batches)
        loss = F.cross_entropy(model(inputs, use_cache=False).logits.flatten(0, 1), targets.flatten())
        loss.backward()
        for opt in opts:
            opt.step()
        model.zero_grad()
        experts.balance(args.balance_step * max(cosine, 0.1))
        tokens += inputs.numel()
        recent.append(loss.item())
        if step % args.eval_every == 0 or done >= 1:
            result = evaluate(model, experts, *held_out, context=args.context)
            record = {**result, "step": step, "tokens": tokens, "epochs": tokens / len(ids), "seconds": time.time() - begin,
                      "cpu_seconds": time.process_time(), "training_loss": sum(recent) / len(recent),
                      "parameters": parameters}
            recent = []
            log.write(json.dumps(record) + "\n")
            log.flush()
            print(f"step {step} epoch {record['epochs']:.1f} {record['seconds']:.0f} s training {record['training_loss']:.3f} "
                  f"validation {math.log(result['perplexity']):.4f} bits/byte {result['bits_per_byte']:.4f} "
                  f"utilization {result['utilization']:.3f} min {result['utilization_min']:.3f}", flush=True)
            if result["bits_per_byte"] < best:
                best = result["bits_per_byte"]
                torch.save({"model": model.state_dict(), "record": record, "args": vars(args)}, out / "best.tmp")
                (out / "best.tmp").rename(out / "best.pt")


if __name__ == "__main__":
    main()
