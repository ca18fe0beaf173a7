// SPDX-License-Identifier: Apache-2.0
// One row of a cache: strided elements, and for q8 the scales of its groups.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <trine/core/bfloat16.hpp>
#include <trine/quant/kv_cache_dtype.hpp>

namespace trine::inline TRINE_ABI {

/// x as `type`: element i is at elements + i * element_step of that type, scale g at scales + g * scale_step.
/// q8: x = scale * element, scale = max |x| / 127 of a group; NaN if an x of the group is not finite.
inline void store_kv_row(KvCacheDtype type, std::span<const float> x, std::byte* elements, std::size_t element_step,
                         float* scales, std::size_t scale_step) noexcept {
  const auto put = [&](std::size_t i, auto value) {
    std::memcpy(elements + i * element_step * sizeof value, &value, sizeof value);
  };
  if (type == KvCacheDtype::f32) {
    if (element_step == 1) {
      std::memcpy(elements, x.data(), x.size_bytes());
      return;
    }
    for (std::size_t i = 0; i < x.size(); ++i) put(i, x[i]);
  } else if (type == KvCacheDtype::bf16) {
    for (std::size_t i = 0; i < x.size(); ++i) put(i, bfloat16(x[i]));
  } else {
    for (std::size_t begin = 0; begin < x.size(); begin += kKvScaleBlock) {
      const std::span<const float> group = x.subspan(begin, std::min(kKvScaleBlock, x.size() - begin));
      float largest = 0.0F;
      float zeros = 0.0F;  // NaN if a value is not finite
      for (const float value : group) {
        largest = std::max(largest, std::abs(value));
        zeros += 0.0F * value;
      }
      scales[begin / kKvScaleBlock * scale_step] = largest / 127.0F + zeros;
      const float inverse = largest < 1e-30F || std::isnan(zeros) ? 0.0F : 127.0F / largest;
      for (std::size_t i = 0; i < group.size(); ++i)
        put(begin + i, static_cast<std::int8_t>(inverse == 0.0F ? 0 : std::lrint(group[i] * inverse)));
    }
  }
}

}  // namespace trine::inline TRINE_ABI
