// SPDX-License-Identifier: Apache-2.0
// Prefill and decode of the bundled model, tokens per second.
#include <benchmark/benchmark.h>

#include <vector>

#include <trine/core/random.hpp>
#include <trine/generate/session.hpp>

namespace trine::bench {
namespace {

std::vector<TokenId> some_tokens(std::size_t count, std::size_t vocab) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(splitmix64(i) % vocab);
  return tokens;
}

// Arguments: tokens, threads.
void prefill(benchmark::State& state) {
  const Model model = Model::load(TRINE_MODELS_DIR "/shakespeare");
  const auto tokens = some_tokens(static_cast<std::size_t>(state.range(0)), model.info().vocab_size);
  SessionOptions options;
  options.num_threads = static_cast<std::size_t>(state.range(1));
  Session session(model, options);
  for (auto _ : state) {
    session.reset();
    benchmark::DoNotOptimize(session.forward(tokens).data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(prefill)->ArgNames({"tokens", "threads"})->ArgsProduct({{32, 128, 512, 2048}, {1, 2}})->UseRealTime();

// Arguments: tokens before, threads.
void decode(benchmark::State& state) {
  const Model model = Model::load(TRINE_MODELS_DIR "/shakespeare");
  const auto tokens = some_tokens(static_cast<std::size_t>(state.range(0)), model.info().vocab_size);
  SessionOptions options;
  options.num_threads = static_cast<std::size_t>(state.range(1));
  Session session(model, options);
  session.forward(tokens);
  const TokenId next = tokens.front();
  for (auto _ : state) {
    if (session.position() == session.context_length()) {
      state.PauseTiming();
      session.reset();
      session.forward(tokens);
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(session.forward(std::span(&next, 1)).data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode)->ArgNames({"after", "threads"})->ArgsProduct({{16, 1024}, {1, 2}})->UseRealTime();

}  // namespace
}  // namespace trine::bench
