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
#include <vector>

#include <trine/adapters/adapter_set.hpp>
#include <trine/generate/session_file.hpp>
#include <trine/model/model.hpp>
#include <trine/routing/routing_observer.hpp>

namespace trine::inline TRINE_ABI {

/// What is chosen for one sequence.
struct SequenceOptions {
  std::size_t context_length = 0;  ///< most positions; 0: what the model was made for
  /// How keys and values are kept: bf16 and q8 take less memory and lose a little.
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;
  std::uint64_t id = 0;                                 ///< which routing events name
  std::shared_ptr<RoutingObserver> observer = nullptr;  ///< sees how this sequence is routed
  RouterDecoratorFactory router_decorator =
      {};                                 ///< forces, masks, records, replays or replaces routers for this sequence
  std::vector<AdapterUse> adapters = {};  ///< applied in order; their updates add up
};

/// What a fork has of its own.
struct ForkOptions {
  std::uint64_t id = 0;                                                   ///< which routing events name
  std::shared_ptr<RoutingObserver> observer = nullptr;                    ///< not the original's, unless it is given
  std::optional<RouterDecoratorFactory> router_decorator = std::nullopt;  ///< nullopt: the original's routers
};

/// Tokens, positions and caches of one sequence. Movable, not copyable but by fork(); one thread at a time.
class Sequence {
 public:
  /// Throws InputError when an option is out of range or a router does not fit its layer, CapacityError when the caches
  /// of a `context` that was asked for do not fit the memory that is left.
  explicit Sequence(Model model, const SequenceOptions& options = {});

  /// Whose positions these are.
  [[nodiscard]] const Model& model() const noexcept { return model_; }
  /// RoutingEvent::sequence of its rows.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  /// Positions computed so far.
  [[nodiscard]] std::size_t position() const noexcept { return state_.position; }
  /// One token per position, kNoTokenId where that was given as an input embedding, then those that were appended and
  /// wait for the next pass, tokens().subspan(position()). None of a model that takes features.
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return state_.tokens; }
  /// How its keys and values are kept.
  [[nodiscard]] KvCacheDtype kv_cache_dtype() const noexcept { return state_.kv_cache_dtype; }
  /// The maximum number of positions.
  [[nodiscard]] std::size_t context_length() const noexcept { return context_; }
  /// Returns whether a pass over it was cancelled or its outputs were not finite. It then needs a truncate or reset.
  [[nodiscard]] bool is_interrupted() const noexcept { return interrupted_; }
  /// Bytes of the caches.
  [[nodiscard]] std::size_t cache_bytes() const;

  /// A sequence that continues from the same positions. Both share the caches' pages until one of them writes to them.
  [[nodiscard]] Sequence fork(const ForkOptions& options = {}) const;

  /// Appends tokens that the next pass computes, before its input. They may exceed the context; the pass refuses them
  /// then. Throws InputError: an id out of range, a model that takes features or whole frames, an interrupted sequence.
  void append(std::span<const TokenId> tokens);

  /// Removes all positions and gives the memory of the caches back.
  void reset();

  /// The adapters of its positions.
  [[nodiscard]] std::span<const AdapterUse> adapters() const noexcept {
    return adapters_ ? adapters_->uses() : std::span<const AdapterUse>();
  }
  /// Replaces them. The sequence must have no positions: its caches hold what other adapters made. Throws InputError:
  /// positions, an adapter of another model, a scale that is not finite, an adapter with weights of its own for a map
  /// that one before it changes.
  void set_adapters(std::vector<AdapterUse> adapters);

  /// Removes all but the first `length` positions or tokens, also after an interruption, and returns true; or returns
  /// false where the caches no longer hold what comes before, as windows and recurrent states do not, and changes
  /// nothing. Throws InputError when there are fewer positions, or not whole frames.
  [[nodiscard]] bool truncate(std::size_t length);
  /// The last position up to `length` that truncate() can go back to, from which to compute again; 0 if there is none.
  /// Throws InputError as truncate() does.
  [[nodiscard]] std::size_t rewind_position(std::size_t length) const;

  /// Writes the sequence to a file, beside it first, without the tokens that wait for a pass. Throws FileError;
  /// InputError after an interruption.
  void save(const std::filesystem::path& path) const;
  /// Becomes a sequence that was saved with the same model. Throws FileError, CapacityError; this one is then as it
  /// was.
  void restore(const std::filesystem::path& path);
  /// Becomes a saved sequence, whatever its length, and returns how many of its tokens `tokens` begin with, at most
  /// as many as the context has room for: to be truncated to. Throws InputError for a model that takes features;
  /// FileError, and this sequence is then as it was.
  std::size_t restore_for(const std::filesystem::path& path, std::span<const TokenId> tokens);

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

  [[nodiscard]] std::span<const AttachedAdapter> attached() const noexcept;

  // Routers of this sequence, shared with its forks.
  struct OwnRouters {
    Routers owned;
    std::vector<const Router*> of_layer;  // [layers] null without a router
  };

  Sequence(const Sequence&) = default;

 public:
  /// What is moved from may be assigned to and destroyed, nothing else.
  Sequence(Sequence&&) = default;
  Sequence& operator=(Sequence&&) = default;  ///< What is moved from may be assigned to and destroyed, nothing else.
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence() = default;

 private:
  [[nodiscard]] std::shared_ptr<const OwnRouters> decorate(const RouterDecoratorFactory& wrap) const;

  void become_whole() noexcept;
  void replace(SequenceState&& state);
  void require_whole() const;

  // That chooses for this sequence; null without one.
  [[nodiscard]] const Router* router(std::size_t layer) const;

  [[nodiscard]] std::size_t waiting() const noexcept;
  void drop_waiting() { state_.tokens.resize(std::min(state_.tokens.size(), state_.position)); }

  void require_ids(std::span<const TokenId> tokens) const;

  // May `count` positions be computed?
  void require_room(std::size_t count);

  // Bytes that caches of so many positions need beyond what this sequence holds, if they are worth a question.
  [[nodiscard]] std::size_t more_bytes(std::size_t positions) const;
  [[nodiscard]] bool fits(std::size_t positions) const;
  void require_memory(std::size_t positions) const;

  Model model_;
  SequenceState state_;
  std::size_t context_;
  std::uint64_t id_;
  std::shared_ptr<RoutingObserver> observer_;
  std::shared_ptr<const OwnRouters> routers_ = nullptr;   // null: those of the model
  std::shared_ptr<const AdapterSet> adapters_ = nullptr;  // shared with forks; null: none
  std::size_t seen_ = 0;        // positions that a layer has seen: more than state_.position after an interruption
  std::size_t memory_for_ = 0;  // positions for which memory was found
  bool interrupted_ = false;
  std::optional<NotFinite> not_finite_ = {};  // the first one seen
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/sequence.inl>
#endif
