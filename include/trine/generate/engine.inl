// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/engine.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/not_finite.hpp>
#include <trine/core/tensor.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/engine.hpp>
#include <trine/generate/sequence.hpp>
#include <trine/model/transformer.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/routing/router.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void SequenceOutput::require_finite() const {
  if (!error.empty()) throw NumericError(error);
}

TRINE_DECL Engine::Engine(Model model, const EngineOptions& options) : model_(std::move(model)), options_(options) {
  if (options_.num_threads > kMaxThreads)
    throw InputError("num_threads: expected at most " + std::to_string(kMaxThreads) + ", found " +
                         std::to_string(options_.num_threads),
                     {.field = "num_threads"});
  if (options_.num_threads == 0)
    options_.num_threads = options_.executor ? options_.executor->max_workers() : default_threads();
  if (!options_.executor && options_.num_threads > 1)
    options_.executor = std::make_shared<ThreadPool>(options_.num_threads);
  if (options_.prefill_chunk == 0)
    throw InputError("prefill_chunk: expected at least 1, found 0", {.field = "prefill_chunk"});
  if (options_.reproducible && options_.mla_form == MlaForm::automatic) options_.mla_form = MlaForm::absorbed;
  if (!options_.isa) options_.isa = default_isa();
  if (!is_available(*options_.isa))
    throw DeviceError("instruction set " + in_quotes(to_string(*options_.isa)) + ": this CPU does not have it",
                      {.field = "isa"});
}

TRINE_DECL std::size_t Engine::workspace_bytes() const noexcept {
  return workspace_.capacity_bytes() + outputs_.size() * sizeof(float);
}

TRINE_DECL std::span<const SequenceOutput> Engine::forward(std::span<const SequenceInput> inputs,
                                                           const std::stop_token& stop) {
  require_fitting(inputs);
  const std::size_t pool = model_.transformer().head().pool();
  std::size_t wanted = 0;
  rows_.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    rows_[i] = new_rows(inputs[i]);
    wanted += output_rows(inputs[i], rows_[i], pool);
  }
  make_room(wanted);
  results_.resize(inputs.size());
  for (std::size_t i = 0, first = 0; i < inputs.size(); ++i) {
    Sequence& sequence = *inputs[i].sequence;
    const std::size_t rows = output_rows(inputs[i], rows_[i], pool);
    const std::size_t given = given_tokens(inputs[i]);
    const std::size_t asked = rows == 1 || given == 0 ? rows : given / pool;
    results_[i] = {outputs_.view().slice(first + rows - asked, asked), 0, {}};
    first += rows;
    std::vector<TokenId>& tokens = sequence.state_.tokens;
    tokens.insert(tokens.end(), inputs[i].tokens.begin(), inputs[i].tokens.end());
    tokens.insert(tokens.end(), inputs[i].embeddings.extent(0), kNoTokenId);
    sequence.interrupted_ = true;  // until the end: an exception leaves layers at different positions
  }
  try {
    Progress progress;
    while (progress.input < inputs.size()) run_pass(inputs, progress, stop);
  } catch (...) {
    for (const SequenceInput& input : inputs) input.sequence->drop_waiting();
    throw;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].sequence->interrupted_ = !results_[i].error.empty();
  return results_;
}

TRINE_DECL std::size_t Engine::new_rows(const SequenceInput& input) const noexcept {
  return model_.info().num_features == 0 ? input.sequence->waiting() + given_tokens(input)
                                         : input.features.extent(0) * model_.info().frame_size;
}

TRINE_DECL std::size_t Engine::output_rows(const SequenceInput& input, std::size_t rows, std::size_t pool) noexcept {
  return input.rows == OutputRows::all ? rows / pool : 1;
}

TRINE_DECL void Engine::require_fitting(std::span<const SequenceInput> inputs) const {
  const ModelInfo& info = model_.info();
  for (const SequenceInput& input : inputs) {
    if (input.sequence == nullptr) throw InputError("expected a sequence, found none", {.field = "sequence"});
    if (&input.sequence->model().transformer() != &model_.transformer())
      throw InputError("expected a sequence of the model of this engine, found one of another",
                       {.kind = ErrorKind::mismatch, .field = "sequence"});
    input.sequence->require_ids(input.tokens);
    if (input.embeddings.data() != nullptr) require_embeddings(input);
    if (info.num_features == 0 && input.features.data() != nullptr)
      throw InputError("this model takes tokens, not features", {ErrorKind::unsupported});
    if (input.features.data() != nullptr)
      require_shape("features", {input.features.extent(0), info.frame_size, info.num_features}, input.features.shape());
    input.sequence->require_room(new_rows(input));
    const auto same = [&](const SequenceInput& other) { return other.sequence == input.sequence; };
    if (std::ranges::count_if(inputs, same) > 1)
      throw InputError("expected each sequence once, found one twice", {.field = "sequence"});
  }
}

