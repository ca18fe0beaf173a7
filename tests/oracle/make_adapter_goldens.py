# SPDX-License-Identifier: Apache-2.0
"""Adapters that PEFT makes for the tiny models of tests/golden/families, and what transformers with PEFT answers.

    python tests/oracle/make_adapter_goldens.py              # rewrites tests/golden/adapters/
    python tests/oracle/make_adapter_goldens.py NAME ...     # these cases only

Each adapter is written by save_pretrained, or in the form of an earlier PEFT that this one reads, and the answer is that of
the model with the adapter that PEFT loads from there: in f32 on the CPU, unmerged, and merged to compare. A seed is taken only
if every routing decision is clear by more than MARGIN, and if the adapter changes the answer.
"""
import copy
import json
import platform
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/oracle"))
from families.model import ask, load                                              # noqa: E402
from families.weights import ignored                                              # noqa: E402

SCRIPT, OUT = "tests/oracle/make_adapter_goldens.py", ROOT / "tests/golden/adapters"
FAMILIES = ROOT / "tests/golden/families"
MARGIN, MATTERS = 1e-4, 1e-2
warnings.filterwarnings("ignore")

GATE_UP, DOWN = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"


@dataclass
class Case:
    family: str
    reaches: str
    config: dict
    rewrite: object = None          # makes the files of another version of PEFT: (config, tensors) -> (config, tensors)
    scale: float = 0.3
    peft: str = None                # made with this version only
    reloads: bool = True            # PEFT finds all of its tensors again; those of laguna's shared experts it drops


def per_expert(config, tensors):
    """As PEFT wrote it when every expert was a module of its own: w1, w2 and w3 of mixtral."""
    del config["target_parameters"]
    config["target_modules"] = ["w1", "w2", "w3"]
    config["peft_version"] = "0.14.0"
    written = {}
    for name, tensor in tensors.items():
        module, part = name.rsplit(".lora_", 1)
        part, inner = "lora_" + part, module.endswith(".base_layer")
        prefix = module.removesuffix(".base_layer").replace(".mlp.experts", ".block_sparse_moe.experts")
        experts, rank = 5, config["r"]
        if inner:
            continue
        shaped = tensor.reshape(experts, rank, -1) if "lora_A" in part else tensor.reshape(tensor.shape[0], rank, experts)
        for e in range(experts):
            written[f"{prefix}.{e}.w2.{part}"] = (shaped[e] if "lora_A" in part else shaped[..., e]).contiguous()
    hidden, ffn = 32, 12
    for name in {n.rsplit(".base_layer", 1)[0] for n in tensors if ".base_layer" in n}:
        prefix = name.replace(".mlp.experts", ".block_sparse_moe.experts")
        for e in range(5):
            for w in ("w1", "w3"):
                written[f"{prefix}.{e}.{w}.lora_A.weight"] = torch.randn(config["r"], hidden) * 0.3
                written[f"{prefix}.{e}.{w}.lora_B.weight"] = torch.randn(ffn, config["r"]) * 0.3
    return config, written


def with_adapter_name(config, tensors):
    """Names that hold the adapter's name, without the prefix."""
    renamed = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("base_model.model.")
        for part in ("lora_A", "lora_B"):
            name = name.replace(f".{part}.weight", f".{part}.default.weight")
        renamed[name] = tensor
    return config, renamed


def fan_in_fan_out(config, tensors):
    """As PEFT writes it for Conv1D; it counts for the module's own weight."""
    config["fan_in_fan_out"] = True
    return config, tensors


def unsorted(config, tensors):
    """Patterns in another order than PEFT writes them: the first that matches counts."""
    config["alpha_pattern"] = dict(reversed(config["alpha_pattern"].items()))
    return config, tensors


