// SPDX-License-Identifier: Apache-2.0
// The low-rank updates of one linear map by all adapters of a batch. Rows of different adapters are grouped, so that
// each A and B is read once per pass: Punica, arXiv:2310.18547; S-LoRA, arXiv:2311.03285.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/core/workspace.hpp>
#include <trine/kernels/matmul.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/low_rank.hpp>

namespace trine::inline TRINE_ABI {

/// The updates of one linear map by the adapters of a batch. Made for the rows of its input, which may be gathered;
/// multiply() computes A x, and add() what it makes of outputs, column block by column block.
class LowRankUpdates {
 public:
  LowRankUpdates() = default;

  /// rows: ascending, apart   slots: [n] ascending input rows of outputs 0, 1, ... , or null for 0 .. n - 1.
  /// bias: [out] of the map, or null. All memory is taken from the workspace.
  LowRankUpdates(Workspace& workspace, std::uint32_t target, std::size_t in, std::size_t out, const float* bias,
                 std::span<const AdapterRows> rows, const std::uint32_t* slots, std::size_t n)
      : in_(in), out_(out), bias_(bias) {
    std::size_t deepest = 0;
    for (const AdapterRows& range : rows) deepest = std::max(deepest, range.adapters.size());
    if (deepest == 0) return;
    const std::span<Update> updates = workspace.take<Update>(rows.size() * deepest);
    std::size_t count = 0;
    for (std::size_t depth = 0; depth < deepest; ++depth) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].adapters.size() <= depth) continue;
        const AttachedAdapter& adapter = rows[i].adapters[depth];
        const LowRank* map = adapter.of(target);
        if (map == nullptr || is_listed(updates.first(count), depth, map, adapter.scale)) continue;
        const std::span<std::uint32_t> mine = workspace.take<std::uint32_t>(n);
        std::size_t outputs = 0;
        for (std::size_t j = i; j < rows.size(); ++j) {
          if (rows[j].adapters.size() <= depth || rows[j].adapters[depth].of(target) != map ||
              rows[j].adapters[depth].scale != adapter.scale)
            continue;
          const std::size_t begin = first_output(slots, n, rows[j].first);
          const std::size_t end = first_output(slots, n, rows[j].first + rows[j].count);
          for (std::size_t s = begin; s < end; ++s) mine[outputs++] = static_cast<std::uint32_t>(s);
        }
        if (outputs == 0) continue;
        updates[count++] = {map, adapter.scale, depth, mine.first(outputs), nullptr, nullptr};
      }
    }
    updates_ = updates.first(count);
    for (Update& update : updates_) {
      update.hidden = workspace.take<float>(update.outputs.size() * update.map->rank).data();
      if (slots == nullptr) {
        update.inputs = update.outputs.data();
        continue;
      }
      const std::span<std::uint32_t> inputs = workspace.take<std::uint32_t>(update.outputs.size());
      for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = slots[update.outputs[i]];
      update.inputs = inputs.data();
    }
  }

  /// The input has a row for each output, in their order, and is not gathered: of a down projection.
  void read_outputs() noexcept {
    for (Update& update : updates_) update.inputs = update.outputs.data();
  }

  [[nodiscard]] bool empty() const noexcept { return updates_.empty(); }

  /// Pieces of work of multiply(), to be shared among threads.
  [[nodiscard]] std::size_t pieces() const noexcept {
    std::size_t count = 0;
    for (const Update& update : updates_) count += pieces_of(update);
    return count;
  }
  /// Multiply-adds of multiply(), and of weights of adapters in add().
  [[nodiscard]] std::size_t work() const noexcept {
    std::size_t total = 0;
    for (const Update& update : updates_)
      total += update.outputs.size() * (update.map->rank + (update.map->weight != nullptr ? out_ : 0)) * in_;
    return total;
  }
  /// A x of some rows.   x: the input, leading dimension ldx
  void multiply(Isa isa, std::size_t piece, const float* x, std::size_t ldx) const noexcept {
    for (const Update& update : updates_) {
      const std::size_t pieces = pieces_of(update);
      if (piece >= pieces) {
        piece -= pieces;
        continue;
      }
      const std::size_t first = piece * kRows;
      const std::size_t rows = std::min(kRows, update.outputs.size() - first);
      const std::size_t rank = update.map->rank;
      float* hidden = update.hidden + first * rank;
      kernels::gemm(isa, kernels::RowsOf<float>{x, ldx}.from(0, update.inputs + first), rows, update.map->a, in_, rank,
                    in_, hidden, rank);
      const float scale = update.map->scale * update.scale;
      for (float& value : std::span(hidden, rows * rank)) value *= scale;
      return;
    }
  }

  /// Applies the updates to the columns [first, first + count) of outputs [begin, end).   y: of output `begin`, column
  /// `first`, leading dimension ldy   x: the input, of which weights of adapters need rows
  void add(Isa isa, std::size_t begin, std::size_t end, std::size_t first, std::size_t count, float* y, std::size_t ldy,
           const float* x, std::size_t ldx) const noexcept {
    for (const Update& update : updates_) {
      const LowRank& map = *update.map;
      const auto from = std::ranges::lower_bound(update.outputs, begin) - update.outputs.begin();
      for (auto i = static_cast<std::size_t>(from); i < update.outputs.size() && update.outputs[i] < end;) {
        std::size_t run = 1;
        while (i + run < update.outputs.size() && update.outputs[i + run] == update.outputs[i] + run &&
               update.outputs[i + run] < end)
          ++run;
        float* out = y + (update.outputs[i] - begin) * ldy;
        if (map.weight != nullptr)
          kernels::gemm(isa, kernels::RowsOf<float>{x, ldx}.from(0, update.inputs + i), run,
                        map.weight->row_range(first, count), out, ldy);
        if (map.rank != 0)
          kernels::gemm_columns(isa, {update.hidden + i * map.rank, map.rank}, run, map.b + first, out_, count,
                                map.rank, true, out, ldy);
        for (std::size_t r = 0; r < run; ++r) finish(isa, update, first, {out + r * ldy, count});
        i += run;
      }
    }
  }

 private:
  static constexpr std::size_t kRows = 64;  // of a piece

  struct Update {
    const LowRank* map;
    float scale;
    std::size_t depth;                       // how many adapters the rows have before it
    std::span<const std::uint32_t> outputs;  // ascending
    const std::uint32_t* inputs;             // [outputs] rows of x
    float* hidden;                           // [outputs, rank] s A x
  };

  [[nodiscard]] static bool is_listed(std::span<const Update> updates, std::size_t depth, const LowRank* map,
                                      float scale) noexcept {
    return std::ranges::any_of(updates, [&](const Update& update) {
      return update.depth == depth && update.map == map && update.scale == scale;
    });
  }
  [[nodiscard]] static std::size_t first_output(const std::uint32_t* slots, std::size_t n, std::size_t row) noexcept {
    if (slots == nullptr) return std::min(row, n);
    return static_cast<std::size_t>(std::lower_bound(slots, slots + n, row) - slots);
  }
  [[nodiscard]] static std::size_t pieces_of(const Update& update) noexcept {
    return update.map->rank == 0 ? 0 : (update.outputs.size() + kRows - 1) / kRows;
  }

  // What follows the products, in one row: biases and DoRA's gain.
  void finish(Isa isa, const Update& update, std::size_t first, std::span<float> y) const noexcept {
    const LowRank& map = *update.map;
    const float* bias = map.weight_bias != nullptr ? map.weight_bias : bias_;
    if (map.weight != nullptr && bias != nullptr) kernels::add_inplace(isa, {bias + first, y.size()}, y);
    if (map.bias != nullptr) {
      const float scale = map.scale * update.scale;
      kernels::weighted_sum(isa, {&scale, 1}, map.bias + first, 0, y);
    }
    if (map.magnitude == nullptr) return;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const float b = bias == nullptr ? 0.0F : bias[first + i];
      y[i] = map.dora_gain(first + i, out_, update.scale) * (y[i] - b) + b;
    }
  }

  std::size_t in_ = 0;
  std::size_t out_ = 0;
  const float* bias_ = nullptr;
  std::span<Update> updates_;
};

