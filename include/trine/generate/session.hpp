// SPDX-License-Identifier: Apache-2.0
// One sequence and the engine that computes it: the simple door.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include <trine/generate/engine.hpp>

namespace trine::inline TRINE_ABI {

/// What is chosen for one session: SequenceOptions and EngineOptions together.
struct SessionOptions {
  std::size_t context_length = 0;   ///< most positions; 0: what the model was made for
  std::size_t num_threads = 0;      ///< 0: as many as `executor` lends, default_threads() without one
  std::size_t prefill_chunk = 512;  ///< rows of a long prompt computed at once; bounds the scratch memory
  std::optional<Isa> isa = {};      ///< none: default_isa()
  ActivationPrecision activations = ActivationPrecision::automatic;  ///< the type in which products take activations
  MlaForm mla_form = MlaForm::automatic;  ///< of multi-head latent attention (DeepSeek, Kimi)
  bool reproducible = false;  ///< chooses nothing by how the input is cut: mla_form, if automatic, becomes absorbed
  /// How keys and values are kept: bf16 and q8 take less memory and lose a little.
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;
  std::shared_ptr<RoutingObserver> observer = nullptr;  ///< sees every routing decision
  RouterDecoratorFactory router_decorator =
      {};  ///< forces, masks, records, replays or replaces routers for this session alone
  std::vector<AdapterUse> adapters = {};         ///< applied in order; their updates add up
  std::shared_ptr<Executor> executor = nullptr;  ///< lends threads, to other sessions too; null: its own ThreadPool
  std::shared_ptr<InputObserver> input_observer = nullptr;  ///< receives the inputs of all linear maps
};

/// One sequence, and what computes it. Movable, not copyable but by fork(); one thread at a time. Results depend
/// neither on `num_threads`, nor on how the input is cut into calls, with one exception: models with latent attention
/// take the form of it that costs less for the rows of a pass, and the forms round differently. `reproducible` or a
/// fixed `mla_form` fix that.
class Session {
 public:
  /// Throws InputError when an option is out of range, DeviceError when the instruction set is not there, CapacityError
  /// when the caches of a `context_length` that was asked for do not fit the memory that is left.
  explicit Session(Model model, const SessionOptions& options = {});

  /// Whose sequence this is.
  [[nodiscard]] const Model& model() const noexcept { return sequence_.model(); }
  /// Positions computed so far.
  [[nodiscard]] std::size_t position() const noexcept { return sequence_.position(); }
  /// The tokens of the sequence: one per position, kNoTokenId where that was given as an input embedding, then those
  /// that were appended and wait for the next pass, tokens().subspan(position()). None of a model that takes features.
  /// Valid until the session changes.
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return sequence_.tokens(); }
  /// How keys and values are kept.
  [[nodiscard]] KvCacheDtype kv_cache_dtype() const noexcept { return sequence_.kv_cache_dtype(); }
  /// The maximum number of positions.
  [[nodiscard]] std::size_t context_length() const noexcept { return sequence_.context_length(); }
  /// How many threads a pass uses at most.
  [[nodiscard]] std::size_t num_threads() const noexcept { return engine_.options().num_threads; }
  /// Lends the threads; null when there is but one.
  [[nodiscard]] const std::shared_ptr<Executor>& executor() const noexcept { return engine_.options().executor; }
  /// The instruction set that the kernels run with.
  [[nodiscard]] Isa isa() const noexcept { return *engine_.options().isa; }

  /// Appends `tokens` and returns logits [1, vocab] for the last of them, or [tokens, vocab]; for a model whose
  /// outputs belong to frames, [1 or frames, num_outputs]. Tokens that wait since append() are computed in the same
  /// pass, before `tokens`, which may be empty then. The view is valid until the next call. Throws InputError (no
  /// tokens, an id out of range, a model that takes features), CapacityError (the context is full: nothing was done),
  /// CancelledError, NumericError (no output of a row is finite); after the last two the session needs a truncate or
  /// reset, and its tokens() are those of whole passes.
  View<const float, 2> forward(std::span<const TokenId> tokens, OutputRows rows = OutputRows::last,
                               const std::stop_token& stop = {});

