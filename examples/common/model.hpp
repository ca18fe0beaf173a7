// SPDX-License-Identifier: Apache-2.0
// The options that say which model runs and how, and what is read from its directory.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/core/notes.hpp>
#include <trine/generate/session.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/weights/find_model.hpp>

#include "common/program.hpp"
#include "common/terminal.hpp"

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
  std::size_t num_threads = 0;
  std::size_t context_length = 0;
  trine::ActivationPrecision activations = trine::ActivationPrecision::automatic;
  std::string cache_type_name = "f32";
  std::string attention = "full";
  std::vector<std::string> allow_unknown;
  std::vector<std::string> lora;  // DIR or DIR:SCALE
  trine::Notes notes;             // on files beside the model
  bool reproducible = false;

  void add_model(CLI::App& app) {
    app.add_option(
           "-m,--model", directory,
           "Model directory (config.json, weights, tokenizer.json), GGUF file, or ORG/NAME of the Hugging Face\n"
           "hub where it was downloaded; with :FILE or :Q4_K_M one of several GGUF models")
        ->required()
        ->type_name("MODEL");
    app.final_callback([this] { find(); });
  }
  void add_allow_unknown(CLI::App& app) { add_allow_unknown(app, allow_unknown); }
  static void add_allow_unknown(CLI::App& app, std::vector<std::string>& names) {
    app.add_option("--allow-unknown", names,
                   "Ignore a key of the configuration or a tensor of this name that is not known,\n"
                   "* and ? as in a shell; may be given several times")
        ->type_name("NAME")
        ->default_str("")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  void add_threads(CLI::App& app) {
    app.add_option("-t,--threads", num_threads, "Threads; 0: as many as the processors that may be used")
        ->type_name("N")
        ->transform(minus_one_is("0"))
        ->check(whole_number(0, 1024));
  }
  void add_activations(CLI::App& app, const std::string& otherwise = "automatic") {
    std::vector<std::string> names;
    for (const auto& [value, name] : trine::kActivationPrecisionNames) names.emplace_back(name);
    const auto set = [this](const std::string& given) {
      for (const auto& [value, name] : trine::kActivationPrecisionNames)
        if (name == given) activations = value;
    };
    set(otherwise);
    app.add_option_function<std::string>(
           "--activations", set,
           "Activations in products: f32; automatic: bytes with q8 to q3a, q4 and GGUF types,\n"
           "which costs about 0.3 % of perplexity; native: bf16 with bf16, too")
        ->type_name("TYPE")
        ->default_str(otherwise)
        ->check(CLI::IsMember(names).description(""));
  }
  void add_cache_type(CLI::App& app) {
    std::vector<std::string> names;
    for (const auto& [value, name] : trine::kKvCacheDtypeNames) names.emplace_back(name);
    app.add_option("--cache-type", cache_type_name, "How keys and values are kept: f32, bf16 or q8 (8.5 bits)")
        ->type_name("TYPE")
        ->check(CLI::IsMember(names).description(""));
  }
  void add_attention(CLI::App& app) {
    app.add_option("--attention", attention,
                   "full, or chunked:SIZE[:OVERLAP]: an approximation in which tokens see their chunk and an overlap")
        ->type_name("KIND");
  }
  void add_reproducible(CLI::App& app) {
    app.add_flag("--reproducible", reproducible,
                 "The same bits however a prompt is cut, also with latent attention, whose form otherwise follows the "
                 "rows of a pass");
  }
  void add_lora(CLI::App& app,
                const std::string& help =
                    "An adapter that PEFT saved: adapter_config.json and adapter_model.safetensors; SCALE multiplies\n"
                    "its own. Several add up") {
    app.add_option("--lora", lora, help)
        ->type_name("DIR[:SCALE]")
        ->default_str("")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  void add_context(CLI::App& app, const std::string& help) {
    app.add_option("-c,--ctx-size", context_length, help)->type_name("N")->check(whole_number());
  }

  [[nodiscard]] trine::KvCacheDtype kv_cache_dtype() const { return *trine::parse_kv_cache_dtype(cache_type_name); }
  [[nodiscard]] trine::LoadOptions load_options() const {
    trine::LoadOptions options;
    options.chunking = trine::parse_chunking(attention);
    options.allow_unknown = allow_unknown;
    return options;
  }
  /// Puts the path of the model in place of its name. Throws UnreadableModel.
  void find() {
    directory = read_from_model([this] { return trine::find_model(directory, &notes).string(); });
  }
  [[nodiscard]] trine::Model load() const {
    trine::LoadOptions options = load_options();
    std::optional<ProgressBar> bar;  // for slow disks: mapped weights take milliseconds
    options.progress = [&bar](const trine::LoadProgress& progress) {
      if (!bar) bar.emplace("loading", progress.bytes_total >> 20U, "MiB", std::chrono::seconds(1));
      bar->update(progress.bytes_done >> 20U);
    };
    return read_from_model([&] { return trine::Model::load(directory, options); });
  }
  // "DIR:0.5" is DIR and 0.5; a path may have colons of its own. Throws UsageError: no number after a path that exists.
  [[nodiscard]] static std::pair<std::string, float> split_scale(const std::string& given) {
    const std::size_t colon = given.rfind(':');
    if (colon == std::string::npos) return {given, 1.0F};
    float scale = 0.0F;
    const char* end = given.data() + given.size();
    const auto [stop, error] = std::from_chars(given.data() + colon + 1, end, scale);
    const std::string path = given.substr(0, colon);
    if (error == std::errc() && stop == end && std::isfinite(scale)) return {path, scale};
    std::error_code ignored;
    if (!std::filesystem::exists(given, ignored) && std::filesystem::exists(path, ignored))
      throw UsageError("adapter " + path + ": expected a finite scale after the colon, found '" +
                       given.substr(colon + 1) + "'");
    return {given, 1.0F};
  }
  /// The adapters of --lora, for this model.
  [[nodiscard]] std::vector<trine::AdapterUse> load_adapters(const trine::Model& model) const {
    std::vector<trine::AdapterUse> adapters;
    for (const std::string& given : lora) {
      const std::pair<std::string, float> use = split_scale(given);
      adapters.push_back({read_from_model([&] {
                            return trine::Adapter::load(model, use.first,
                                                        {.regex = trine::pcre2_regex, .allow_unknown = allow_unknown});
                          }),
                          use.second});
    }
    return adapters;
  }
  [[nodiscard]] trine::Tokenizer load_tokenizer() const {
    return read_from_model([&] { return trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex}); });
  }
};

/// Throws CapacityError when `model` was not made for so many positions.
inline void require_fit(const trine::Model& model, std::size_t positions) {
  const std::size_t most = model.info().max_position_embeddings;
  if (positions > most) {
    throw trine::CapacityError("context_length: expected at most " + std::to_string(most) +
                               ", the max_position_embeddings of the model, found " + std::to_string(positions));
  }
}

}  // namespace example