/// The updates of a map by the adapters of one sequence, for products with some of its columns in the calling thread.
class SequenceUpdates {
 public:
  SequenceUpdates() = default;
  SequenceUpdates(std::span<const AttachedAdapter> adapters, std::uint32_t target, std::size_t in, std::size_t out)
      : adapters_(adapters), target_(target), in_(in), out_(out) {
    for (std::size_t i = adapters.size(); i-- > 0 && weight_ == nullptr;) {
      const LowRank* map = adapters[i].of(target);
      if (map == nullptr) continue;
      rank_ = std::max(rank_, map->rank);
      has_gain_ = has_gain_ || map->magnitude != nullptr;
      empty_ = false;
      weight_ = map->weight;
      if (weight_ != nullptr) adapters_ = adapters.subspan(i);  // those before have no effect
    }
  }

  [[nodiscard]] bool empty() const noexcept { return empty_; }
  [[nodiscard]] bool has_gain() const noexcept { return has_gain_; }  // DoRA
  /// What an adapter has in place of the weight of the map, or null.
  [[nodiscard]] const WeightMatrix* weight() const noexcept { return weight_; }
  /// Of the adapters, the largest: columns of the scratch memory.
  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }

  /// Columns [first, first + count) of the updates of y = x W^T.   x: [rows, in]   y: [rows, count]   scratch: [rows,
  /// rank()]
  void add(Isa isa, const float* x, std::size_t ldx, std::size_t rows, std::size_t first, std::size_t count, float* y,
           std::size_t ldy, float* scratch) const noexcept {
    for (const AttachedAdapter& adapter : adapters_) {
      const LowRank* map = adapter.of(target_);
      if (map == nullptr) continue;
      const float scale = map->scale * adapter.scale;
      if (map->weight != nullptr) kernels::gemm(isa, x, ldx, rows, map->weight->row_range(first, count), y, ldy);
      if (map->rank != 0) {
        kernels::gemm(isa, x, ldx, rows, map->a, in_, map->rank, in_, scratch, map->rank);
        for (float& value : std::span(scratch, rows * map->rank)) value *= scale;
        kernels::gemm_columns(isa, {scratch, map->rank}, rows, map->b + first, out_, count, map->rank, true, y, ldy);
      }
      for (std::size_t r = 0; r < rows; ++r) {
        if (map->bias != nullptr) kernels::weighted_sum(isa, {&scale, 1}, map->bias + first, 0, {y + r * ldy, count});
        if (map->magnitude == nullptr) continue;
        for (std::size_t i = 0; i < count; ++i) y[r * ldy + i] *= map->dora_gain(first + i, out_, adapter.scale);
      }
    }
  }

  /// x *= the gains of all of them: what a product y = x W takes in place of x.   x: [rows, count]
  void apply_gain(std::size_t first, std::size_t count, std::size_t rows, float* x, std::size_t ldx) const noexcept {
    for (const AttachedAdapter& adapter : adapters_) multiply_gain(adapter, first, count, rows, x, ldx);
  }

  /// The updates of y = x W, with W from weight(), with columns [first, first + count) of the map.   x: [rows, count],
  /// multiplied by gains as it goes   y: [rows, in]   scratch: [rows, rank()]
  void add_transposed(Isa isa, float* x, std::size_t ldx, std::size_t rows, std::size_t first, std::size_t count,
                      float* y, std::size_t ldy, float* scratch) const noexcept {
    for (std::size_t i = adapters_.size(); i-- > 0;) {
      const LowRank* map = adapters_[i].of(target_);
      if (map == nullptr) continue;
      multiply_gain(adapters_[i], first, count, rows, x, ldx);
      if (map->rank == 0) continue;
      kernels::gemm(isa, x, ldx, rows, map->b + first, out_, map->rank, count, scratch, map->rank);
      for (float& value : std::span(scratch, rows * map->rank)) value *= map->scale * adapters_[i].scale;
      kernels::gemm_columns(isa, {scratch, map->rank}, rows, map->a, in_, in_, map->rank, true, y, ldy);
    }
  }

 private:
  void multiply_gain(const AttachedAdapter& adapter, std::size_t first, std::size_t count, std::size_t rows, float* x,
                     std::size_t ldx) const noexcept {
    const LowRank* map = adapter.of(target_);
    if (map == nullptr || map->magnitude == nullptr) return;
    for (std::size_t i = 0; i < count; ++i) {
      const float gain = map->dora_gain(first + i, out_, adapter.scale);
      for (std::size_t r = 0; r < rows; ++r) x[r * ldx + i] *= gain;
    }
  }

  std::span<const AttachedAdapter> adapters_;
  std::uint32_t target_ = 0;
  std::size_t in_ = 0;
  std::size_t out_ = 0;
  std::size_t rank_ = 0;
  bool has_gain_ = false;
  const WeightMatrix* weight_ = nullptr;
  bool empty_ = true;
};

}  // namespace trine::inline TRINE_ABI
