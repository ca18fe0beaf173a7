// SPDX-License-Identifier: Apache-2.0
// One sequence of a model: its tokens and what the layers keep of them. Engines compute it (generate/engine.hpp).
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

#include <trine/generate/session_file.hpp>
#include <trine/model/model.hpp>
#include <trine/platform/available_memory.hpp>
#include <trine/routing/router_decorators.hpp>
#include <trine/routing/routing_observer.hpp>

namespace trine::inline TRINE_ABI {

struct SequenceOptions {
  std::size_t context_length = 0;  // most positions; 0: what the model was made for
  KvCacheDtype kv_cache_dtype =
      KvCacheDtype::f32;  // how keys and values are kept: bf16 and q8 take less memory and lose a little
  std::uint64_t id = 0;   // which routing events name
  std::shared_ptr<RoutingObserver> observer = nullptr;  // sees how this sequence is routed
  RouterDecoratorFactory router_decorator =
      {};  // forces, masks, records, replays or replaces routers for this sequence
};

/// What a fork has of its own.
struct ForkOptions {
  std::uint64_t id = 0;
  std::shared_ptr<RoutingObserver> observer = nullptr;                    // not the original's, unless it is given
  std::optional<RouterDecoratorFactory> router_decorator = std::nullopt;  // nullopt: the original's routers
};

/// Movable, not copyable but by fork(); one thread at a time.
class Sequence {
 public:
  /// Throws InputError when an option is out of range or a router does not fit its layer, CapacityError when the caches
  /// of a `context` that was asked for do not fit the memory that is left.
  explicit Sequence(Model model, const SequenceOptions& options = {})
      : model_(std::move(model)), context_(options.context_length), id_(options.id), observer_(options.observer) {
    state_.kv_cache_dtype = options.kv_cache_dtype;
    state_.cache = model_.transformer().make_cache(options.kv_cache_dtype);
    const std::size_t most = model_.info().max_position_embeddings;
    if (context_ > most) {
      throw InputError("context: expected at most " + std::to_string(most) +
                           ", the max_position_embeddings of the model, found " + std::to_string(context_),
                       {.field = "context"});
    }
    if (context_ != 0) require_memory(context_);
    if (context_ == 0) context_ = most;
    if (options.router_decorator) routers_ = decorate(options.router_decorator);
  }

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  /// Positions computed so far.
  [[nodiscard]] std::size_t position() const noexcept { return state_.position; }
  /// One token per position, kNoTokenId where that was given as an input embedding, then those that were appended and
  /// wait for the next pass, tokens().subspan(position()). None of a model that takes features.
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return state_.tokens; }
  [[nodiscard]] KvCacheDtype kv_cache_dtype() const noexcept { return state_.kv_cache_dtype; }
  [[nodiscard]] std::size_t context_length() const noexcept { return context_; }
  /// Was a pass over it cancelled, or were its outputs not finite? It then needs a truncate or reset.
  [[nodiscard]] bool is_interrupted() const noexcept { return interrupted_; }
  /// Bytes of the caches.
  [[nodiscard]] std::size_t cache_bytes() const {
    std::size_t total = 0;
    for (const LayerState& layer : state_.cache) total += layer.bytes();
    return total;
  }

  /// A sequence that continues from the same positions. Both share the caches' pages until one of them writes to them.
  [[nodiscard]] Sequence fork(const ForkOptions& options = {}) const {
    Sequence other(*this);
    other.id_ = options.id;
    other.observer_ = options.observer;
    if (options.router_decorator)
      other.routers_ = *options.router_decorator ? decorate(*options.router_decorator) : nullptr;
    return other;
  }

  /// Appends tokens that the next pass computes, before its input. They may exceed the context; the pass refuses them
  /// then. Throws InputError: an id out of range, a model that takes features or whole frames, an interrupted sequence.
  void append(std::span<const TokenId> tokens) {
    require_ids(tokens);
    require_whole();
    if (model_.info().whole_frames) throw InputError("append: this model takes whole frames", {ErrorKind::unsupported});
    state_.tokens.insert(state_.tokens.end(), tokens.begin(), tokens.end());
  }

  /// Removes all positions and gives the memory of the caches back.
  void reset() {
    state_ = {state_.kv_cache_dtype, 0, {}, model_.transformer().make_cache(state_.kv_cache_dtype)};
    become_whole();
  }

  /// Removes all but the first `length` positions or tokens, also after an interruption, and returns true; or returns
  /// false where the caches no longer hold what comes before, as windows do not, and changes nothing. Throws InputError
  /// when there are fewer positions, or not whole frames.
  [[nodiscard]] bool truncate(std::size_t length) {
    if (length > state_.position && length <= state_.tokens.size()) {
      state_.tokens.resize(length);
      return true;
    }
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
    SequenceCache shorter = state_.cache;
    for (std::size_t layer = 0; layer < blocks.size(); ++layer)
      if (!blocks[layer].attention->truncate(shorter[layer], seen_, length)) return false;
    state_.cache = std::move(shorter);
    state_.position = length;
    state_.tokens.resize(std::min(state_.tokens.size(), length));
    seen_ = length;
    interrupted_ = false;
    if (not_finite_ && not_finite_->position >= length) not_finite_.reset();
    return true;
  }