def whole(family, reaches, block="mlp", router="gate", modules="all-linear", reloads=True):
    """Attention, shared experts and dense layers, the routed experts and, unless it is a module of its own, the router."""
    prefix = f"{block}." if block else ""
    parameters = [f"{prefix}experts.gate_up_proj", f"{prefix}experts.down_proj"] + ([f"{prefix}{router}.weight"] if router else [])
    return Case(family, reaches, dict(r=2, lora_alpha=3, target_modules=modules, target_parameters=parameters), scale=0.1,
                reloads=reloads)


LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "olmoe_article": Case("olmoe", "r and lora_alpha as in the article's recipe, on q_proj and v_proj",
                          dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "olmoe_all_linear": Case("olmoe", "all-linear; the heads' and norms' neighbours", dict(
        r=3, lora_alpha=4, target_modules="all-linear")),
    "olmoe_experts": Case("olmoe", "stacked experts and the router by target_parameters", dict(
        r=2, lora_alpha=4, target_modules=["o_proj"], target_parameters=[GATE_UP, DOWN, "mlp.gate.weight"])),
    "mixtral_experts": Case("mixtral", "stacked experts, one layer of attention", dict(
        r=2, lora_alpha=3, target_modules=["q_proj", "k_proj"], layers_to_transform=[1], target_parameters=[GATE_UP, DOWN])),
    "mixtral_per_expert": Case("mixtral", "w1, w2, w3 expert by expert, as before transformers 5", dict(
        r=2, lora_alpha=3, target_parameters=[GATE_UP, DOWN]), rewrite=per_expert),
    "mixtral_fused_tied_head": Case("mixtral_fused_tied", "modules_to_save of a tied model: the head follows", dict(
        r=2, lora_alpha=3, target_modules=["q_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    "qwen2_moe_patterns": Case("qwen2_moe", "regular expression, rank_pattern, alpha_pattern, rsLoRA", dict(
        r=4, lora_alpha=6, target_modules=r".*\.layers\.\d+\.self_attn\.[qkv]_proj", use_rslora=True,
        rank_pattern={"k_proj": 2}, alpha_pattern={"self_attn.v_proj": 3, r"^model\.layers\.0\.self_attn\.q_proj": 9})),
    "qwen2_moe_experts": Case("qwen2_moe", "routed experts and the router with rsLoRA, one layer of o_proj", dict(
        r=3, lora_alpha=5, use_rslora=True, target_modules=["o_proj"], layers_to_transform=[0],
        target_parameters=[GATE_UP, DOWN, "mlp.gate.weight"])),
    "qwen2_moe_shared": Case("qwen2_moe", "shared experts and their gate, excluded modules", dict(
        r=2, lora_alpha=2, target_modules=["gate_proj", "up_proj", "down_proj", "shared_expert_gate"],
        exclude_modules=["layers.0.mlp.shared_expert.down_proj"])),
    "qwen3_moe_dora": Case("qwen3_moe", "DoRA", dict(
        r=3, lora_alpha=6, use_dora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])),
    "qwen3_moe_down": Case("qwen3_moe", "down_proj of the experts alone", dict(
        r=2, lora_alpha=4, target_modules=[], target_parameters=[DOWN])),
    "qwen3_moe_saved": Case("qwen3_moe", "modules_to_save: embedding and head", dict(
        r=2, lora_alpha=4, target_modules=["v_proj"], modules_to_save=["embed_tokens", "lm_head"])),
    "qwen3_moe_head": Case("qwen3_moe", "the head, beside whose update PEFT saves embedding and head as they are", dict(
        r=2, lora_alpha=4, target_modules=["v_proj", "lm_head"])),
    "deepseek_v2_lite_latent": Case("deepseek_v2_lite", "latent attention: q_proj, kv_a_proj_with_mqa, kv_b_proj", dict(
        r=3, lora_alpha=5, target_modules=["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"])),
    "deepseek_v2_lite_dora": Case("deepseek_v2_lite", "DoRA of latent attention", dict(
        r=2, lora_alpha=5, use_dora=True, target_modules=["kv_b_proj", "q_proj"])),
    "deepseek_v2_lite_names": Case("deepseek_v2_lite", "names with .default. and without base_model.model.", dict(
        r=2, lora_alpha=4, target_modules=["o_proj"]), rewrite=with_adapter_name),
    "deepseek_v2_lite_saved": Case("deepseek_v2_lite", "modules_to_save: kv_b_proj", dict(
        r=2, lora_alpha=4, target_modules=["o_proj"], modules_to_save=["kv_b_proj"])),
    "deepseek_v3_experts": Case("deepseek_v3_plain", "routed experts and the router", dict(
        r=2, lora_alpha=3, target_modules=["q_a_proj", "q_b_proj", "gate_proj", "up_proj", "down_proj"],
        target_parameters=[GATE_UP, DOWN, "mlp.gate.weight"])),
    "deepseek_v3_shared": Case("deepseek_v3_half_split", "latent attention, dense layers and shared experts by their parameters", dict(
        r=2, lora_alpha=3, target_modules=["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"],
        target_parameters=["gate_proj.weight", "up_proj.weight", "down_proj.weight"])),
    "deepseek_v3_all_linear": Case("deepseek_v3_plain", "all-linear", dict(
        r=2, lora_alpha=3, target_modules="all-linear")),
    "olmoe_parameter_patterns": Case("olmoe", "patterns for names of parameters, one layer of down_proj", dict(
        r=2, lora_alpha=4, target_modules=["q_proj"], target_parameters=[GATE_UP, "layers.1." + DOWN, "mlp.gate.weight"],
        rank_pattern={"gate.weight": 3, "gate_up_proj": 1}, alpha_pattern={"mlp.gate": 1, "down_proj": 9})),
    "olmoe_older_peft": Case("olmoe", "stacked experts of PEFT before 0.19.1: transposed updates", dict(
        r=2, lora_alpha=4, target_modules=["o_proj"], target_parameters=[GATE_UP, DOWN]), peft="0.18.1"),
    "olmoe_pattern_order": Case("olmoe", "patterns that match alike, in an order of their own", dict(
        r=2, lora_alpha=4, target_modules=["q_proj"], alpha_pattern={"layers.0.self_attn.q_proj": 9, "q_proj": 2}),
        rewrite=unsorted),
    "deepseek_v3_groups": Case("deepseek_v3_yarn_groups", "a router that chooses groups, with its bias of choice", dict(
        r=2, lora_alpha=3, target_modules=[], target_parameters=["mlp.gate.weight"]), scale=0.6),
    "gpt_oss_experts": Case("gpt_oss_bf16", "transposed stacks, interleaved gate and up", dict(
        r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"], target_parameters=[GATE_UP, DOWN])),
    "gpt_oss_bias": Case("gpt_oss_bf16", "lora_bias, maps with biases of their own", dict(
        r=2, lora_alpha=3, lora_bias=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])),
    "gpt_oss_dora": Case("gpt_oss_bf16", "DoRA of maps with biases", dict(
        r=2, lora_alpha=3, use_dora=True, target_modules=["q_proj", "o_proj"])),
    "llama_article": Case("llama_biases", "a dense model, q_proj and v_proj with biases", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "llama_all_linear": Case("llama_biases", "all-linear", dict(r=2, lora_alpha=3, target_modules="all-linear")),
    "llama_saved": Case("llama_biases", "modules_to_save: a block with three maps in it", dict(
        r=2, lora_alpha=3, target_modules=["q_proj"], modules_to_save=["mlp"])),
    "llama_dora": Case("llama_biases", "DoRA of all linear maps, with biases", dict(
        r=2, lora_alpha=3, use_dora=True, target_modules="all-linear")),
    "llama_fan_in_fan_out": Case("llama_biases", "fan_in_fan_out, which says nothing about A and B", dict(
        r=2, lora_alpha=3, target_modules=["v_proj", "down_proj"]), rewrite=fan_in_fan_out),
    "mistral_all_linear": Case("mistral", "a dense model with windows", dict(r=2, lora_alpha=3, target_modules="all-linear"), scale=0.1),
    "mixtral_dora": Case("mixtral", "DoRA of q_proj and k_proj, whose rows GGUF permutes", dict(
        r=2, lora_alpha=3, use_dora=True, target_modules=["q_proj", "k_proj"])),
    "mixtral_saved": Case("mixtral", "modules_to_save: q_proj, whose rows GGUF permutes", dict(
        r=2, lora_alpha=3, target_modules=["o_proj"], modules_to_save=["q_proj"])),
    "qwen2_all_linear": Case("qwen2", "a dense model with biases of q, k and v", dict(r=2, lora_alpha=3, target_modules="all-linear"), scale=0.1),
    "qwen3_all_linear": Case("qwen3", "a dense model with norms of q and k", dict(r=2, lora_alpha=3, target_modules="all-linear"), scale=0.1),
    "afmoe_whole": whole("afmoe", "output gates, four norms", router=None),
    "cohere2_moe_whole": whole("cohere2_moe", "parallel blocks"),
    "dots1_whole": whole("dots1", "shared experts beside a sigmoid router"),
    "ernie4_5_moe_whole": whole("ernie4_5_moe", "interleaved pairs"),
    "exaone_moe_whole": whole("exaone_moe", "windows and layers that do not rotate"),
    "flex_olmo_whole": whole("flex_olmo", "norms after the layers"),
    "gemma4_text_whole": whole("gemma4_text", "experts beside a dense layer", block="", router=None),
    "glm4_moe_whole": whole("glm4_moe", "partly rotated heads"),
    "glm4_moe_lite_whole": whole("glm4_moe_lite", "latent attention of GLM"),
    "granitemoe_whole": whole("granitemoe", "names of transformers beside those of the checkpoint: experts and router",
                              block="block_sparse_moe", router="router"),
    "hunyuan_v1_moe_whole": whole("hunyuan_v1_moe", "a router with a module of its own", router=None),
    "hy_v3_whole": whole("hy_v3", "names of transformers beside those of the checkpoint: router and shared experts"),
    "laguna_whole": whole("laguna", "names of transformers beside those of the checkpoint: shared experts", reloads=False),
    "lfm2_moe_whole": whole("lfm2_moe", "short convolutions beside attention", block="feed_forward"),
    "llama4_text_whole": whole("llama4_text", "transposed stacks, gate before up", block="feed_forward", router=None, modules=LINEAR),
    "mellum_whole": whole("mellum", "rotations by the type of the layer"),
    "mimo_v2_flash_whole": whole("mimo_v2_flash", "sinks, values narrower than keys"),
    "minimax_m2_whole": whole("minimax_m2", "norms of whole q and k"),
    "mistral4_whole": whole("mistral4", "latent attention of Mistral"),
    "qwen3_5_moe_whole": whole("qwen3_5_moe", "the text part of a multimodal checkpoint, under the names of the text model"),
    "qwen3_5_moe_text_whole": whole("qwen3_5_moe_text", "Gated DeltaNet"),
    "qwen3_next_whole": whole("qwen3_next", "Gated DeltaNet with fused projections"),
    "sarvam_moe_whole": whole("sarvam_moe", "q_proj, k_proj and v_proj are rows of one tensor of the checkpoint"),
    "sarvam_moe_dora": Case("sarvam_moe", "DoRA of rows of a joint tensor", dict(
        r=2, lora_alpha=3, use_dora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]), scale=0.1),
    "solar_open_whole": whole("solar_open", "a sigmoid router with shared experts"),
}


def base_of(family):
    folder = FAMILIES / family
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    return json.loads((folder / "config.json").read_text()), {n: t.float() for n, t in tensors.items()}


def randomise(model, scale):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                parameter.copy_(torch.randn_like(parameter) * scale)
            elif "lora_magnitude_vector" in name:
                parameter.mul_(1 + 0.3 * torch.randn_like(parameter))
            elif "modules_to_save" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)


