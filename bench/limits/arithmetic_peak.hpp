// SPDX-License-Identifier: Apache-2.0
// How fast this machine multiplies and adds: the limit of everything that uses each weight often.
//
// Loops of nothing but independent multiply-adds between registers. Two units of latency 4 or 5 need 8 to 10 chains; we
// have 24 (10 with the 16 registers of AVX2). Each chain is a variable of its own after unrolling, which the
// disassembly must show: kept in memory, they halve the result.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <trine/core/dtype.hpp>
#include <trine/kernels/simd/amx.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/platform/thread_pool.hpp>

#if TRINE_X86
#include <immintrin.h>
#endif

namespace trine::bench::detail {

/// What a loop did; `result` depends on every operation, so that none is left out.
struct Work {
  double operations = 0.0;  // a multiplication and an addition are two
  float result = 0.0F;
};

inline Work f32_portable(std::size_t rounds) {
  constexpr std::size_t kLanes = 4;
  constexpr std::size_t kChains = 10;
  typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
  Vec sum[kChains] = {};
  Vec a = {0.5F, 0.5F, 0.5F, 0.5F};
  Vec b = {0.25F, 0.5F, 0.75F, 1.0F};
  for (std::size_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+m"(a), "+m"(b));  // unknown to the compiler from round to round
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i) sum[i] = sum[i] * a + b;
  }
  Work work{static_cast<double>(2 * kChains * kLanes * rounds)};
  for (const Vec& one : sum) work.result += one[0];
  return work;
}

}  // namespace trine::bench::detail

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
namespace trine::bench::detail {

inline Work f32_avx2(std::size_t rounds) {
  constexpr std::size_t kChains = 12;
  __m256 sum[kChains];
  TRINE_UNROLL
  for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.5F);
  const __m256 b = _mm256_set1_ps(0.25F);
  for (std::size_t round = 0; round < rounds; ++round) {
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
  }
  __m256 all = sum[0];
  TRINE_UNROLL
  for (std::size_t i = 1; i < kChains; ++i) all = _mm256_add_ps(all, sum[i]);
  return {static_cast<double>(16 * kChains * rounds), _mm256_cvtss_f32(all)};
}

