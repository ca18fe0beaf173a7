// SPDX-License-Identifier: Apache-2.0
// Tokens per second of a model, beside what the machine allows.
//
// Two limits: a pass cannot take less time than its operations need at the peak of arithmetic, nor than the weights
// that it touches need from memory. A result is compared with what allows less: for a long prefill most often the
// first, for decode the second.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session.hpp>
#include <trine/model/transformer.hpp>
#include <trine/quant/weight_formats.hpp>

#include "program/machine.hpp"
#include "program/statistics.hpp"
#include "program/touched_bytes.hpp"

namespace trine::bench {

/// `tokens` tokens in calls of `rows` rows, behind `depth` tokens that are not timed.
struct Workload {
  enum class Kind : unsigned char { prefill, decode, batch };

  Kind kind = Kind::prefill;
  std::size_t tokens = 0;
  std::size_t rows = 0;  // a divisor of tokens
  std::size_t depth = 0;
  std::size_t num_threads = 1;

  [[nodiscard]] static Workload prefill(std::size_t tokens) { return {Kind::prefill, tokens, tokens}; }
  [[nodiscard]] static Workload decode(std::size_t tokens) { return {Kind::decode, tokens, 1}; }
  /// About `tokens` tokens.
  [[nodiscard]] static Workload batch(std::size_t rows, std::size_t tokens) {
    return {Kind::batch, std::max<std::size_t>(tokens / rows, 1) * rows, rows};
  }

  /// As llama-bench has them: "pp512", "tg64"; and "b8".
  [[nodiscard]] std::string name() const {
    if (kind == Kind::batch) return "b" + std::to_string(rows);
    return (kind == Kind::prefill ? "pp" : "tg") + std::to_string(tokens);
  }
  [[nodiscard]] std::size_t positions() const { return depth + tokens; }
};

struct Result {
  Workload test;
  std::vector<double> tokens_per_second = {};  // of each repetition
  Limits before = {};
  Limits after = {};
  double giga_operations = 0.0;       // of all the tokens: 2 for each active weight and token, attention not counted
  double touched_gb = 0.0;            // weights read for all the tokens
  std::size_t peak_memory = 0;        // bytes
  std::size_t non_finite_logits = 0;  // of one run

  [[nodiscard]] Statistics statistics() const { return statistics_of(tokens_per_second); }
  /// Mean of before and after.
  [[nodiscard]] Limits limits() const {
    return {(before.read_gb_per_second + after.read_gb_per_second) / 2.0,
            (before.giga_operations_per_second + after.giga_operations_per_second) / 2.0};
  }
  [[nodiscard]] bool has_limits() const { return before.read_gb_per_second > 0.0; }
  [[nodiscard]] bool bound_by_memory() const { return memory_seconds() > arithmetic_seconds(); }
  /// Tokens per second that the limit allows.
  [[nodiscard]] double most_tokens_per_second() const {
    return static_cast<double>(test.tokens) / (bound_by_memory() ? memory_seconds() : arithmetic_seconds());
  }
  /// Of the limit, by the median.
  [[nodiscard]] double share() const { return statistics().median / most_tokens_per_second(); }
  [[nodiscard]] double touched_bytes_per_token() const { return touched_gb * 1e9 / static_cast<double>(test.tokens); }

 private:
  [[nodiscard]] double memory_seconds() const { return touched_gb / limits().read_gb_per_second; }
  [[nodiscard]] double arithmetic_seconds() const { return giga_operations / limits().giga_operations_per_second; }
};

struct MeasureOptions {
  std::size_t repetitions = 5;
  std::size_t limit_passes = 3;  // 0: limits are not measured
  ActivationPrecision activations = ActivationPrecision::native;
  MlaForm mla_form = MlaForm::automatic;
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;
  std::function<std::shared_ptr<Executor>(std::size_t threads)> executor = {};  // none: what sessions do by default
  std::vector<AdapterUse> adapters = {};
};

/// Measures one model. Keeps the memory that its limits are read from all the time, so that it can be told from the
/// model's in the peak of memory.
class Meter {
 public:
  using Tick = std::function<void()>;  // after each run of a test

