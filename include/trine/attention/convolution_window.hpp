// SPDX-License-Identifier: Apache-2.0
// The rows that a causal convolution over the positions of a sequence reads: those of a pass, and the few before it.
#pragma once

#include <algorithm>
#include <cstddef>

#include <trine/cache/recurrent_state_layout.hpp>

namespace trine::inline TRINE_ABI {

/// Some channels of the rows of a pass and of the `past` rows before it. A border keeps the `past` rows before it, and
/// a chunk its rows, both [rows, channels] at the beginning of their pages: that is where earlier rows are read, and
/// where keep() puts those of the pass.
class ConvolutionWindow {
 public:
  /// Where the channels of a pass lie.
  struct Channels {
    float* rows;          ///< of the first row of the pass
    std::size_t ld;       ///< to the next row
    std::size_t channel;  ///< the first of them, in kept rows
    std::size_t width;    ///< how many
  };

  /// position, rows: of the pass   all: channels of a kept row   before: memory for [past, width]
  ConvolutionWindow(const RecurrentStateLayout::Writer& pages, std::size_t position, std::size_t rows, std::size_t all,
                    std::size_t past, const Channels& channels, float* before)
      : pages_(pages), position_(position), rows_(rows), all_(all), past_(past), channels_(channels), before_(before) {
    for (std::size_t t = 0; t < past; ++t) read_past(t, before + t * channels.width);
  }

  /// Row `row` of the pass, counted from the first one before it: row `past` is the first of the pass.
  [[nodiscard]] const float* operator[](std::size_t row) const noexcept {
    return row >= past_ ? channels_.rows + (row - past_) * channels_.ld : before_ + row * channels_.width;
  }

  /// Writes the rows of the pass, as they are now, to the pages.
  void keep() const {
    for (std::size_t row = 0; row < rows_; ++row) {
      const std::size_t chunk = (position_ + row) / kChunk;
      if (pages_.keeps(chunk))
        std::copy_n((*this)[past_ + row], channels_.width,
                    pages_.chunk(chunk) + (position_ + row) % kChunk * all_ + channels_.channel);
    }
    for (std::size_t border = pages_.first_chunk() + 1; border <= pages_.last_border(); ++border)
      pages_.for_each_border(border, [&](float* values) {
        for (std::size_t t = 0; t < past_; ++t)
          std::copy_n((*this)[border * kChunk - position_ + t], channels_.width, values + t * all_ + channels_.channel);
      });
  }

 private:
  static constexpr std::size_t kChunk = RecurrentStateLayout::kChunk;

  // Row t of those before the pass.
  void read_past(std::size_t t, float* to) const {
    const std::size_t chunk = pages_.first_chunk();
    const std::size_t row = position_ % kChunk + t;  // counted from `past` before the chunk
    if (row >= past_) {
      std::copy_n(pages_.chunk(chunk) + (row - past_) * all_ + channels_.channel, channels_.width, to);
    } else if (const float* border = pages_.border(chunk); border != nullptr) {
      std::copy_n(border + row * all_ + channels_.channel, channels_.width, to);
    } else {
      std::fill_n(to, channels_.width, 0.0F);
    }
  }

  const RecurrentStateLayout::Writer& pages_;
  std::size_t position_;
  std::size_t rows_;
  std::size_t all_;
  std::size_t past_;
  Channels channels_;
  float* before_;
};

}  // namespace trine::inline TRINE_ABI
