// SPDX-License-Identifier: Apache-2.0
// The options that say which model runs and how, and what is read from its directory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include <unistd.h>

#include <trine/generate/session.hpp>
#include <trine/text/pcre2_regex.hpp>
#include <trine/text/tokenizer.hpp>

#include "common/program.hpp"

namespace example {

/// Whatever is wrong with what `read` reads of a model, is the model's fault.
template <class Read>
auto read_from_model(Read read) {
  try {
    return read();
  } catch (const trine::Error& error) {
    throw UnreadableModel(error.what());
  }
}

struct ModelOptions {
  std::string directory;
  std::size_t threads = 0;
  std::size_t context = 0;
  trine::Activations activations = trine::Activations::automatic;

  void add_model(CLI::App& app) {
    app.add_option("-m,--model", directory, "Model directory: config.json, weights, tokenizer.json")
        ->required()
        ->type_name("DIR");
  }
  void add_threads(CLI::App& app) {
    app.add_option("-t,--threads", threads, "Threads; 0: one a core")
        ->type_name("N")
        ->check(whole_number() & CLI::Range(0, 1024).description(""));
  }
  void add_activations(CLI::App& app) {
    std::map<std::string, trine::Activations> names;
    for (const auto& [value, name] : trine::kActivationsNames) names.emplace(name, value);
    app.add_option("--activations", activations,
                   "Activations in products: f32; automatic: bytes with q8 and q4; native: bf16 with bf16, too")
        ->type_name("TYPE")
        ->default_str("automatic")
        ->transform(CLI::Transformer(names).description("") & CLI::IsMember(names).description(""));
  }
  void add_context(CLI::App& app, const std::string& help) {
    app.add_option("-c,--ctx-size", context, help)->type_name("N")->check(whole_number());
  }

  [[nodiscard]] trine::Model load() const {
    return read_from_model([&] { return trine::Model::load(directory); });
  }
  [[nodiscard]] trine::Tokenizer load_tokenizer() const {
    return read_from_model([&] { return trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex}); });
  }
};

/// Throws CapacityError when `model` was not made for so many positions, or their caches do not fit the memory.
inline void require_fit(const trine::Model& model, std::size_t positions) {
  const std::size_t most = model.info().max_position_embeddings;
  if (positions > most) {
    throw trine::CapacityError("context: expected at most " + std::to_string(most) +
                               ", the max_position_embeddings of the model, found " + std::to_string(positions));
  }
  const std::size_t memory =
      static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t cache = model.cache_bytes(positions);
  if (cache > memory) {
    throw trine::CapacityError("context: the caches of " + std::to_string(positions) + " positions need " +
                               std::to_string(cache >> 20U) + " MiB, this machine has " +
                               std::to_string(memory >> 20U) + " MiB");
  }
}

}  // namespace example
