// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/sequence.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/printable.hpp>
#include <trine/generate/sequence.hpp>
#include <trine/generate/session_file.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/platform/available_memory.hpp>
#include <trine/routing/router_decorators.hpp>
#include <trine/routing/routing_observer.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL Sequence::Sequence(Model model, const SequenceOptions& options)
    : model_(std::move(model)), context_(options.context_length), id_(options.id), observer_(options.observer) {
  state_.kv_cache_dtype = options.kv_cache_dtype;
  state_.cache = model_.transformer().make_cache(options.kv_cache_dtype);
  const std::size_t most = model_.info().max_position_embeddings;
  if (context_ > most) {
    throw InputError("context_length: expected at most " + std::to_string(most) +
                         ", the max_position_embeddings of the model, found " + std::to_string(context_),
                     {.field = "context_length"});
  }
  if (context_ != 0) require_memory(context_);
  if (context_ == 0) context_ = most;
  if (options.router_decorator) routers_ = decorate(options.router_decorator);
  if (!options.adapters.empty()) set_adapters(options.adapters);
}

TRINE_DECL std::span<const AttachedAdapter> Sequence::attached() const noexcept {
  return adapters_ ? adapters_->attached() : std::span<const AttachedAdapter>();
}

TRINE_DECL void Sequence::set_adapters(std::vector<AdapterUse> adapters) {
  if (!state_.tokens.empty() || state_.position != 0)
    throw InputError("adapters: expected a sequence without positions, found one of " +
                         std::to_string(std::max(state_.tokens.size(), state_.position)) + "; call reset() first",
                     {.kind = ErrorKind::wrong_state, .field = "adapters"});
  adapters_ = adapters.empty() ? nullptr : std::make_shared<const AdapterSet>(model_, std::move(adapters));
  state_.adapters = adapters_ ? adapters_->fingerprint() : 0;
}

TRINE_DECL std::size_t Sequence::cache_bytes() const {
  std::size_t total = 0;
  for (const LayerState& layer : state_.cache) total += layer.bytes();
  return total;
}

TRINE_DECL Sequence Sequence::fork(const ForkOptions& options) const {
  Sequence other(*this);
  other.id_ = options.id;
  other.observer_ = options.observer;
  if (options.router_decorator)
    other.routers_ = *options.router_decorator ? decorate(*options.router_decorator) : nullptr;
  return other;
}

TRINE_DECL void Sequence::append(std::span<const TokenId> tokens) {
  require_ids(tokens);
  require_whole();
  if (model_.info().whole_frames) throw InputError("append: this model takes whole frames", {ErrorKind::unsupported});
  state_.tokens.insert(state_.tokens.end(), tokens.begin(), tokens.end());
}

TRINE_DECL void Sequence::reset() {
  state_ = {state_.kv_cache_dtype, 0, {}, model_.transformer().make_cache(state_.kv_cache_dtype), state_.adapters};
  become_whole();
}

TRINE_DECL std::size_t Sequence::rewind_position(std::size_t length) const {
  if (length > state_.position && length <= state_.tokens.size()) return length;
  if (length > state_.position)
    throw InputError("length: expected at most " + std::to_string(state_.position) + ", the positions seen, found " +
                         std::to_string(length),
                     {.field = "length"});
  const ModelInfo& info = model_.info();
  if (info.whole_frames && length % info.frame_size != 0)
    throw InputError("length: expected whole frames of " + std::to_string(info.frame_size) + " positions, found " +
                         std::to_string(length),
                     {.field = "length"});
  const std::vector<Block>& blocks = model_.transformer().blocks();
  for (std::size_t before = length + 1; length < before;) {  // until all layers agree
    before = length;
    for (std::size_t layer = 0; layer < blocks.size(); ++layer)
      length = blocks[layer].attention->rewind_position(state_.cache[layer], seen_, length);
  }
  return length;
}

TRINE_DECL bool Sequence::truncate(std::size_t length) {
  if (rewind_position(length) < length) return false;
  if (length > state_.position) {
    state_.tokens.resize(length);
    return true;
  }
  const std::vector<Block>& blocks = model_.transformer().blocks();
  SequenceCache shorter = state_.cache;
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) blocks[layer].attention->truncate(shorter[layer], length);
  state_.cache = std::move(shorter);
  state_.position = length;
  state_.tokens.resize(std::min(state_.tokens.size(), length));
  seen_ = length;
  interrupted_ = false;
  if (not_finite_ && not_finite_->position >= length) not_finite_.reset();
  return true;
}

TRINE_DECL void Sequence::save(const std::filesystem::path& path) const {
  require_whole();
  SequenceState computed = state_;  // shares the pages
  computed.tokens.resize(std::min(computed.tokens.size(), computed.position));
  write_session_file(path, model_, computed);
}

TRINE_DECL void Sequence::restore(const std::filesystem::path& path) {
  SequenceState state = read_session_file(path, model_, state_.adapters);
  if (state.position > context_)
    throw CapacityError(path.string() + ": a sequence of " + std::to_string(state.position) +
                            " positions, the context has room for " + std::to_string(context_),
                        {.path = path.string(), .field = "context_length"});
  replace(std::move(state));
}