  Meter(Model model, const MeasureOptions& options, std::size_t stream_bytes)
      : model_(std::move(model)),
        options_(options),
        reader_(options.limit_passes > 0 ? stream_bytes : 0),
        weights_(model_) {}

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] const WeightBytes& weights() const noexcept { return weights_; }
  [[nodiscard]] std::string_view arithmetic() const { return arithmetic_of(weights_.dtype()); }

  /// A warm-up, which counts what is touched, then the repetitions between two measurements of the limits. Throws what
  /// sessions throw; CancelledError.
  [[nodiscard]] Result run(const Workload& test, const std::stop_token& stop, const Tick& tick) {
    TouchedBytes touched(weights_);
    Session session(model_, {.context_length = test.positions(),
                             .num_threads = test.num_threads,
                             .prefill_chunk = kBatchSize,
                             .activations = options_.activations,
                             .mla_form = options_.mla_form,
                             .kv_cache_dtype = options_.kv_cache_dtype,
                             .observer = borrow(touched),
                             .adapters = options_.adapters,
                             .executor = options_.executor ? options_.executor(test.num_threads) : nullptr});
    const std::vector<TokenId> tokens = some_tokens(test.positions());
    Result result{.test = test};
    static_cast<void>(run_once(session, test, tokens, stop, &touched, result));
    tick();
    result.giga_operations = giga_operations(test);
    if (options_.limit_passes > 0)
      result.before = measure_limits(reader_, arithmetic(), test.num_threads, options_.limit_passes);
    for (std::size_t i = 0; i < options_.repetitions; ++i) {
      const double seconds = run_once(session, test, tokens, stop, nullptr, result);
      result.tokens_per_second.push_back(static_cast<double>(test.tokens) / seconds);
      tick();
    }
    if (options_.limit_passes > 0)
      result.after = measure_limits(reader_, arithmetic(), test.num_threads, options_.limit_passes);
    result.peak_memory = peak_memory_bytes() - reader_.bytes();
    return result;
  }

 private:
  static constexpr std::size_t kBatchSize = 512;
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::vector<TokenId> some_tokens(std::size_t count) const {
    std::vector<TokenId> tokens(count);
    const std::size_t vocab = std::max<std::size_t>(model_.info().vocab_size, 1);
    for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(splitmix64(i) % vocab);
    return tokens;
  }

  // Seconds of the timed calls.
  static double run_once(Session& session, const Workload& test, std::span<const TokenId> tokens,
                         const std::stop_token& stop, TouchedBytes* touched, Result& result) {
    session.reset();
    result.non_finite_logits = 0;
    if (test.depth > 0) session.forward(tokens.first(test.depth), OutputRows::last, stop);
    const OutputRows rows = test.kind == Workload::Kind::prefill ? OutputRows::last : OutputRows::all;
    if (touched != nullptr) touched->start();
    const Clock::time_point start = Clock::now();
    for (std::size_t done = 0; done < test.tokens; done += test.rows) {
      session.forward(tokens.subspan(test.depth + done, test.rows), rows, stop);
      result.non_finite_logits += session.non_finite_outputs();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const std::size_t passes = test.tokens / test.rows * ((test.rows + kBatchSize - 1) / kBatchSize);
    if (touched != nullptr) result.touched_gb = static_cast<double>(touched->stop(passes)) * 1e-9;
    return seconds;
  }

  // The head works for the last row of a prefill only.
  [[nodiscard]] double giga_operations(const Workload& test) const {
    const std::size_t head = model_.transformer().head().linear().parameters();
    const std::size_t others = model_.transformer().active_parameters() - head;
    const std::size_t head_rows = test.kind == Workload::Kind::prefill ? 1 : test.tokens;
    return 2e-9 * (static_cast<double>(others) * static_cast<double>(test.tokens) +
                   static_cast<double>(head) * static_cast<double>(head_rows));
  }

  Model model_;
  MeasureOptions options_;
  StreamReader reader_;
  WeightBytes weights_;
};

}  // namespace trine::bench
