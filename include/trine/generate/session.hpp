// SPDX-License-Identifier: Apache-2.0
// One sequence in the making: a model, what it remembers of the sequence, and the scratch memory to go on with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/generate/session_file.hpp>
#include <trine/model/model.hpp>
#include <trine/platform/available_memory.hpp>
#include <trine/platform/thread_pool.hpp>

namespace trine::inline TRINE_ABI {

struct SessionOptions {
  std::size_t context = 0;       // most positions; 0: what the model was made for
  std::size_t threads = 0;       // 0: as many as `executor` lends, default_threads() without one
  std::size_t batch_size = 512;  // rows of a long prompt computed at once; bounds the scratch memory
  std::optional<Isa> isa = {};   // none: default_isa()
  Activations activations = Activations::automatic;
  LatentAttentionForm latent_form = LatentAttentionForm::automatic;
  bool reproducible = false;  // chooses nothing by how the input is cut: latent_form, if automatic, becomes absorbed
  CacheType cache_type =
      CacheType::f32;                   // how keys and values are kept: bf16 and q8 take less memory and lose a little
  RoutingObserver* observer = nullptr;  // sees every routing decision; must outlive the session
  std::shared_ptr<Executor> executor = nullptr;  // lends threads, to other sessions too; null: a ThreadPool of its own
};

enum class OutputRows : std::uint8_t { last, all };

/// Movable, not copyable but by fork(); one thread at a time. Results depend neither on `threads`, nor on how the input
/// is cut into calls, with one exception: models with latent attention take the form of it that costs
/// less for the rows of a pass, and the forms round differently. `reproducible` or a fixed `latent_form` fix that.
class Session {
 public:
  /// Throws InputError when an option is out of range, DeviceError when the instruction set is not there, CapacityError
  /// when the caches of a `context` that was asked for do not fit the memory that is left.
  explicit Session(Model model, const SessionOptions& options = {}) : model_(std::move(model)), options_(options) {
    state_.cache_type = options_.cache_type;
    state_.cache = model_.transformer().make_cache(state_.cache_type);
    const std::size_t most = model_.info().max_position_embeddings;
    if (options_.context > most) {
      throw InputError("context: expected at most " + std::to_string(most) +
                       ", the max_position_embeddings of the model, found " + std::to_string(options_.context));
    }
    if (options_.context != 0) require_memory(options_.context);
    if (options_.context == 0) options_.context = most;
    if (options_.threads > kMaxThreads)
      throw InputError("threads: expected at most " + std::to_string(kMaxThreads) + ", found " +
                       std::to_string(options_.threads));
    if (options_.threads == 0)
      options_.threads = options_.executor ? options_.executor->max_workers() : default_threads();
    if (!options_.executor && options_.threads > 1) options_.executor = std::make_shared<ThreadPool>(options_.threads);
    if (options_.batch_size == 0) throw InputError("batch_size: expected at least 1, found 0");
    if (options_.reproducible && options_.latent_form == LatentAttentionForm::automatic)
      options_.latent_form = LatentAttentionForm::absorbed;
    if (!options_.isa) options_.isa = default_isa();
    if (!is_available(*options_.isa))
      throw DeviceError("instruction set " + in_quotes(to_string(*options_.isa)) + ": this CPU does not have it");
  }

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  /// Positions seen so far.
  [[nodiscard]] std::size_t position() const noexcept { return state_.position; }
  /// The tokens seen so far; none of a model that takes features.
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return state_.tokens; }
  [[nodiscard]] CacheType cache_type() const noexcept { return state_.cache_type; }
  [[nodiscard]] std::size_t context() const noexcept { return options_.context; }
  [[nodiscard]] std::size_t threads() const noexcept { return options_.threads; }
  /// Lends the threads; null when there is but one.
  [[nodiscard]] const std::shared_ptr<Executor>& executor() const noexcept { return options_.executor; }
  [[nodiscard]] Isa isa() const noexcept { return *options_.isa; }