TRINE_DECL std::size_t Sequence::restore_for(const std::filesystem::path& path, std::span<const TokenId> tokens) {
  const ModelInfo& info = model_.info();
  if (info.num_features != 0) throw InputError("this model takes features, not tokens", {ErrorKind::unsupported});
  SequenceState state = read_session_file(path, model_, state_.adapters);
  const auto is_same = [](TokenId a, TokenId b) { return a == b && a != kNoTokenId; };
  const auto same = std::ranges::mismatch(state.tokens, tokens, is_same).in1 - state.tokens.begin();
  std::size_t length = std::min(static_cast<std::size_t>(same), context_);
  if (info.whole_frames) length -= length % info.frame_size;
  replace(std::move(state));
  return length;
}

TRINE_DECL std::shared_ptr<const Sequence::OwnRouters> Sequence::decorate(const RouterDecoratorFactory& wrap) const {
  auto routers = std::make_shared<OwnRouters>();
  const std::vector<Block>& blocks = model_.transformer().blocks();
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    const FeedForward& feed_forward = *blocks[layer].feed_forward;
    const Router* router = feed_forward.router();
    if (router != nullptr) {
      auto own = wrap(layer, std::make_unique<BorrowedRouter>(*router));
      if (own == nullptr)
        throw InputError("router of layer " + std::to_string(layer) + ": expected one, found none",
                         {.field = "router"});
      feed_forward.require_fitting(*own);
      router = routers->owned.emplace_back(std::move(own)).get();
    }
    routers->of_layer.push_back(router);
  }
  return routers;
}

TRINE_DECL void Sequence::become_whole() noexcept {
  seen_ = state_.position;
  interrupted_ = false;
  not_finite_.reset();
  memory_for_ = state_.position;
}

TRINE_DECL void Sequence::replace(SequenceState&& state) {
  state_ = std::move(state);
  become_whole();
}

TRINE_DECL void Sequence::require_whole() const {
  if (interrupted_)
    throw InputError("the session was interrupted in the middle of a pass: call truncate() or reset() first",
                     {ErrorKind::wrong_state});
}

TRINE_DECL const Router* Sequence::router(std::size_t layer) const {
  return routers_ ? routers_->of_layer[layer] : model_.transformer().blocks()[layer].feed_forward->router();
}

TRINE_DECL std::size_t Sequence::waiting() const noexcept {
  return state_.tokens.size() - std::min(state_.tokens.size(), state_.position);
}

TRINE_DECL void Sequence::require_ids(std::span<const TokenId> tokens) const {
  const ModelInfo& info = model_.info();
  if (info.num_features != 0 && !tokens.empty())
    throw InputError("this model takes features, not tokens", {ErrorKind::unsupported});
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    if (tokens[t] >= info.vocab_size) {
      throw InputError("token " + std::to_string(t) + ": expected an id below " + std::to_string(info.vocab_size) +
                       ", found " + std::to_string(tokens[t]));
    }
  }
}

TRINE_DECL void Sequence::require_room(std::size_t count) {
  require_whole();
  if (count == 0) throw InputError("expected at least one token or frame, found none", {.field = "tokens"});
  const ModelInfo& info = model_.info();
  if (info.whole_frames && count % info.frame_size != 0) {
    throw InputError("expected whole frames of " + std::to_string(info.frame_size) + " positions, found " +
                         std::to_string(count) + " positions",
                     {.field = "tokens"});
  }
  const std::size_t left = context_ - state_.position;
  if (count > left) {
    throw CapacityError("the sequence is " + std::to_string(count - left) + " positions too long: expected at most " +
                            std::to_string(context_) + ", found " + std::to_string(state_.position) + " and " +
                            std::to_string(count) + " more",
                        {.field = "context_length"});
  }
  const std::size_t wanted = state_.position + count;
  if (wanted <= memory_for_) return;
  require_memory(wanted);
  const std::size_t ahead = std::min(context_, (wanted / kMemoryStep + 1) * kMemoryStep);
  memory_for_ = fits(ahead) ? ahead : wanted;
}

TRINE_DECL std::size_t Sequence::more_bytes(std::size_t positions) const {
  const std::size_t needed = model_.cache_bytes(positions, state_.kv_cache_dtype);
  const std::size_t held = cache_bytes();
  return needed < held + kWorthAsking ? 0 : needed - held;
}

TRINE_DECL bool Sequence::fits(std::size_t positions) const {
  const std::size_t more = more_bytes(positions);
  return more == 0 || more <= available_memory().value_or(more);
}

TRINE_DECL void Sequence::require_memory(std::size_t positions) const {
  const std::size_t more = more_bytes(positions);
  if (more == 0) return;
  const std::optional<std::uint64_t> available = available_memory();
  if (available && more > *available)
    throw CapacityError("the caches of " + std::to_string(positions) + " positions need " + std::to_string(more) +
                            " bytes more, available are " + std::to_string(*available),
                        {.field = "memory"});
}

}  // namespace trine::inline TRINE_ABI
