// SPDX-License-Identifier: Apache-2.0
// A hook that receives the frames that queries choose (RoutedPattern). Without one, nothing is recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <trine/core/tensor_view.hpp>

namespace trine::inline TRINE_ABI {

/// What the rows of one sequence chose in one layer, for one key/value head. Valid only during the call.
struct FrameRoutingEvent {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();  ///< a row with fewer frames

  std::size_t layer = 0;                     ///< index in the model
  std::size_t kv_head = 0;                   ///< of the layer; its query heads choose alike
  std::uint64_t sequence = 0;                ///< the sequence of these rows (Sequence::id)
  std::size_t position = 0;                  ///< of the first row
  View<const std::uint32_t, 2> frames = {};  ///< [rows, top_k] ascending, then kNone
};

/// The interface of observers of frames: a part of RoutingObserver.
class FrameObserver {
 public:
  virtual ~FrameObserver() = default;
  /// Returns whether on_frames is to be called. Asked once a pass and layer.
  [[nodiscard]] virtual bool wants_frames() const { return false; }
  /// Called for each key/value head that chooses frames, after the layer has, in the thread that runs the pass.
  virtual void on_frames(const FrameRoutingEvent& /*event*/) {}
};

}  // namespace trine::inline TRINE_ABI
