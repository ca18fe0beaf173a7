# SPDX-License-Identifier: Apache-2.0
"""What an absent key of config.json means: every default of the configuration class of every family that trine reads.

    python tests/oracle/make_config_defaults.py             # rewrites tests/golden/config_defaults.json

"defaults" are the fields of the class as declared, with rope_theta from its default_theta, and rope_parameters and
partial_rotary_factor where the class fills them in. "null_fails" are the keys with which a small model of the family cannot be built or asked when they are null.
"aliases" are other spellings, {alias: key}.

transformers has no class for kimi_k2. The configuration that Kimi K2 is published with derives from DeepseekV3Config and changes
nothing but model_type; transformers reads such a text_config of Kimi K2.5 and K2.6 as deepseek_v3, too.
"""
import json
import platform
import sys
import warnings
from dataclasses import MISSING, fields
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/oracle"))
from families import configs                                                      # noqa: E402
import families.model                                                             # noqa: E402, F401: registers a class

SCRIPT, OUT = "tests/oracle/make_config_defaults.py", ROOT / "tests/golden/config_defaults.json"
FAMILIES = [
    "afmoe",
    "cohere2_moe",
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "dots1",
    "ernie4_5_moe",
    "exaone_moe",
    "flex_olmo",
    "gemma4_text",
    "glm4_moe",
    "glm4_moe_lite",
    "glm_moe_dsa",
    "gpt_oss",
    "granitemoe",
    "hunyuan_v1_moe",
    "hy_v3",
    "kimi_linear",
    "laguna",
    "lfm2_moe",
    "llama",
    "llama4_text",
    "mellum",
    "mimo_v2_flash",
    "minimax_m2",
    "mistral",
    "mistral4",
    "mixtral",
    "olmoe",
    "phimoe",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_5_moe_text",
    "qwen3_moe",
    "qwen3_next",
    "sarvam_moe",
    "solar_open",
    "step3p5",
]



# Keys that a class takes besides its fields, with what an absent one means.
MORE = {"gemma4_text": {"global_head_dim": 512, "num_global_key_value_heads": None}}


# Classes whose rope_parameters follow from keys with an entry for each layer.
BY_LAYER = {"step3p5"}


# Keys whose defaults follow from others.
DERIVED = {"mistral4": "partial_rotary_factor"}


def config_class(family):
    return type(AutoConfig.for_model(family))


def defaults(cls):
    """{key: default} of what the class declares itself."""
    base = {field.name for field in fields(PreTrainedConfig)}
    declared = {f.name: None if f.default is MISSING else f.default for f in fields(cls) if f.name not in base}
    found = {name: value for name, value in declared.items() if cls.attribute_map.get(name) not in declared}
    found["tie_word_embeddings"] = cls().tie_word_embeddings
    filled = getattr(cls(), "rope_parameters", None)              # kimi_linear has none
    if filled is None:
        return dict(sorted(found.items()))
    if cls.model_type in BY_LAYER:
        return dict(sorted((found | {"rope_theta": cls.default_theta}).items()))
    if "rope_type" in filled:
        found["rope_theta"] = cls.default_theta
        scaled = filled["rope_type"] != "default"
        found["rope_parameters"] = {k: v for k, v in filled.items() if k != "rope_theta"} if scaled else None
    else:                                                         # an object for each layer type
        found["rope_parameters"] = filled
    if derived := DERIVED.get(cls.model_type):
        found["rope_parameters"].pop(derived)
    elif "partial_rotary_factor" in filled:
        found["partial_rotary_factor"] = filled["partial_rotary_factor"]
    return dict(sorted((found | MORE.get(cls.model_type, {})).items()))


@torch.no_grad()
def works(config):
    try:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), attn_implementation="eager")
        model.float().eval()(torch.arange(24)[None] % config["vocab_size"], use_cache=False)
        return True
    except Exception:                                                             # whatever it is, the key has no meaning
        return False


def family(name):
    cls, small = config_class(name), getattr(configs, name)()
    assert works(small), name
    keys = defaults(cls)
    return {"class": cls.__name__, "aliases": cls.attribute_map, "defaults": keys,
            "null_fails": [key for key in keys if not works({**small, key: None})]}


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    families = {name: family(name) for name in FAMILIES}
    families["kimi_k2"] = families["deepseek_v3"]
    made_by = {"transformers": transformers.__version__, "torch": torch.__version__, "python": platform.python_version(),
               "script": SCRIPT}
    OUT.write_text(json.dumps({"made_by": made_by, "families": dict(sorted(families.items()))}, indent=1) + "\n")
    print(f"{OUT}: {sum(len(f['defaults']) for f in families.values())} defaults of {len(families)} families")


if __name__ == "__main__":
    main()
