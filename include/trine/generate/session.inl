// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/session.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/generate/engine.hpp>
#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL Session::Session(Model model, const SessionOptions& options)
    : sequence_(model, {.context_length = options.context_length,
                        .kv_cache_dtype = options.kv_cache_dtype,
                        .observer = options.observer,
                        .router_decorator = options.router_decorator,
                        .adapters = options.adapters}),
      engine_(std::move(model), {.num_threads = options.num_threads,
                                 .prefill_chunk = options.prefill_chunk,
                                 .isa = options.isa,
                                 .activations = options.activations,
                                 .mla_form = options.mla_form,
                                 .reproducible = options.reproducible,
                                 .executor = options.executor,
                                 .input_observer = options.input_observer}) {}

TRINE_DECL View<const float, 2> Session::forward(std::span<const TokenId> tokens, OutputRows rows,
                                                 const std::stop_token& stop) {
  if (model().info().num_features != 0)
    throw InputError("this model takes features, not tokens", {ErrorKind::unsupported});
  return run({.sequence = &sequence_, .tokens = tokens, .rows = rows}, stop);
}

TRINE_DECL View<const float, 2> Session::forward_embeddings(View<const float, 2> embeddings, OutputRows rows,
                                                            const std::stop_token& stop) {
  return run({.sequence = &sequence_, .embeddings = embeddings, .rows = rows}, stop);
}

TRINE_DECL View<const float, 2> Session::forward_features(View<const float, 3> features, OutputRows rows,
                                                          const std::stop_token& stop) {
  if (model().info().num_features == 0)
    throw InputError("this model takes tokens, not features", {ErrorKind::unsupported});
  return run({.sequence = &sequence_, .features = features, .rows = rows}, stop);
}

TRINE_DECL Session Session::fork(const ForkOptions& options) const {
  return Session(sequence_.fork(options), Engine(model(), engine_.options()));
}

TRINE_DECL void Session::truncate(std::size_t length, const std::stop_token& stop) {
  if (sequence_.truncate(length)) return;
  const bool has_features = model().info().num_features != 0;
  const std::size_t held = sequence_.rewind_position(length);
  const std::span<const TokenId> lost = has_features ? tokens() : tokens().subspan(held, length - held);
  const bool has_embeddings = std::ranges::find(lost, kNoTokenId) != lost.end();
  if (has_features || has_embeddings) {
    const char* const source = has_features ? "features" : "input embeddings";
    throw InputError("length: " + std::to_string(length) + " positions would have to be computed again from " + source +
                         ", which are not kept",
                     {ErrorKind::unsupported, "", "length"});
  }
  const std::vector<TokenId> again(lost.begin(), lost.end());
  static_cast<void>(sequence_.truncate(held));
  run({.sequence = &sequence_, .tokens = again}, stop);
}

TRINE_DECL void Session::save(const std::filesystem::path& path) {
  if (const std::size_t end = std::min(tokens().size(), context_length()); end > position()) {
    const std::vector<TokenId> beyond(tokens().begin() + static_cast<std::ptrdiff_t>(end), tokens().end());
    truncate(end);
    forward({});
    append(beyond);
  }
  sequence_.save(path);
}

TRINE_DECL std::size_t Session::restore_prefix(const std::filesystem::path& path, std::span<const TokenId> tokens,
                                               const std::stop_token& stop) {
  const std::size_t length = sequence_.restore_for(path, tokens);
  truncate(length, stop);
  return length;
}

TRINE_DECL View<const float, 2> Session::run(const SequenceInput& input, const std::stop_token& stop) {
  non_finite_outputs_ = 0;
  const SequenceOutput& output = engine_.forward({&input, 1}, stop).front();
  non_finite_outputs_ = output.non_finite;
  output.require_finite();
  return output.outputs;
}

}  // namespace trine::inline TRINE_ABI
