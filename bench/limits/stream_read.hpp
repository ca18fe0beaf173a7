// SPDX-License-Identifier: Apache-2.0
// How fast this machine reads memory: the limit of everything that reads each weight once.
//
// One stream a thread is often half of what several give, because the prefetchers of a core follow several pages at a
// time. So a thread reads 1, 2, 4, 8 or 16 streams in turns, and the best count is the limit.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <trine/core/tensor.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/platform/anonymous_memory.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/platform/thread_pool.hpp>

#if TRINE_X86
#include <immintrin.h>
#endif

namespace trine::bench {

namespace detail {

// Reads `streams` ranges of `bytes` that lie one behind the other, a cache line of each in turn. bytes: a multiple of
// 64
template <std::size_t streams>
inline std::uint64_t read_portable(const std::byte* from, std::size_t bytes) {
  std::array<std::uint64_t, 8> sum{};
  for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) {
    for (std::size_t s = 0; s < streams; ++s) {
      std::array<std::uint64_t, 8> line;
      std::memcpy(line.data(), from + s * bytes + at, sizeof line);
      for (std::size_t i = 0; i < line.size(); ++i) sum[i] |= line[i];
    }
  }
  std::uint64_t all = 0;
  for (const std::uint64_t part : sum) all |= part;
  return all;
}

}  // namespace detail
}  // namespace trine::bench

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
namespace trine::bench::detail {

template <std::size_t streams>
inline std::uint64_t read_avx2(const std::byte* from, std::size_t bytes) {
  __m256i low = _mm256_setzero_si256();
  __m256i high = low;
  for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) {
    TRINE_UNROLL
    for (std::size_t s = 0; s < streams; ++s) {
      const auto* line = reinterpret_cast<const __m256i*>(from + s * bytes + at);
      low = _mm256_or_si256(low, _mm256_load_si256(line));
      high = _mm256_or_si256(high, _mm256_load_si256(line + 1));
    }
  }
  const __m256i all = _mm256_or_si256(low, high);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0) | _mm256_extract_epi64(all, 1) |
                                    _mm256_extract_epi64(all, 2) | _mm256_extract_epi64(all, 3));
}

}  // namespace trine::bench::detail
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_FEATURES)
namespace trine::bench::detail {

template <std::size_t streams>
inline std::uint64_t read_avx512(const std::byte* from, std::size_t bytes) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = even;
  for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) {
    TRINE_UNROLL
    for (std::size_t s = 0; s < streams; ++s) {
      const __m512i line = _mm512_load_si512(from + s * bytes + at);
      if (s % 2 == 0) {
        even = _mm512_or_si512(even, line);
      } else {
        odd = _mm512_or_si512(odd, line);
      }
    }
  }
  return static_cast<std::uint64_t>(_mm512_reduce_or_epi64(_mm512_or_si512(even, odd)));
}

}  // namespace trine::bench::detail
TRINE_TARGET_END
#endif

namespace trine::bench {

inline constexpr std::array<std::size_t, 5> kStreamCounts{1, 2, 4, 8, 16};

struct StreamRead {
  std::array<double, kStreamCounts.size()> gb_per_second{};  // 10^9 bytes, by count of streams
  [[nodiscard]] double best() const { return std::ranges::max(gb_per_second); }
  [[nodiscard]] std::size_t best_streams() const {
    return kStreamCounts[static_cast<std::size_t>(std::ranges::max_element(gb_per_second) - gb_per_second.begin())];
  }
};

/// Memory much larger than the caches, read over and over. Keeps its memory from the first to the last measurement.
class StreamReader {
 public:
  /// bytes: a multiple of the 4 MiB that a thread takes at a time. Asks for large pages.
  explicit StreamReader(std::size_t bytes = std::size_t{256} << 20U) : slabs_(bytes / kPart), memory_(this->bytes()) {
    std::memset(memory_.data(), 1, this->bytes());
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return slabs_ * kPart; }

  /// The best of `passes` passes over the memory for each count of streams a thread.
  [[nodiscard]] StreamRead measure(std::size_t threads, std::size_t passes = 3) const {
    ThreadPool pool(threads);
    const ExecutionContext execution{.num_threads = threads, .executor = &pool};
    StreamRead result;
    for (std::size_t pass = 0; pass < passes; ++pass) {
      for (std::size_t i = 0; i < kStreamCounts.size(); ++i)
        result.gb_per_second[i] = std::max(result.gb_per_second[i], pass_gb_per_second(execution, kStreamCounts[i]));
    }
    return result;
  }

 private:
  static constexpr std::size_t kPart = std::size_t{4} << 20U;
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] double pass_gb_per_second(const ExecutionContext& execution, std::size_t streams) const {
    std::atomic<std::uint64_t> sink{0};
    const Clock::time_point start = Clock::now();
    parallel_for(execution, slabs_, [&](std::size_t slab) {
      sink.fetch_or(read(memory_.data() + slab * kPart, streams), std::memory_order_relaxed);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return static_cast<double>(bytes()) / seconds * 1e-9;
  }

  [[nodiscard]] std::uint64_t read(const std::byte* from, std::size_t streams) const {
    switch (streams) {
      case 1:
        return read<1>(from);
      case 2:
        return read<2>(from);
      case 4:
        return read<4>(from);
      case 8:
        return read<8>(from);
      default:
        return read<16>(from);
    }
  }
  template <std::size_t streams>
  [[nodiscard]] std::uint64_t read(const std::byte* from) const {
#if TRINE_X86
    if (isa_ >= Isa::avx512) return detail::read_avx512<streams>(from, kPart / streams);
    if (isa_ >= Isa::avx2) return detail::read_avx2<streams>(from, kPart / streams);
#endif
    return detail::read_portable<streams>(from, kPart / streams);
  }

  Isa isa_ = best_isa();
  std::size_t slabs_;
  AnonymousMemory memory_;
};

}  // namespace trine::bench