TRINE_DECL void Engine::require_embeddings(const SequenceInput& input) const {
  const ModelInfo& info = model_.info();
  const ErrorDetails unsupported{.kind = ErrorKind::unsupported, .field = "embeddings"};
  if (info.num_features != 0) throw InputError("this model takes features, not embeddings", unsupported);
  if (!input.tokens.empty()) throw InputError("expected tokens or embeddings, found both", {.field = "embeddings"});
  require_shape("embeddings", {input.embeddings.extent(0), info.hidden_size}, input.embeddings.shape());
  for (std::size_t t = 0; t < input.embeddings.extent(0); ++t) {
    if (const std::size_t count = count_not_finite(input.embeddings.row(t)); count > 0)
      throw InputError("embeddings: row " + std::to_string(t) + ": expected finite values, found " +
                           std::to_string(count) + " that are not",
                       {.kind = ErrorKind::not_finite, .field = "embeddings"});
  }
  for (std::size_t layer = 0; layer < info.num_hidden_layers; ++layer) {
    const Router* router = input.sequence->router(layer);
    if (router != nullptr && router->needs_token_ids())
      throw InputError("embeddings: expected tokens, by whose ids the router of layer " + std::to_string(layer) +
                           " chooses, found input embeddings",
                       unsupported);
  }
}

TRINE_DECL void Engine::make_room(std::size_t rows) {
  const std::size_t columns = model_.transformer().head().num_outputs();
  const std::size_t there = outputs_.shape()[0];
  if (outputs_.shape()[1] != columns || there < rows || there > 4 * rows) outputs_ = Tensor<float, 2>({rows, columns});
}

TRINE_DECL void Engine::run_pass(std::span<const SequenceInput> inputs, Progress& progress,
                                 const std::stop_token& stop) {
  const Workspace::Scope scope(workspace_);
  const std::size_t frame = model_.info().whole_frames ? model_.info().frame_size : 1;
  const std::size_t room = std::max(options_.prefill_chunk / frame, std::size_t{1}) * frame;
  const std::span<SequenceSlice> slices = workspace_.take<SequenceSlice>(inputs.size() - progress.input);
  std::size_t count = 0;
  std::size_t rows = 0;
  for (std::size_t i = progress.input; i < inputs.size() && rows < room; ++i) {
    Sequence& sequence = *inputs[i].sequence;
    const std::size_t left = rows_[i] - (i == progress.input ? progress.done : 0);
    const std::size_t now = std::min(left, room - rows);
    slices[count++] = {rows,
                       now,
                       sequence.position(),
                       sequence.state_.cache,
                       sequence.id_,
                       sequence.observer_.get(),
                       sequence.routers_ ? std::span<const Router* const>(sequence.routers_->of_layer)
                                         : std::span<const Router* const>(),
                       sequence.attached(),
                       sequence.observer_.get()};
    sequence.seen_ = sequence.position() + now;
    rows += now;
  }
  const ForwardContext context{.execution = {.isa = *options_.isa,
                                             .num_threads = options_.num_threads,
                                             .stop = stop,
                                             .activations = options_.activations,
                                             .executor = options_.executor.get(),
                                             .mla_form = options_.mla_form},
                               .workspace = workspace_,
                               .batch = gather(inputs, progress, slices.first(count), rows),
                               .plan = &plan_,
                               .adapters = rows_with_adapters(slices.first(count)),
                               .inputs = options_.input_observer.get()};
  const View<float, 2> h = workspace_.take_matrix<float>(rows, model_.info().hidden_size);
  const auto not_finite = workspace_.take<std::optional<std::size_t>>(count);
  std::ranges::uninitialized_fill(not_finite, std::optional<std::size_t>());
  model_.transformer().forward(context, h, not_finite);
  for (std::size_t s = 0; s < count; ++s)
    advance(*inputs[progress.input + s].sequence, context.batch, s, not_finite[s]);
  context.execution.check_stop();
  write_outputs(context, inputs, progress, h);
}

TRINE_DECL std::span<const AdapterRows> Engine::rows_with_adapters(std::span<const SequenceSlice> slices) {
  const std::span<AdapterRows> rows = workspace_.take<AdapterRows>(slices.size());
  std::size_t count = 0;
  for (const SequenceSlice& slice : slices)
    if (!slice.adapters.empty()) rows[count++] = {slice.first_row, slice.rows, slice.adapters};
  return rows.first(count);
}