// Without an instruction for it: products of bytes to pairs of 16 bits, these to 32 bits, added up.
inline Work int8_avx2(std::size_t rounds) {
  constexpr std::size_t kChains = 10;
  __m256i sum[kChains];
  TRINE_UNROLL
  for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm256_set1_epi32(static_cast<int>(i));
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i b = _mm256_set1_epi8(3);
  for (std::size_t round = 0; round < rounds; ++round) {
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i) {
      const __m256i product = _mm256_madd_epi16(_mm256_maddubs_epi16(sum[i], b), ones);
      asm("vpaddd %1, %0, %0" : "+x"(sum[i]) : "x"(product));  // see int8_vnni
    }
  }
  __m256i all = sum[0];
  TRINE_UNROLL
  for (std::size_t i = 1; i < kChains; ++i) all = _mm256_xor_si256(all, sum[i]);
  return {static_cast<double>(64 * kChains * rounds), static_cast<float>(_mm256_extract_epi32(all, 0))};
}

}  // namespace trine::bench::detail
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_FEATURES)
namespace trine::bench::detail {

inline Work f32_avx512(std::size_t rounds) {
  constexpr std::size_t kChains = 24;
  __m512 sum[kChains];
  TRINE_UNROLL
  for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.5F);
  const __m512 b = _mm512_set1_ps(0.25F);
  for (std::size_t round = 0; round < rounds; ++round) {
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
  }
  __m512 all = sum[0];
  TRINE_UNROLL
  for (std::size_t i = 1; i < kChains; ++i) all = _mm512_add_ps(all, sum[i]);
  return {static_cast<double>(32 * kChains * rounds), _mm512_cvtss_f32(all)};
}

}  // namespace trine::bench::detail
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_VNNI_FEATURES)
namespace trine::bench::detail {

inline Work int8_vnni(std::size_t rounds) {
  constexpr std::size_t kChains = 24;
  __m512i sum[kChains];
  TRINE_UNROLL
  for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm512_set1_epi32(static_cast<int>(i));
  const __m512i a = _mm512_set1_epi8(5);
  const __m512i b = _mm512_set1_epi8(3);
  for (std::size_t round = 0; round < rounds; ++round) {
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i)  // GCC 12 stores each result of the intrinsic to memory as well
      asm("vpdpbusd %2, %1, %0" : "+v"(sum[i]) : "v"(a), "v"(b));
  }
  __m512i all = sum[0];
  TRINE_UNROLL
  for (std::size_t i = 1; i < kChains; ++i) all = _mm512_xor_si512(all, sum[i]);
  return {static_cast<double>(128 * kChains * rounds), static_cast<float>(_mm512_cvtsi512_si32(all))};
}

}  // namespace trine::bench::detail
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_BF16_FEATURES)
namespace trine::bench::detail {

inline Work bf16_avx512(std::size_t rounds) {
  constexpr std::size_t kChains = 24;
  __m512 sum[kChains];
  TRINE_UNROLL
  for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(-0.5F));
  for (std::size_t round = 0; round < rounds; ++round) {
    TRINE_UNROLL
    for (std::size_t i = 0; i < kChains; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
  }
  __m512 all = sum[0];
  TRINE_UNROLL
  for (std::size_t i = 1; i < kChains; ++i) all = _mm512_add_ps(all, sum[i]);
  return {static_cast<double>(64 * kChains * rounds), _mm512_cvtss_f32(all)};
}

}  // namespace trine::bench::detail
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AMX_FEATURES)
namespace trine::bench::detail {

// Four sums of 16 x 16, each of two tiles of activations with each of two tiles of weights, all of which begin with
// `first` and hold zeros else. Returns the first element of the last sum.
template <bool Bytes>
inline std::uint32_t amx_rounds(std::size_t rounds, std::uint32_t first) {
  alignas(64) std::uint32_t tile[kernels::amx::kTileBytes / sizeof(std::uint32_t)] = {first};
  const kernels::amx::Tiles tiles;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  TRINE_TILE_LOAD(4, tile, 64);
  TRINE_TILE_LOAD(5, tile, 64);
  TRINE_TILE_LOAD(6, tile, 64);
  TRINE_TILE_LOAD(7, tile, 64);
  for (std::size_t round = 0; round < rounds; ++round) {
    if constexpr (Bytes) {
      _tile_dpbsud(0, 4, 6);
      _tile_dpbsud(1, 4, 7);
      _tile_dpbsud(2, 5, 6);
      _tile_dpbsud(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  TRINE_TILE_STORE(3, tile, 64);
  return tile[0];
}
inline Work int8_amx(std::size_t rounds) {
  const std::uint32_t sum = amx_rounds<true>(rounds, 0x01010101);  // ones
  return {static_cast<double>(4 * 2 * 16 * 16 * 64 * rounds), static_cast<float>(sum)};
}
inline Work bf16_amx(std::size_t rounds) {
  const std::uint32_t sum = amx_rounds<false>(rounds, 0x3f003f00);  // halves
  return {static_cast<double>(4 * 2 * 16 * 16 * 32 * rounds), std::bit_cast<float>(sum)};
}

}  // namespace trine::bench::detail
TRINE_TARGET_END
#endif

namespace trine::bench {

/// In 10^9 operations per second; a multiplication and an addition are two. Where the CPU has no instruction for a
/// type, products of it run as f32, and so does its peak.
struct ArithmeticPeak {
  double f32 = 0.0;
  double bf16 = 0.0;
  double int8 = 0.0;
};

namespace detail {

using Loop = Work (*)(std::size_t rounds);

[[nodiscard]] inline Loop f32_loop([[maybe_unused]] Isa isa) {
#if TRINE_X86
  if (isa >= Isa::avx512) return f32_avx512;
  if (isa >= Isa::avx2) return f32_avx2;
#endif
  return f32_portable;
}
[[nodiscard]] inline Loop bf16_loop([[maybe_unused]] Isa isa) {
#if TRINE_X86
  if (is_available(Isa::amx)) return bf16_amx;
  if (is_available(Isa::avx512_bf16)) return bf16_avx512;
#endif
  return f32_loop(isa);
}
[[nodiscard]] inline Loop int8_loop([[maybe_unused]] Isa isa) {
#if TRINE_X86
  if (is_available(Isa::amx)) return int8_amx;
  if (is_available(Isa::avx512_vnni)) return int8_vnni;
  if (isa >= Isa::avx2) return int8_avx2;
#endif
  return f32_loop(isa);
}

/// The best of some runs of a few milliseconds, on all threads at once.
[[nodiscard]] inline double giga_operations_per_second(Loop loop, std::size_t threads) {
  ThreadPool pool(threads);
  const ExecutionContext execution{.num_threads = threads, .executor = &pool};
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kRounds = 8192;  // tens of microseconds: what threads take at a time
  constexpr std::size_t kParts = 64;     // for each thread
  constexpr int kRuns = 10;
  std::atomic<float> sink{0.0F};
  double best = 0.0;
  for (int run = 0; run < kRuns; ++run) {
    std::atomic<double> operations{0.0};
    const Clock::time_point start = Clock::now();
    parallel_for(execution, kParts * threads, [&](std::size_t) {
      const Work work = loop(kRounds);
      operations.fetch_add(work.operations);
      sink.store(work.result, std::memory_order_relaxed);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, operations.load() / seconds * 1e-9);
  }
  return best;
}

}  // namespace detail

[[nodiscard]] inline ArithmeticPeak measure_arithmetic_peak(std::size_t threads) {
  const Isa isa = best_isa();
  return {.f32 = detail::giga_operations_per_second(detail::f32_loop(isa), threads),
          .bf16 = detail::giga_operations_per_second(detail::bf16_loop(isa), threads),
          .int8 = detail::giga_operations_per_second(detail::int8_loop(isa), threads)};
}

}  // namespace trine::bench