  /// Goes on by `tokens` and returns logits [1, vocab] for the last of them, or [tokens, vocab]; for a model whose
  /// outputs belong to frames, [1 or frames, num_outputs]. The view is valid until the next call. Throws InputError (no
  /// tokens, an id out of range, a model that takes features), CapacityError (the context is full: nothing was done),
  /// CancelledError, NumericError (no output of a row is finite; the session then needs a truncate or reset).
  View<const float, 2> forward(std::span<const TokenId> tokens, OutputRows rows = OutputRows::last,
                               const std::stop_token& stop = {}) {
    const ModelInfo& info = model_.info();
    if (info.num_features != 0) throw InputError("this model takes features, not tokens");
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      if (tokens[t] >= info.vocab_size) {
        throw InputError("token " + std::to_string(t) + ": expected an id below " + std::to_string(info.vocab_size) +
                         ", found " + std::to_string(tokens[t]));
      }
    }
    return run(tokens.size(), tokens, {}, rows, stop);
  }

  /// Goes on by frames of features [frames, sites, num_features] and returns outputs [1 or frames, num_outputs].
  /// Otherwise as above.
  View<const float, 2> forward_features(View<const float, 3> features, OutputRows rows = OutputRows::last,
                                        const std::stop_token& stop = {}) {
    const ModelInfo& info = model_.info();
    if (info.num_features == 0) throw InputError("this model takes tokens, not features");
    require_shape("features", {features.extent(0), info.frame_size, info.num_features}, features.shape());
    const std::size_t count = features.extent(0) * info.frame_size;
    return run(count, {}, {features.data(), {count, info.num_features}}, rows, stop);
  }

  /// How many of the outputs that the last call returned are NaN or infinite.
  [[nodiscard]] std::size_t non_finite_outputs() const noexcept { return non_finite_outputs_; }

  /// Forgets the sequence and gives the memory of its caches back.
  void reset() {
    state_ = {state_.cache_type, 0, {}, model_.transformer().make_cache(state_.cache_type)};
    seen_ = 0;
    interrupted_ = false;
    not_finite_.reset();
  }

  /// A session that goes on from the same sequence, with the same options and the same executor, whose threads they
  /// share. Both share the caches' pages until one of them writes to them.
  [[nodiscard]] Session fork() const {
    Session other(model_, options_, state_);
    other.seen_ = seen_;
    other.interrupted_ = interrupted_;
    other.not_finite_ = not_finite_;
    return other;
  }

  /// Forgets all but the first `length` positions, also after an interruption. Where caches have forgotten what comes
  /// before, as windows do, the sequence is computed again. Throws InputError when there are not so many positions, or
  /// they would have to be computed again from features; CancelledError.
  void truncate(std::size_t length, const std::stop_token& stop = {}) {
    if (length > state_.position)
      throw InputError("length: expected at most " + std::to_string(state_.position) + ", the positions seen, found " +
                       std::to_string(length));
    const ModelInfo& info = model_.info();
    if (info.whole_frames && length % info.frame_size != 0)
      throw InputError("length: expected whole frames of " + std::to_string(info.frame_size) + " positions, found " +
                       std::to_string(length));
    const std::vector<Block>& blocks = model_.transformer().blocks();
    SequenceCache shorter = state_.cache;
    bool whole = true;
    for (std::size_t layer = 0; layer < blocks.size() && whole; ++layer)
      whole = blocks[layer].attention->truncate(shorter[layer], seen_, length);
    if (whole) {
      state_.cache = std::move(shorter);
      state_.position = length;
      state_.tokens.resize(std::min(state_.tokens.size(), length));
      seen_ = length;
      interrupted_ = false;
      if (not_finite_ && not_finite_->position >= length) not_finite_.reset();
      return;
    }
    if (info.num_features != 0)
      throw InputError("length: " + std::to_string(length) +
                       " positions would have to be computed again from features, which are not kept");
    const std::vector<TokenId> again(state_.tokens.begin(),
                                     state_.tokens.begin() + static_cast<std::ptrdiff_t>(length));
    reset();
    run(length, again, {}, OutputRows::last, stop);
  }

  /// Writes the sequence to a file, beside it first. Throws FileError; InputError after an interruption.
  void save(const std::filesystem::path& path) const {
    require_whole();
    write_session_file(path, model_, state_);
  }
  /// Goes on from a sequence that was saved with the same model. Throws FileError, CapacityError; this session is then
  /// as it was.
  void restore(const std::filesystem::path& path) {
    SequenceState state = read_session_file(path, model_);
    if (state.position > options_.context)
      throw CapacityError(path.string() + ": a sequence of " + std::to_string(state.position) +
                          " positions, the context has room for " + std::to_string(options_.context));
    replace(std::move(state));
  }
  /// Goes on from a saved sequence as far as `tokens` begin with its tokens, and returns how many these are: a longer
  /// sequence, also one that is longer than the context, is truncated. Throws InputError for a model that takes
  /// features; FileError, and this session is then as it was; CancelledError.
  std::size_t restore_prefix(const std::filesystem::path& path, std::span<const TokenId> tokens,
                             const std::stop_token& stop = {}) {
    const ModelInfo& info = model_.info();
    if (info.num_features != 0) throw InputError("this model takes features, not tokens");
    SequenceState state = read_session_file(path, model_);
    const auto same = std::ranges::mismatch(state.tokens, tokens).in1 - state.tokens.begin();
    std::size_t length = std::min(static_cast<std::size_t>(same), options_.context);
    if (info.whole_frames) length -= length % info.frame_size;
    replace(std::move(state));
    truncate(length, stop);
    return length;
  }

  /// Bytes that the caches of this sequence hold.
  [[nodiscard]] std::size_t cache_bytes() const {
    std::size_t total = 0;
    for (const AttentionCache& layer : state_.cache) total += layer.bytes();
    return total;
  }
  /// Bytes of scratch memory.
  [[nodiscard]] std::size_t workspace_bytes() const noexcept {
    return workspace_.capacity_bytes() + outputs_.size() * sizeof(float);
  }

 private:
  static constexpr std::size_t kMaxThreads = 1024;
  static constexpr std::size_t kWorthAsking = std::size_t{16} << 20U;  // bytes for which the system is asked

  // A hidden row that was seen not to be finite.
  struct NotFinite {
    std::size_t position;
    std::size_t layer;  // after which
  };

  Session(Model model, const SessionOptions& options, SequenceState state)
      : model_(std::move(model)), options_(options), state_(std::move(state)) {}

  // Is there memory for caches of so many positions?
  void require_memory(std::size_t positions) const {
    const std::size_t needed = model_.cache_bytes(positions, state_.cache_type);
    const std::size_t held = cache_bytes();
    if (needed < held + kWorthAsking) return;
    const std::optional<std::uint64_t> available = available_memory();
    if (available && needed - held > *available)
      throw CapacityError("the caches of " + std::to_string(positions) + " positions need " +
                          std::to_string(needed - held) + " bytes more, available are " + std::to_string(*available));
  }
  void replace(SequenceState&& state) {
    state_ = std::move(state);
    seen_ = state_.position;
    interrupted_ = false;
    not_finite_.reset();
  }
  void require_whole() const {
    if (interrupted_)
      throw InputError("the session was interrupted in the middle of a pass: call truncate() or reset() first");
  }

  View<const float, 2> run(std::size_t count, std::span<const TokenId> tokens, View<const float, 2> features,
                           OutputRows rows, const std::stop_token& stop) {
    check(count);
    const Execution execution{.isa = *options_.isa,
                              .threads = options_.threads,
                              .stop = stop,
                              .activations = options_.activations,
                              .executor = options_.executor.get(),
                              .latent_form = options_.latent_form};
    const Transformer& transformer = model_.transformer();
    const std::size_t pool = transformer.head().pool();
    const std::size_t wanted = rows == OutputRows::all ? count / pool : 1;
    if (outputs_.shape() != Tensor<float, 2>::Shape{wanted, transformer.head().num_outputs()})
      outputs_ = Tensor<float, 2>({wanted, transformer.head().num_outputs()});

    const std::size_t frame = model_.info().whole_frames ? model_.info().frame_size : 1;
    const std::size_t step = std::max(options_.batch_size / frame, std::size_t{1}) * frame;
    non_finite_outputs_ = 0;
    interrupted_ = true;  // until the end: an exception in the middle leaves layers at different positions
    for (std::size_t done = 0; done < count;) {
      const std::size_t batch_rows = std::min(step, count - done);
      const Workspace::Scope scope(workspace_);
      const View<float, 2> h = workspace_.take_matrix<float>(batch_rows, model_.info().hidden_size);
      const std::span<std::size_t> positions = workspace_.take<std::size_t>(batch_rows);
      std::iota(positions.begin(), positions.end(), state_.position);
      const Batch::Sequence sequence{0, batch_rows, state_.position, &state_.cache};
      seen_ = state_.position + batch_rows;
      const Batch batch{std::span(&sequence, 1), positions, tokens.empty() ? tokens : tokens.subspan(done, batch_rows),
                        features.data() == nullptr ? features : features.slice(done, batch_rows)};
      const auto layer = transformer.forward(execution, workspace_, batch, plan_, options_.observer, h);
      if (layer && !not_finite_) not_finite_ = {state_.position + batch_rows - 1, *layer};
      if (!tokens.empty()) state_.tokens.insert(state_.tokens.end(), batch.token_ids.begin(), batch.token_ids.end());
      state_.position += batch_rows;
      done += batch_rows;
      execution.check_stop();
      const std::size_t rows_wanted = rows == OutputRows::all ? batch_rows : done == count ? pool : 0;
      if (rows_wanted == 0) continue;
      const std::size_t first = rows == OutputRows::all ? (done - batch_rows) / pool : 0;
      const View<float, 2> outputs = outputs_.view().slice(first, rows_wanted / pool);
      transformer.head().forward(execution, workspace_, h.slice(batch_rows - rows_wanted, rows_wanted), outputs);
      require_finite(outputs, pool);
    }
    interrupted_ = false;
    return outputs_.view();
  }

  // Counts the outputs that are not finite.   outputs: of the last positions, a row for `pool` of them
  void require_finite(View<const float, 2> outputs, std::size_t pool) {
    for (std::size_t r = 0; r < outputs.extent(0); ++r) {
      const std::size_t count = count_not_finite(outputs.row(r));
      non_finite_outputs_ += count;
      if (count < outputs.extent(1)) continue;
      const std::size_t position = state_.position - (outputs.extent(0) - 1 - r) * pool - 1;
      const std::string since = not_finite_ ? "; the hidden row of position " + std::to_string(not_finite_->position) +
                                                  " is not finite after layer " + std::to_string(not_finite_->layer)
                                            : "";
      throw NumericError("position " + std::to_string(position) + ": expected finite outputs, found none among " +
                         std::to_string(count) + since);
    }
  }

  void check(std::size_t count) const {
    require_whole();
    if (count == 0) throw InputError("expected at least one token or frame, found none");
    const ModelInfo& info = model_.info();
    if (info.whole_frames && count % info.frame_size != 0) {
      throw InputError("expected whole frames of " + std::to_string(info.frame_size) + " positions, found " +
                       std::to_string(count) + " positions");
    }
    const std::size_t left = options_.context - state_.position;
    if (count > left) {
      throw CapacityError("the sequence is " + std::to_string(count - left) + " positions too long: expected at most " +
                          std::to_string(options_.context) + ", found " + std::to_string(state_.position) + " and " +
                          std::to_string(count) + " more");
    }
    require_memory(state_.position + count);
  }

  Model model_;
  SessionOptions options_;
  SequenceState state_;
  Workspace workspace_;
  RoutingPlan plan_;
  Tensor<float, 2> outputs_;
  std::size_t seen_ = 0;  // positions that a layer has seen: more than state_.position after an interruption
  bool interrupted_ = false;
  std::size_t non_finite_outputs_ = 0;        // of the last call
  std::optional<NotFinite> not_finite_ = {};  // the first one seen in this sequence
};

}  // namespace trine::inline TRINE_ABI