def difference(logits, other):
    return ((logits - other).abs().max() / logits.abs().max()).item()


def make(name, case, seed):
    if case.peft not in (None, peft.__version__):
        raise SystemExit(f"{name}: expected PEFT {case.peft}, found {peft.__version__}")
    config, tensors = base_of(case.family)
    golden = json.loads((FAMILIES / case.family / "golden.json").read_text())
    tokens = golden["tokens"]
    torch.manual_seed(seed)
    adapted = get_peft_model(load(config, tensors, ignored(config)), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **copy.deepcopy(case.config)))
    randomise(adapted, case.scale)
    with tempfile.TemporaryDirectory() as scratch:
        adapted.save_pretrained(scratch)
        scratch = Path(scratch)
        written, saved = json.loads((scratch / "adapter_config.json").read_text()), load_file(scratch / "adapter_model.safetensors")
        if case.rewrite:
            written, saved = case.rewrite(written, saved)
        written["base_model_name_or_path"] = case.family
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(json.dumps(written, indent=1) + "\n")
        save_file(saved, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    again = PeftModel.from_pretrained(load(config, tensors, ignored(config)), folder).eval() if case.reloads else adapted.eval()
    base = load(config, tensors, ignored(config))
    logits, routers = ask(again.base_model.model, tokens)
    plain, _ = ask(base, tokens)
    if case.reloads:
        again = PeftModel.from_pretrained(load(config, tensors, ignored(config)), folder)
    merged, _ = ask(again.merge_and_unload().eval(), tokens)
    if difference(logits, merged) > 1e-4:
        raise SystemExit(f"{name}: merged differs by {difference(logits, merged):.1e}")
    if not torch.isfinite(logits).all() or difference(plain, logits) < MATTERS:
        return f"changes the answer by {difference(plain, logits):.1e} only"
    clear = min((r.margin() for r in routers.values()), default=1.0)
    if clear < MARGIN:
        return f"routing is clear by {clear:.1e} only"
    golden = {"made_by": {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__,
                          "python": platform.python_version(), "script": SCRIPT, "seed": seed},
              "family": case.family, "tokens": tokens,
              "logits": {"shape": list(logits.shape), "values": [float(f"{v:.7g}") for v in logits.flatten().tolist()]}}
    if routers:
        golden["experts"] = {str(i): r.chosen.tolist() for i, r in sorted(routers.items())}
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    return None


def readme():
    lines = ["# Goldens of adapters", "",
             "Adapters that PEFT saved for models of `../families`, and what transformers with PEFT answers for the prompt of the",
             "family: f32 on the CPU, unmerged; merged differs by less than 1e-4. Made by `python tests/oracle/make_adapter_goldens.py`",
             "with the packages that each `golden.json` names.", "", "| case | model | what it reaches |", "|---|---|---|"]
    lines += [f"| `{name}` | `{case.family}` | {case.reaches} |" for name, case in CASES.items()]
    return "\n".join(lines) + "\n"


def main():
    total, names = 0, sys.argv[1:] or [n for n, case in CASES.items() if case.peft in (None, peft.__version__)]
    for name in names:
        reasons = []
        for seed in range(60):
            reason = make(name, CASES[name], seed)
            if reason is None:
                break
            reasons.append(reason)
        else:
            raise SystemExit(f"{name}: no seed shows it; {sorted(set(reasons))[:5]}")
        size = sum(f.stat().st_size for f in (OUT / name).iterdir())
        total += size
        print(f"{name}: seed {seed}, {size} bytes", flush=True)
    if not sys.argv[1:]:
        (OUT / "README.md").write_text(readme())
    print(f"{len(list(names))} cases, {total} bytes")


if __name__ == "__main__":
    main()