  /// Writes the sequence to a file, beside it first, without the tokens that wait for a pass. Throws FileError;
  /// InputError after an interruption.
  void save(const std::filesystem::path& path) const {
    require_whole();
    SequenceState computed = state_;  // shares the pages
    computed.tokens.resize(std::min(computed.tokens.size(), computed.position));
    write_session_file(path, model_, computed);
  }
  /// Becomes a sequence that was saved with the same model. Throws FileError, CapacityError; this one is then as it
  /// was.
  void restore(const std::filesystem::path& path) {
    SequenceState state = read_session_file(path, model_);
    if (state.position > context_)
      throw CapacityError(path.string() + ": a sequence of " + std::to_string(state.position) +
                              " positions, the context has room for " + std::to_string(context_),
                          {.path = path.string(), .field = "context"});
    replace(std::move(state));
  }
  /// Becomes a saved sequence, whatever its length, and returns how many of its tokens `tokens` begin with, at most
  /// as many as the context has room for: to be truncated to. Throws InputError for a model that takes features;
  /// FileError, and this sequence is then as it was.
  std::size_t restore_for(const std::filesystem::path& path, std::span<const TokenId> tokens) {
    const ModelInfo& info = model_.info();
    if (info.num_features != 0) throw InputError("this model takes features, not tokens", {ErrorKind::unsupported});
    SequenceState state = read_session_file(path, model_);
    const auto is_same = [](TokenId a, TokenId b) { return a == b && a != kNoTokenId; };
    const auto same = std::ranges::mismatch(state.tokens, tokens, is_same).in1 - state.tokens.begin();
    std::size_t length = std::min(static_cast<std::size_t>(same), context_);
    if (info.whole_frames) length -= length % info.frame_size;
    replace(std::move(state));
    return length;
  }

 private:
  friend class Engine;
  using Routers = std::vector<std::unique_ptr<const Router>>;

  static constexpr std::size_t kWorthAsking = std::size_t{16} << 20U;  // bytes for which the system is asked
  static constexpr std::size_t kMemoryStep = 256;                      // positions that memory is asked for at a time

  // A hidden row that was seen not to be finite.
  struct NotFinite {
    std::size_t position;
    std::size_t layer;  // after which
  };

  // Routers of this sequence, shared with its forks.
  struct OwnRouters {
    Routers owned;
    std::vector<const Router*> of_layer;  // [layers] null without a router
  };

  Sequence(const Sequence&) = default;

 public:
  Sequence(Sequence&&) = default;
  Sequence& operator=(Sequence&&) = default;
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence() = default;

 private:
  [[nodiscard]] std::shared_ptr<const OwnRouters> decorate(const RouterDecoratorFactory& wrap) const {
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

  void become_whole() noexcept {
    seen_ = state_.position;
    interrupted_ = false;
    not_finite_.reset();
    memory_for_ = state_.position;
  }
  void replace(SequenceState&& state) {
    state_ = std::move(state);
    become_whole();
  }
  void require_whole() const {
    if (interrupted_)
      throw InputError("the session was interrupted in the middle of a pass: call truncate() or reset() first",
                       {ErrorKind::wrong_state});
  }

  // That chooses for this sequence; null without one.
  [[nodiscard]] const Router* router(std::size_t layer) const {
    return routers_ ? routers_->of_layer[layer] : model_.transformer().blocks()[layer].feed_forward->router();
  }

  [[nodiscard]] std::size_t waiting() const noexcept {
    return state_.tokens.size() - std::min(state_.tokens.size(), state_.position);
  }
  void drop_waiting() { state_.tokens.resize(std::min(state_.tokens.size(), state_.position)); }

  void require_ids(std::span<const TokenId> tokens) const {
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

  // May `count` positions be computed?
  void require_room(std::size_t count) {
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
                          {.field = "context"});
    }
    const std::size_t wanted = state_.position + count;
    if (wanted <= memory_for_) return;
    require_memory(wanted);
    const std::size_t ahead = std::min(context_, (wanted / kMemoryStep + 1) * kMemoryStep);
    memory_for_ = fits(ahead) ? ahead : wanted;
  }

  // Bytes that caches of so many positions need beyond what this sequence holds, if they are worth a question.
  [[nodiscard]] std::size_t more_bytes(std::size_t positions) const {
    const std::size_t needed = model_.cache_bytes(positions, state_.kv_cache_dtype);
    const std::size_t held = cache_bytes();
    return needed < held + kWorthAsking ? 0 : needed - held;
  }
  [[nodiscard]] bool fits(std::size_t positions) const {
    const std::size_t more = more_bytes(positions);
    return more == 0 || more <= available_memory().value_or(more);
  }
  void require_memory(std::size_t positions) const {
    const std::size_t more = more_bytes(positions);
    if (more == 0) return;
    const std::optional<std::uint64_t> available = available_memory();
    if (available && more > *available)
      throw CapacityError("the caches of " + std::to_string(positions) + " positions need " + std::to_string(more) +
                              " bytes more, available are " + std::to_string(*available),
                          {.field = "memory"});
  }

  Model model_;
  SequenceState state_;
  std::size_t context_;
  std::uint64_t id_;
  std::shared_ptr<RoutingObserver> observer_;
  std::shared_ptr<const OwnRouters> routers_ = nullptr;  // null: those of the model
  std::size_t seen_ = 0;        // positions that a layer has seen: more than state_.position after an interruption
  std::size_t memory_for_ = 0;  // positions for which memory was found
  bool interrupted_ = false;
  std::optional<NotFinite> not_finite_ = {};  // the first one seen
};

}  // namespace trine::inline TRINE_ABI
