// SPDX-License-Identifier: Apache-2.0
#include "throughput/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include <sys/resource.h>

#include <trine/core/random.hpp>
#include <trine/quant/packed.hpp>

namespace trine::bench {
namespace {

constexpr std::size_t kPrompt = 16;  // tokens before decode and small batches

double seconds_of(const auto& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<TokenId> some_tokens(std::size_t count, std::size_t vocab, std::uint64_t seed) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(splitmix64(seed + i) % vocab);
  return tokens;
}

// The seconds that `rows` tokens take. Other tokens each time, so that other experts are chosen.
double run_once(Session& session, const Test& test, std::uint64_t seed) {
  const std::vector<TokenId> prompt = some_tokens(kPrompt, session.model().info().vocab_size, seed);
  const std::vector<TokenId> tokens = some_tokens(test.rows, session.model().info().vocab_size, seed + 1000);
  session.reset();
  if (test.kind != Test::Kind::prefill) session.forward(prompt);
  if (test.kind == Test::Kind::decode) {
    return seconds_of([&] {
      for (const TokenId& token : tokens) session.forward({&token, 1});
    });
  }
  return seconds_of(
      [&] { session.forward(tokens, test.kind == Test::Kind::batch ? OutputRows::all : OutputRows::last); });
}

double most_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

MachineLimits better_of(const MachineLimits& a, const MachineLimits& b) {
  return {std::max(a.read_bytes_per_second, b.read_bytes_per_second),
          std::max(a.f32_operations_per_second, b.f32_operations_per_second),
          std::max(a.bf16_operations_per_second, b.bf16_operations_per_second),
          std::max(a.int8_operations_per_second, b.int8_operations_per_second)};
}

double limit_of(const Work& work, const Test& test, const MachineLimits& limits) {
  const auto rows = static_cast<double>(test.rows);
  if (test.kind == Test::Kind::decode) return limits.read_bytes_per_second / work.bytes_per_token;
  if (test.kind == Test::Kind::batch) return 0;  // some of each: which experts its rows share decides
  const double operations = 2 * (rows * work.active_parameters + work.head_parameters);
  return rows * limits.operations_per_second(work.dtype) / operations;
}

}  // namespace

std::string Test::name() const {
  const char* prefix = kind == Kind::prefill ? "pp" : kind == Kind::decode ? "tg" : "b";
  return prefix + std::to_string(rows);
}

Work work_of(const Model& model, const Json& config) {
  const auto value = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (config.contains(key) && config.at(key).is_number_unsigned()) return config.at(key).get<double>();
    return 0.0;
  };
  const double experts = value({"n_routed_experts", "num_experts", "num_local_experts"});
  const double chosen = value({"num_experts_per_tok", "experts_per_token"});
  const double share = experts > 0 && chosen > 0 ? chosen / experts : 1.0;
  Work work;
  std::map<DType, double> bytes_of;
  const bool tied = config.value("tie_word_embeddings", false);
  for (const std::string_view name : model.weights().names()) {
    const StoredTensor& tensor = *model.weights().find(name);
    const auto bytes = static_cast<double>(tensor.bytes.size());
    bytes_of[tensor.dtype] += bytes;
    work.weight_bytes += bytes;
    const bool lookup = name.find("embed_tokens") != std::string_view::npos && !tied;
    const bool routed = name.find(".experts.") != std::string_view::npos;
    work.bytes_per_token += lookup ? 0.0 : routed ? share * bytes : bytes;
  }
  work.dtype = std::ranges::max_element(bytes_of, {}, [](const auto& entry) { return entry.second; })->first;
  const Transformer& transformer = model.transformer();
  work.parameters = static_cast<double>(transformer.parameters());
  work.head_parameters = static_cast<double>(transformer.head().linear().parameters());
  work.active_parameters = static_cast<double>(transformer.active_parameters()) - work.head_parameters;
  work.bits_per_weight = 8 * work.weight_bytes / work.parameters;
  return work;
}

Result measure(const Model& model, const Work& work, const Test& test, std::size_t repetitions, Activations activations,
               double limit_seconds) {
  SessionOptions options;
  options.threads = test.threads;
  options.batch_size = std::max<std::size_t>(512, test.kind == Test::Kind::decode ? 1 : test.rows);
  options.activations = activations;
  Session session(model, options);
  Result result;
  result.test = test;
  const MachineLimits before = measure_limits(test.threads, limit_seconds);
  run_once(session, test, 0);
  for (std::size_t i = 1; i <= repetitions; ++i)
    result.tokens_per_second.push_back(static_cast<double>(test.rows) / run_once(session, test, 7919 * i));
  result.limits = better_of(before, measure_limits(test.threads, limit_seconds));

  std::vector<double> sorted = result.tokens_per_second;
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  result.median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const auto count = static_cast<double>(sorted.size());
  result.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
  double squares = 0;
  for (const double rate : sorted) squares += (rate - result.mean) * (rate - result.mean);
  result.deviation = sorted.size() > 1 ? std::sqrt(squares / (count - 1)) : 0.0;
  result.limit = limit_of(work, test, result.limits);
  result.share = result.limit > 0 ? result.median / result.limit : 0.0;
  result.peak_bytes = most_memory();
  return result;
}

}  // namespace trine::bench
