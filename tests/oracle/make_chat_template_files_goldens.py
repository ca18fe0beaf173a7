# SPDX-License-Identifier: Apache-2.0
"""Which chat template, and which special tokens, Hugging Face transformers takes from the files of a model directory.

    python tests/oracle/make_chat_template_files_goldens.py     # rewrites tests/golden/chat_templates/files.json

A tokenizer does not look into chat_template.json, which processors read: where that is all there is, the template is what
`ProcessorMixin` reads, and the special tokens are those of the tokenizer.
"""
import json
import tempfile
from pathlib import Path

import transformers
from transformers import PreTrainedTokenizerFast
from transformers.processing_utils import ProcessorMixin

OUT = Path(__file__).resolve().parents[2] / "tests/golden/chat_templates/files.json"
TOKENIZER = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
             "model": {"type": "BPE", "vocab": {"a": 0, "<s>": 1, "<t>": 2, "<x>": 3}, "merges": []}}
SHOW = "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}|{{ messages[0].content }}|{{ tools|length if tools else 0 }}"
ADDED = {"added_tokens_decoder": {"1": {"content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}}}


def config(**keys):
    return {"tokenizer_config.json": json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **keys})}


def named(**templates):
    return [{"name": name, "template": template} for name, template in templates.items()]


JINJA, JSON, TOOLS, RAG = "chat_template.jinja", "chat_template.json", "additional_chat_templates/tool_use.jinja", "additional_chat_templates/rag.jinja"
OLD = {JSON: json.dumps({"chat_template": "json " + SHOW})}
CASES = [
    config(chat_template="config " + SHOW, bos_token="<s>"), {**config(bos_token="<s>"), JINJA: "file " + SHOW}, {JINJA: "file " + SHOW},
    {**config(chat_template="config", bos_token="<s>"), JINJA: "file " + SHOW}, {**config(bos_token="<s>"), **OLD}, OLD, {**config(chat_template="config " + SHOW), **OLD},
    {**config(), **OLD, JINJA: "file"}, {**config(chat_template=None), **OLD}, {}, config(),
    config(chat_template=named(default="plain " + SHOW, tool_use="tools " + SHOW)), config(chat_template={"default": "plain " + SHOW, "tool_use": "tools " + SHOW}),
    config(chat_template=named(default="plain", rag="rag")), config(chat_template=named(tool_use="tools " + SHOW)), config(chat_template=named(rag="rag")),
    config(chat_template=named(default="first") + named(default="second")), config(chat_template=""),
    {**config(chat_template="config"), JINJA: "file", TOOLS: "more " + SHOW}, {**config(chat_template="config"), TOOLS: "more " + SHOW}, {**config(chat_template="config"), RAG: "rag"},
    {**config(chat_template=named(default="plain", tool_use="tools")), JINJA: "file"}, {**config(), JINJA: "file", "additional_chat_templates/default.jinja": "more"},
    {**config(chat_template=SHOW, bos_token="<s>"), "special_tokens_map.json": json.dumps({"bos_token": "<t>", "eos_token": {"content": "<x>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}})},
    {**config(chat_template=SHOW, bos_token="<s>", **ADDED), "special_tokens_map.json": json.dumps({"bos_token": "<t>", "eos_token": "<x>"})},
    {JINJA: SHOW, "special_tokens_map.json": json.dumps({"bos_token": "<t>"})},
    config(chat_template=SHOW + "{{ image_token }}|{{ num_token is defined }}", image_token="<x>", num_token=5, bos_token={"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}),
]
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}


def rendered(directory, tools):
    """The text, or null where transformers refuses."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    template = None
    if tokenizer.chat_template is None:
        template = ProcessorMixin.get_processor_dict(directory)[0].get("chat_template")
    try:
        return tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tools=tools, chat_template=template, tokenize=False)
    except ValueError:
        return None


def main():
    rows = []
    for files in CASES:
        with tempfile.TemporaryDirectory() as name:
            for file, content in {"tokenizer.json": json.dumps(TOKENIZER), **files}.items():
                path = Path(name, file)
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
            rows.append(json.dumps({"files": files, "plain": rendered(name, None), "tools": rendered(name, [TOOL])}))
    made_by = json.dumps({"transformers": transformers.__version__, "script": "tests/oracle/make_chat_template_files_goldens.py"})
    OUT.write_text('{"made_by": ' + made_by + ',\n"cases": [\n' + ",\n".join(rows) + "\n]}\n")
    print(len(rows), "directories")


if __name__ == "__main__":
    main()