TRINE_DECL Batch Engine::gather(std::span<const SequenceInput> inputs, const Progress& progress,
                                std::span<const SequenceSlice> slices, std::size_t rows) {
  Batch batch{.sequences = slices};
  const std::size_t num_features = model_.info().num_features;
  const std::span<std::size_t> positions = workspace_.take<std::size_t>(rows);
  const std::span<TokenId> tokens = workspace_.take<TokenId>(num_features == 0 ? rows : 0);
  const View<float, 2> features = workspace_.take_matrix<float>(num_features == 0 ? 0 : rows, num_features);
  const bool has_embeddings = std::ranges::any_of(inputs.subspan(progress.input, slices.size()),
                                                  [](const SequenceInput& i) { return i.embeddings.extent(0) > 0; });
  const std::span<const float*> embeddings = workspace_.take<const float*>(has_embeddings ? rows : 0);
  std::ranges::fill(embeddings, nullptr);
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const SequenceSlice& slice = slices[s];
    const SequenceInput& input = inputs[progress.input + s];
    const std::size_t done = s == 0 ? progress.done : 0;
    std::iota(positions.begin() + static_cast<std::ptrdiff_t>(slice.first_row),
              positions.begin() + static_cast<std::ptrdiff_t>(slice.first_row + slice.rows), slice.position);
    if (num_features == 0) {
      std::ranges::copy(input.sequence->tokens().subspan(slice.position, slice.rows),
                        tokens.subspan(slice.first_row).begin());
      const std::size_t first = rows_[progress.input + s] - input.embeddings.extent(0);  // row of the call
      for (std::size_t r = done; r < done + slice.rows && input.embeddings.extent(0) > 0; ++r)
        if (r >= first) embeddings[slice.first_row + r - done] = input.embeddings.row(r - first).data();
    } else {
      std::copy_n(input.features.data() + done * num_features, slice.rows * num_features,
                  features.row(slice.first_row).data());
    }
  }
  batch.positions = positions;
  batch.token_ids = tokens;
  batch.embeddings = embeddings;
  if (num_features != 0) batch.features = features;
  return batch;
}

TRINE_DECL void Engine::advance(Sequence& sequence, const Batch& batch, std::size_t s,
                                const std::optional<std::size_t>& not_finite) {
  const SequenceSlice& slice = batch.sequences[s];
  if (not_finite && !sequence.not_finite_) sequence.not_finite_ = {slice.position + slice.rows - 1, *not_finite};
  sequence.state_.position += slice.rows;
}

TRINE_DECL void Engine::write_outputs(const ForwardContext& context, std::span<const SequenceInput> inputs,
                                      Progress& progress, View<const float, 2> h) {
  const std::size_t pool = model_.transformer().head().pool();
  const std::span<const SequenceSlice> slices = context.batch.sequences;
  const std::span<std::size_t> wanted = workspace_.take<std::size_t>(slices.size());  // rows of h, the last ones
  std::size_t total = 0;
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const SequenceInput& input = inputs[progress.input + s];
    const bool ends = (s == 0 ? progress.done : 0) + slices[s].rows == rows_[progress.input + s];
    wanted[s] = input.rows == OutputRows::all ? slices[s].rows : ends ? pool : 0;
    total += wanted[s];
  }
  if (total > 0) {
    View<const float, 2> rows = h;
    if (slices.size() == 1) {
      rows = h.slice(slices[0].rows - wanted[0], wanted[0]);
    } else if (total < h.extent(0)) {
      const View<float, 2> chosen = workspace_.take_matrix<float>(total, h.extent(1));
      float* next = chosen.data();
      for (std::size_t s = 0; s < slices.size(); ++s) {
        const View<const float, 2> last = h.slice(slices[s].first_row + slices[s].rows - wanted[s], wanted[s]);
        next = std::ranges::copy(last.span(), next).out;
      }
      rows = chosen;
    }
    const std::span<AdapterRows> adapters = workspace_.take<AdapterRows>(slices.size());
    std::size_t count = 0;
    for (std::size_t s = 0, first = 0; s < slices.size(); first += wanted[s++] / pool)
      if (!slices[s].adapters.empty()) adapters[count++] = {first, wanted[s] / pool, slices[s].adapters};
    model_.transformer().head().forward(context.with_adapters(adapters.first(count)), rows,
                                        outputs_.view().slice(progress.outputs, total / pool));
  }
  const std::size_t first_input = progress.input;
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const SequenceInput& input = inputs[first_input + s];
    check_outputs(*input.sequence, outputs_.view().slice(progress.outputs, wanted[s] / pool), pool,
                  results_[first_input + s]);
    progress.outputs += wanted[s] / pool;
    progress.done += slices[s].rows;
    if (progress.done == rows_[first_input + s]) {
      ++progress.input;
      progress.done = 0;
    }
  }
}

TRINE_DECL void Engine::check_outputs(const Sequence& sequence, View<const float, 2> outputs, std::size_t pool,
                                      SequenceOutput& result) {
  for (std::size_t r = 0; r < outputs.extent(0); ++r) {
    const std::size_t count = count_not_finite(outputs.row(r));
    result.non_finite += count;
    if (count < outputs.extent(1) || !result.error.empty()) continue;
    const std::size_t position = sequence.position() - (outputs.extent(0) - 1 - r) * pool - 1;
    const auto& first = sequence.not_finite_;
    const std::string since = first ? "; the hidden row of position " + std::to_string(first->position) +
                                          " is not finite after layer " + std::to_string(first->layer)
                                    : "";
    result.error = "position " + std::to_string(position) + ": expected finite outputs, found none among " +
                   std::to_string(count) + since;
  }
}

}  // namespace trine::inline TRINE_ABI