  /// Appends `tokens` without a pass: the next forward() or save() computes them. So a sequence holds the last token
  /// that was sampled, whose logits nobody may ask for. They may exceed the context; forward() refuses them then.
  /// Throws InputError: an id out of range, a model that takes features or whole frames, a session that was
  /// interrupted.
  void append(std::span<const TokenId> tokens) { sequence_.append(tokens); }

  /// Appends rows of input embeddings [tokens, hidden] in place of tokens, such as those of an image or of a prompt
  /// that was trained. They enter as the rows of the embedding table do, after any scaling of these (TokenEmbedding).
  /// Otherwise as forward(). Also throws ShapeError; InputError: a value that is not finite, a router that chooses by
  /// token ids.
  View<const float, 2> forward_embeddings(View<const float, 2> embeddings, OutputRows rows = OutputRows::last,
                                          const std::stop_token& stop = {});

  /// Goes on by frames of features [frames, sites, num_features] and returns outputs [1 or frames, num_outputs].
  /// Otherwise as above.
  View<const float, 2> forward_features(View<const float, 3> features, OutputRows rows = OutputRows::last,
                                        const std::stop_token& stop = {});

  /// How many of the outputs that the last call returned are NaN or infinite.
  [[nodiscard]] std::size_t non_finite_outputs() const noexcept { return non_finite_outputs_; }

  /// Removes all positions and gives the memory of the caches back.
  void reset() { sequence_.reset(); }

  /// The adapters of the sequence.
  [[nodiscard]] std::span<const AdapterUse> adapters() const noexcept { return sequence_.adapters(); }
  /// Replaces them, after a reset(): see Sequence::set_adapters.
  void set_adapters(std::vector<AdapterUse> adapters) { sequence_.set_adapters(std::move(adapters)); }

  /// A session that continues from the same positions, with the same options but for those given here, and the same
  /// executor, whose threads they share. It has no observer unless one is given. Both share the caches' pages until one
  /// of them writes to them.
  [[nodiscard]] Session fork(const ForkOptions& options = {}) const;

  /// Removes all but the first `length` positions or tokens, also after an interruption. Where caches no longer hold
  /// what comes before, as windows and recurrent states do not, the sequence is computed again from the nearest
  /// position that they hold. The bits are those of a sequence that was never longer. Throws InputError when there are
  /// fewer positions, or they would have to be computed again from features or input embeddings, which are not kept;
  /// CancelledError.
  void truncate(std::size_t length, const std::stop_token& stop = {});
  /// The last position up to `length` that truncate() can go back to without computing. Throws InputError as truncate()
  /// does.
  [[nodiscard]] std::size_t rewind_position(std::size_t length) const { return sequence_.rewind_position(length); }

  /// Writes the sequence to a file, beside it first. Tokens that wait since append() are computed before; those that
  /// the context has no room for are not in the file. Throws FileError; InputError after an interruption.
  void save(const std::filesystem::path& path);
  /// Continues a sequence that was saved with the same model. Throws FileError, CapacityError; this session is then as
  /// it was.
  void restore(const std::filesystem::path& path) { sequence_.restore(path); }
  /// Continues a saved sequence as far as `tokens` begin with its tokens, and returns how many these are: a longer
  /// sequence, also one that is longer than the context, is truncated. Throws InputError for a model that takes
  /// features; FileError, and this session is then as it was; CancelledError.
  std::size_t restore_prefix(const std::filesystem::path& path, std::span<const TokenId> tokens,
                             const std::stop_token& stop = {});

  /// Bytes that the caches of this sequence hold.
  [[nodiscard]] std::size_t cache_bytes() const { return sequence_.cache_bytes(); }
  /// Bytes of scratch memory.
  [[nodiscard]] std::size_t workspace_bytes() const noexcept { return engine_.workspace_bytes(); }

 private:
  Session(Sequence sequence, Engine engine) : sequence_(std::move(sequence)), engine_(std::move(engine)) {}

  View<const float, 2> run(const SequenceInput& input, const std::stop_token& stop);

  Sequence sequence_;
  Engine engine_;
  std::size_t non_finite_outputs_ = 0;  // of the last call
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/session.inl>
#endif
