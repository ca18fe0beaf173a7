// SPDX-License-Identifier: Apache-2.0
// The options that say how tokens are chosen. What the command line says counts before what generation_config.json of
// the model says, and that before the defaults.
#pragma once

#include <cstdio>
#include <random>
#include <string>

#include <trine/generate/generate_options.hpp>

#include "common/model.hpp"
#include "common/program.hpp"

namespace example {

class GenerationOptions {
 public:
  explicit GenerationOptions(std::size_t max_new_tokens = 256) {
    given_.max_new_tokens = defaults_.max_new_tokens = max_new_tokens;
  }

  void add_max_new_tokens(CLI::App& app, const std::string& help) {
    max_new_tokens_ = app.add_option("-n,--predict,--n-predict", given_.max_new_tokens,
                                     help + "; -1: until the model ends it or the context is full")
                          ->type_name("N")
                          ->transform(minus_one_is(kNoLimit))
                          ->check(whole_number());
  }

  void add_sampling(CLI::App& app) {
    trine::SamplingOptions& sampling = given_.sampling;
    const std::string group = "Sampling";
    const auto option = [&](const char* name, auto& value, const char* help, const char* type) {
      return app.add_option(name, value, help)->type_name(type)->group(group);
    };
    option("-s,--seed", sampling.seed, "Same seed, same text; -1: any, which is then printed", "N")
        ->transform(CLI::Validator([this](std::string& text) { return choose_seed(text); }, ""))
        ->check(whole_number());
    temperature_ = option("--temp,--temperature", sampling.temperature, "Temperature; 0: always the best token", "T");
    top_k_ = option("--top-k", sampling.top_k, "Only the K best tokens; 0: all", "K")->check(whole_number());
    top_p_ = option("--top-p", sampling.top_p, "Only the best tokens that have this probability together; 1: all", "P");
    min_p_ =
        option("--min-p", sampling.min_p, "Only tokens with this share of the best one's probability; 0: all", "P");
    repeat_penalty_ = option("--repeat-penalty", sampling.repeat_penalty,
                             "Makes tokens that occurred lately less likely; 1: off", "X");
    repeat_last_n_ = option("--repeat-last-n", sampling.repeat_last_n,
                            "How many tokens back \"lately\" is; -1: to the beginning", "N")
                         ->transform(minus_one_is(kNoLimit))
                         ->check(whole_number());
    option("--stop,-r,--reverse-prompt", given_.stop_strings, "End before this text; may be given several times",
           "STRING")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_flag("--ignore-eos", given_.ignore_eos, "Go on after the model has ended the text")->group(group);
    app.add_flag("--ignore-generation-config", ignore_file_,
                 "Do not take defaults and end tokens from generation_config.json")
        ->group(group);
  }

  /// Prints the seed to stderr if nobody chose it, so that a text can be made again.
  void announce_seed() const {
    if (random_seed_) std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(given_.sampling.seed));
  }

  /// For the model in `directory`.
  [[nodiscard]] trine::GenerateOptions for_model(const std::string& directory) const {
    if (ignore_file_) return given_;
    trine::GenerateOptions result = defaults_;
    result.apply(read_from_model([&] { return trine::read_generation_config(directory); }));
    result.stop_strings.insert(result.stop_strings.end(), given_.stop_strings.begin(), given_.stop_strings.end());
    result.ignore_eos = given_.ignore_eos;
    const auto take = [](const CLI::Option* option, auto& value, const auto& given) {
      if (option != nullptr && option->count() > 0) value = given;
    };
    const trine::SamplingOptions& given = given_.sampling;
    result.sampling.seed = given.seed;
    take(max_new_tokens_, result.max_new_tokens, given_.max_new_tokens);
    take(temperature_, result.sampling.temperature, given.temperature);
    take(top_k_, result.sampling.top_k, given.top_k);
    take(top_p_, result.sampling.top_p, given.top_p);
    take(min_p_, result.sampling.min_p, given.min_p);
    take(repeat_penalty_, result.sampling.repeat_penalty, given.repeat_penalty);
    take(repeat_last_n_, result.sampling.repeat_last_n, given.repeat_last_n);
    return result;
  }

 private:
  static constexpr const char* kNoLimit = "18446744073709551615";  // of 64 bits; a text is never so long

  std::string choose_seed(std::string& text) {
    random_seed_ = text == "-1";
    if (random_seed_) text = std::to_string(std::random_device()());
    return {};
  }

  trine::GenerateOptions defaults_;
  trine::GenerateOptions given_;  // with the defaults where nothing was given
  bool ignore_file_ = false;
  bool random_seed_ = false;
  const CLI::Option* max_new_tokens_ = nullptr;
  const CLI::Option* temperature_ = nullptr;
  const CLI::Option* top_k_ = nullptr;
  const CLI::Option* top_p_ = nullptr;
  const CLI::Option* min_p_ = nullptr;
  const CLI::Option* repeat_penalty_ = nullptr;
  const CLI::Option* repeat_last_n_ = nullptr;
};

}  // namespace example
