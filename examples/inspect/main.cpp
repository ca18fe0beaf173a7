// SPDX-License-Identifier: Apache-2.0
// What a model is and what it needs, from its headers alone: no page of the weights is read.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/error.hpp>
#include <trine/core/printable.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/weights/gguf.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/weight_source.hpp>

#include "common/model.hpp"
#include "common/terminal.hpp"
#include "headers_only.hpp"
#include "metadata_table.hpp"
#include "tensor_table.hpp"

namespace {

std::string with_commas(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3;) text.insert(i -= 3, ",");
  return text;
}

/// What is not used, a line for each reason.
void print_notes(const std::vector<trine::Note>& notes) {
  std::vector<std::pair<std::string, std::string>> lines;  // reason, subjects
  for (const trine::Note& note : notes) {
    auto line = std::ranges::find_if(lines, [&](const auto& entry) { return entry.first == note.text; });
    if (line == lines.end()) line = lines.insert(lines.end(), {note.text, ""});
    line->second += (line->second.empty() ? "" : ", ") + trine::escaped(note.subject);
  }
  for (const auto& [reason, subjects] : lines)
    std::printf("%-15s%s: %s\n", reason == lines.front().first ? "not used" : "", subjects.c_str(), reason.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("trine-inspect",
                           "Prints the architecture of a model, its parameters and the memory that it needs, from its\n"
                           "headers alone, however large it is; of a GGUF file the metadata, too. config.json is\n"
                           "enough: weights that are not there are counted as bf16 (codes of MXFP4 as they are).",
                           "trine-inspect -m examples/models/shakespeare -c 4096");
  example::ModelOptions options;
  bool json = false;
  options.add_model(program);
  options.add_allow_unknown(program);
  options.add_context(program, "Positions to count the caches for; 0: what the model was made for");
  options.add_cache_type(program);
  program.add_flag("--json", json, "One JSON document instead of text");

  return program.run(argc, argv, [&] {
    const trine::Model model =
        example::read_from_model([&] { return example::HeadersOnly::load(options.directory, options.load_options()); });
    const trine::ModelInfo& info = model.info();
    std::vector<trine::Note> notes = info.notes;
    notes.insert(notes.end(), options.notes.all().begin(), options.notes.all().end());
    const std::size_t context = options.context_length == 0 ? info.max_position_embeddings : options.context_length;
    if (context > info.max_position_embeddings) {
      throw trine::CapacityError("context_length: expected at most " + std::to_string(info.max_position_embeddings) +
                                 ", found " + std::to_string(context));
    }

    const bool is_gguf = trine::is_gguf(options.directory);
    const std::string config_name = is_gguf ? options.directory : options.directory + "/config.json";
    const example::TensorTable tensors(
        model, trine::Model::tensor_record(model.config(), config_name, model.weights(), options.load_options()));
    const bool has_weights = is_gguf || trine::has_weights(options.directory);
    const std::size_t weight_bytes = model.weight_bytes();
    const std::size_t cache_bytes = model.cache_bytes(context, options.kv_cache_dtype());
    const std::size_t parameters = model.transformer().parameters();
    const std::size_t active = model.transformer().active_parameters();

    if (json) {
      nlohmann::ordered_json document = {{"model_type", info.model_type},
                                         {"architecture", info.summary},
                                         {"output", std::string(to_string(info.output))},
                                         {"hidden_size", info.hidden_size},
                                         {"num_hidden_layers", info.num_hidden_layers},
                                         {"vocab_size", info.vocab_size},
                                         {"num_features", info.num_features},
                                         {"frame_size", info.frame_size},
                                         {"max_position_embeddings", info.max_position_embeddings},
                                         {"experts", info.experts},
                                         {"parameters", {{"total", parameters}, {"active", active}}},
                                         {"has_weights", has_weights},
                                         {"weight_bytes", weight_bytes},
                                         {"context", context},
                                         {"cache_bytes", cache_bytes},
                                         {"memory_bytes", weight_bytes + cache_bytes},
                                         {"tensors", tensors.by_dtype()},
                                         {"tensors_by_role", tensors.by_role()}};
      document["notes"] = nlohmann::ordered_json::array();
      for (const trine::Note& note : notes)
        document["notes"].push_back({{"subject", note.subject}, {"text", note.text}});
      if (is_gguf) document["metadata"] = example::metadata_to_json(trine::GgufFile(options.directory).metadata());
      std::printf("%s\n", document.dump(2).c_str());
      return;
    }
    const auto bytes = [](std::size_t count) { return example::with_unit(static_cast<double>(count)); };
    std::printf("architecture   %s: %s\n", info.model_type.c_str(), info.summary.c_str());
    std::printf("layers         %zu, hidden size %zu\n", info.num_hidden_layers, info.hidden_size);
    if (info.num_features == 0) {
      std::printf("input          tokens of a vocabulary of %zu\n", info.vocab_size);
    } else {
      std::printf("input          frames of %zu sites, %zu features each\n", info.frame_size, info.num_features);
    }
    std::printf("output         %s\n", std::string(to_string(info.output)).c_str());
    std::printf("parameters     %s, at most %s of them active for a token (%.1f %%)\n", with_commas(parameters).c_str(),
                with_commas(active).c_str(), 100.0 * static_cast<double>(active) / static_cast<double>(parameters));
    tensors.print();
    std::printf("weights        %s, %s\n", bytes(weight_bytes).c_str(),
                has_weights ? "mapped from the file" : "parameters from the configuration; no weights here");
    std::printf("caches         %s for %zu positions (of at most %zu)\n", bytes(cache_bytes).c_str(), context,
                info.max_position_embeddings);
    std::printf("memory needed  %s, and scratch memory that grows with the batch\n",
                bytes(weight_bytes + cache_bytes).c_str());
    print_notes(notes);
    if (is_gguf) example::print_metadata(trine::GgufFile(options.directory).metadata());
  });
}
