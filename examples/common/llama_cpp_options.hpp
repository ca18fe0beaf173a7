// SPDX-License-Identifier: Apache-2.0
// Options that people know from llama.cpp and similar programs, and what to write here instead.
#pragma once

#include <array>
#include <string_view>

namespace example {

/// The advice for `name`, such as "-ngl": how a message goes on after "unknown option '-ngl': ". Empty when there is
/// none.
[[nodiscard]] inline std::string_view advice_on_option(std::string_view name) {
  struct Advice {
    std::string_view names;  // each with a space before and behind it
    std::string_view text;
  };
  static constexpr std::array kAdvice{
      Advice{" -ngl --gpu-layers --n-gpu-layers --n_gpu_layers -sm --split-mode -ts --tensor-split -mg --main-gpu -dev "
             "--device --list-devices -nkvo --no-kv-offload -kvo --kv-offload -ot --override-tensor -cmoe --cpu-moe "
             "-ncmoe --n-cpu-moe --no-op-offload -fit --fit --rpc --gpu-memory-utilization --tensor-parallel-size ",
             "trine runs on CPUs, leave it out"},
      Advice{" -fa --flash-attn --flash-attention ",
             "attention is always computed in blocks, as flash attention does; leave it out"},
      Advice{" --mlock --mmap --no-mmap -dio --direct-io -ndio --no-direct-io -mmp ",
             "weights are always mapped from their files, leave it out"},
      Advice{" -ctk --cache-type-k -ctv --cache-type-v ", "--cache-type TYPE is for keys and values: f32, bf16 or q8"},
      Advice{" -b --batch-size -ub --ubatch-size ",
             "how many tokens of a prompt are read at once is chosen by the program, leave it out"},
      Advice{" --keep --context-shift --no-context-shift ", "a text ends where the context is full, leave it out"},
      Advice{" -tb --threads-batch ", "-t N is for prompts, too"},
      Advice{" -C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll --numa ",
             "threads are placed by the system; taskset and numactl choose where"},
      Advice{" -i --interactive -if --interactive-first -cnv --conversation -no-cnv --no-conversation -st "
             "--single-turn ",
             "trine-generate completes a text and trine-chat has conversations, leave it out"},
      Advice{" -sys --system-prompt ", "trine-chat has --system TEXT"},
      Advice{" --chat-template --chat-template-file ", "trine-chat has --template, for a name, a file or a text"},
      Advice{" --chat-template-kwargs ", "trine-chat has --template-vars JSON"},
      Advice{" --jinja --no-jinja ", "trine-chat always runs the template of the model, leave it out"},
      Advice{" -hf -hfr --hf-repo -hff --hf-file -hft --hf-token -mu --model-url ",
             "trine downloads nothing; -m DIR is the directory of a model"},
      Advice{" --max-tokens --max_tokens --max-new-tokens --max_new_tokens --n_predict ",
             "-n N is the most tokens to add"},
      Advice{" --samplers --sampler-seq --sampling-seq --mirostat --mirostat-lr --mirostat-ent --typical --typical-p "
             "--xtc-probability --xtc-threshold --dry-multiplier --dry-base --dry-allowed-length --presence-penalty "
             "--frequency-penalty --dynatemp-range --dynatemp-exp --top-nsigma --top-n-sigma --logit-bias ",
             "not implemented; there are --top-k, --top-p, --min-p, --temp and --repeat-penalty"},
      Advice{" --grammar --grammar-file -j --json-schema -jf --json-schema-file ",
             "what a model may write cannot be constrained, but for --stop"},
      Advice{" --lora-scaled ", "--lora DIR:SCALE has the scale"},
      Advice{" --control-vector --control-vector-scaled ", "control vectors are not applied"},
      Advice{" -md --model-draft --draft --draft-max --draft-min ", "speculative decoding is not implemented"},
      Advice{" --rope-scaling --rope-scale --rope-freq-base --rope-freq-scale --yarn-orig-ctx --yarn-ext-factor "
             "--yarn-attn-factor --yarn-beta-slow --yarn-beta-fast ",
             "positions are scaled as config.json says"},
      Advice{" -e --escape --no-escape ", "a prompt is taken as it is; a shell writes line breaks as $'\\n'"},
      Advice{" -co --color --colors ", "colours follow the terminal and NO_COLOR, leave it out"},
      Advice{" --simple-io --no-perf --no-warmup --warmup --log-disable -lv --log-verbosity -v --verbose "
             "--verbose-prompt ",
             "leave it out"}};
  if (name.empty() || name.find(' ') != std::string_view::npos) return {};
  for (const Advice& advice : kAdvice) {
    for (std::size_t at = advice.names.find(name); at != std::string_view::npos; at = advice.names.find(name, at + 1))
      if (advice.names[at - 1] == ' ' && advice.names[at + name.size()] == ' ') return advice.text;
  }
  return {};
}

}  // namespace example
