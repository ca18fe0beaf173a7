// SPDX-License-Identifier: Apache-2.0
// Computes sequences of a model, any number in one pass: prompts beside single tokens beside drafts to be verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/core/workspace.hpp>
#include <trine/generate/sequence.hpp>
#include <trine/platform/execution_context.hpp>
#include <trine/platform/executor.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

struct AdapterRows;     // nn/low_rank.hpp
struct Batch;           // nn/forward_context.hpp
struct ForwardContext;  // nn/forward_context.hpp
struct SequenceSlice;   // nn/forward_context.hpp
class InputObserver;    // nn/input_observer.hpp

/// How passes are computed. Engine says which of these change results.
struct EngineOptions {
  std::size_t num_threads = 0;      ///< 0: as many as `executor` lends, default_threads() without one
  std::size_t prefill_chunk = 512;  ///< rows of a pass, at most (whole frames); bounds the scratch memory
  std::optional<Isa> isa = {};      ///< none: default_isa()
  ActivationPrecision activations = ActivationPrecision::automatic;  ///< the type in which products take activations
  MlaForm mla_form = MlaForm::automatic;  ///< of multi-head latent attention (DeepSeek, Kimi)
  bool reproducible = false;  ///< chooses nothing by how the input is cut: mla_form, if automatic, becomes absorbed
  std::shared_ptr<Executor> executor = nullptr;  ///< lends threads, to other engines too; null: a ThreadPool of its own
  std::shared_ptr<InputObserver> input_observer = nullptr;  ///< receives the inputs of all linear maps
};

/// Of which rows of its input a pass returns outputs. Computing logits of all rows costs a product with the head for
/// each.
enum class OutputRows : std::uint8_t {
  last,  ///< of the last token or frame
  all,   ///< of every one
};

/// What a sequence is continued by, after tokens that wait in it: tokens; or, in their place, rows of input embeddings
/// [tokens, hidden], such as those of an image or of a prompt that was trained; or frames of features [frames, sites,
/// num_features].
struct SequenceInput {
  Sequence* sequence = nullptr;          ///< borrowed for the pass; each sequence occurs once in it
  std::span<const TokenId> tokens = {};  ///< of a model that takes tokens; may be empty where tokens wait
  View<const float, 2> embeddings = {};  ///< of a model that takes tokens, in place of `tokens`
  View<const float, 3> features = {};    ///< of a model that takes features
  OutputRows rows = OutputRows::last;    ///< last: one row of outputs; all: one per token or frame
};

/// What comes out: logits [1, vocab] of the last token, or [tokens, vocab]; [1 or frames, num_outputs] for a model
/// whose outputs belong to frames.
struct SequenceOutput {
  View<const float, 2> outputs;  ///< borrowed from the engine until its next pass
  std::size_t non_finite = 0;    ///< of `outputs`: NaN or infinite
  std::string error = {};        ///< not empty where no output of a row is finite; the sequence is then interrupted

  /// Throws NumericError if no output of a row is finite.
  void require_finite() const;
};

/// Computes any number of sequences of one model in one pass. Movable, not copyable; one thread at a time. A sequence
/// gets the same bits alone and among others, on any number of threads and however its input is cut into calls, with
/// one exception: latent attention (DeepSeek, Kimi) takes the form that costs less for the rows of a pass, and the
/// forms round differently. `reproducible` or a fixed `mla_form` fix that.
class Engine {
 public:
  /// Throws InputError when an option is out of range, DeviceError when the instruction set is not there.
  explicit Engine(Model model, const EngineOptions& options = {});

  /// Whose sequences it computes.
  [[nodiscard]] const Model& model() const noexcept { return model_; }
  /// The options, with the chosen values where they left a choice: threads, isa, executor, mla_form.
  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }
  /// Bytes of scratch memory.
  [[nodiscard]] std::size_t workspace_bytes() const noexcept;

  /// Continues all sequences, each once in `inputs`, and returns an output for each, valid until the next call. Nothing
  /// was done where it throws InputError (no input, an id out of range, an embedding that is not finite or that a
  /// router which chooses by token ids would get, another kind of input than the model takes, an interrupted sequence),
  /// ShapeError or CapacityError. CancelledError interrupts the sequences.
  std::span<const SequenceOutput> forward(std::span<const SequenceInput> inputs, const std::stop_token& stop = {});

 private:
  static constexpr std::size_t kMaxThreads = 1024;

  // How far a call has come.
  struct Progress {
    std::size_t input = 0;    // the first that is not done
    std::size_t done = 0;     // rows of it that are
    std::size_t outputs = 0;  // rows of outputs that are there
  };

  // Positions of an input that is not features.
  [[nodiscard]] static std::size_t given_tokens(const SequenceInput& input) noexcept {
    return input.tokens.size() + input.embeddings.extent(0);
  }
  // Positions that a call computes: those of tokens that wait, and those of its input.
  [[nodiscard]] std::size_t new_rows(const SequenceInput& input) const noexcept;
  [[nodiscard]] static std::size_t output_rows(const SequenceInput& input, std::size_t rows, std::size_t pool) noexcept;

  void require_fitting(std::span<const SequenceInput> inputs) const;
  void require_embeddings(const SequenceInput& input) const;

  // Outputs shrink, too, so that a long call does not hold its memory for good.
  void make_room(std::size_t rows);

  // A pass over the next rows of the inputs, as many as one may have. Only its last sequence may be cut.
  void run_pass(std::span<const SequenceInput> inputs, Progress& progress, const std::stop_token& stop);

  [[nodiscard]] std::span<const AdapterRows> rows_with_adapters(std::span<const SequenceSlice> slices);
  // The rows of a pass in a row.
  [[nodiscard]] Batch gather(std::span<const SequenceInput> inputs, const Progress& progress,
                             std::span<const SequenceSlice> slices, std::size_t rows);

  static void advance(Sequence& sequence, const Batch& batch, std::size_t s,
                      const std::optional<std::size_t>& not_finite);

  // The head, for the rows of the pass that are asked for, and what came out of it.
  void write_outputs(const ForwardContext& context, std::span<const SequenceInput> inputs, Progress& progress,
                     View<const float, 2> h);

  // outputs: of the last positions of the sequence, a row for `pool` of them
  static void check_outputs(const Sequence& sequence, View<const float, 2> outputs, std::size_t pool,
                            SequenceOutput& result);

  Model model_;
  EngineOptions options_;
  Workspace workspace_;
  RoutingPlan plan_;
  Tensor<float, 2> outputs_;
  std::vector<SequenceOutput> results_;
  std::vector<std::size_t> rows_;  // new rows of each input of a call
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/engine.inl>
#endif
