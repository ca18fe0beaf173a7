// SPDX-License-Identifier: Apache-2.0
#include "throughput/machine_limits.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/parallel_for.hpp>

namespace trine::bench {
namespace {

using Clock = std::chrono::steady_clock;
[[nodiscard]] double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Every cache line of `streams` equal parts, side by side.
template <std::size_t Streams>
std::uint64_t read_streams(const std::byte* data, std::size_t bytes) {
  const std::size_t part = bytes / Streams / 64 * 64;
  std::array<std::uint64_t, Streams> sums{};
  for (std::size_t i = 0; i < part; i += 64) {
    for (std::size_t s = 0; s < Streams; ++s) {
      std::array<std::uint64_t, 8> line;
      std::memcpy(line.data(), data + s * part + i, sizeof line);
      for (const std::uint64_t word : line) sums[s] ^= word;
    }
  }
  std::uint64_t all = 0;
  for (const std::uint64_t sum : sums) all ^= sum;
  return all;
}

double best_read(std::size_t threads, double seconds,
                 const std::vector<std::byte, CacheLineAllocator<std::byte>>& buffer) {
  constexpr std::array kReaders{read_streams<1>, read_streams<2>, read_streams<4>, read_streams<8>, read_streams<16>};
  const std::size_t part = buffer.size() / threads / 4096 * 4096;
  std::vector<std::uint64_t> sink(threads);
  double best = 0;
  const auto begin = Clock::now();
  do {
    for (const auto& reader : kReaders) {
      const auto start = Clock::now();
      parallel_for(threads, threads, [&](std::size_t i) { sink[i] = reader(buffer.data() + i * part, part); });
      best = std::max(best, static_cast<double>(part * threads) / seconds_since(start));
    }
  } while (seconds_since(begin) < seconds);
  volatile std::uint64_t kept = 0;
  for (const std::uint64_t sum : sink) kept = kept ^ sum;
  return best;
}

// Independent chains in registers, in assembly: a compiler's own idea of such a loop goes through memory.
#if TRINE_X86
#define TRINE_24(op, a, b)                                                                                           \
  op " %%" a "30, %%" b "31, %%" a "0\n\t" op " %%" a "30, %%" b "31, %%" a "1\n\t" op " %%" a "30, %%" b "31, %%" a \
     "2\n\t" op " %%" a "30, %%" b "31, %%" a "3\n\t" op " %%" a "30, %%" b "31, %%" a "4\n\t" op " %%" a "30, %%" b \
     "31, %%" a "5\n\t" op " %%" a "30, %%" b "31, %%" a "6\n\t" op " %%" a "30, %%" b "31, %%" a "7\n\t" op " %%" a \
     "30, %%" b "31, %%" a "8\n\t" op " %%" a "30, %%" b "31, %%" a "9\n\t" op " %%" a "30, %%" b "31, %%" a         \
     "10\n\t" op " %%" a "30, %%" b "31, %%" a "11\n\t" op " %%" a "30, %%" b "31, %%" a "12\n\t" op " %%" a         \
     "30, %%" b "31, %%" a "13\n\t" op " %%" a "30, %%" b "31, %%" a "14\n\t" op " %%" a "30, %%" b "31, %%" a       \
     "15\n\t"
constexpr std::size_t kChains = 16;
#define TRINE_WIDE_CLOBBERS                                                                                           \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15", "xmm30", "xmm31"
#define TRINE_PEAK_LOOP(name, features, instruction)                                                                 \
  __attribute__((target(features))) void name(std::size_t rounds) {                                                  \
    __asm__ volatile("vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31" : : : "xmm30", "xmm31"); \
    for (std::size_t i = 0; i < rounds; ++i)                                                                         \
      __asm__ volatile(TRINE_24(instruction, "zmm", "zmm") : : : TRINE_WIDE_CLOBBERS);                               \
  }
TRINE_PEAK_LOOP(f32_avx512, "avx512f", "vfmadd231ps")
TRINE_PEAK_LOOP(bf16_avx512, "avx512f,avx512bf16", "vdpbf16ps")
TRINE_PEAK_LOOP(int8_avx512, "avx512f,avx512vnni", "vpdpbusd")

__attribute__((target("avx2,fma"))) void f32_avx2(std::size_t rounds) {
  __asm__ volatile("vxorps %%ymm14, %%ymm14, %%ymm14\n\tvxorps %%ymm15, %%ymm15, %%ymm15" : : : "xmm14", "xmm15");
  for (std::size_t i = 0; i < rounds; ++i)
    __asm__ volatile(
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm0\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm1\n\t"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm2\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm3\n\t"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm4\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm5\n\t"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm6\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm7\n\t"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm8\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm9\n\t"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm10\n\tvfmadd231ps %%ymm14, %%ymm15, %%ymm11\n\t"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
}
#endif

// Without instructions that we name: what the compiler makes of independent sums.
void f32_portable(std::size_t rounds) {
  std::array<float, 64> sums{};
  volatile float factor = 1.0F;
  const float x = factor;
  for (std::size_t i = 0; i < rounds; ++i)
    for (float& sum : sums) sum = sum * x + x;
  volatile float kept = 0.0F;
  for (const float sum : sums) kept = kept + sum;
}

double best_rate(std::size_t threads, double seconds, double operations_per_round, void (*loop)(std::size_t)) {
  constexpr std::size_t kRounds = 1U << 20U;
  double best = 0;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    parallel_for(threads, threads, [&](std::size_t) { loop(kRounds); });
    const double rounds = static_cast<double>(threads) * kRounds;
    best = std::max(best, rounds * operations_per_round / seconds_since(start));
  } while (seconds_since(begin) < seconds);
  return best;
}

}  // namespace

double MachineLimits::operations_per_second(DType dtype) const noexcept {
  if (is_packed(dtype)) return int8_operations_per_second;
  return dtype == DType::bf16 ? bf16_operations_per_second : f32_operations_per_second;
}

MachineLimits measure_limits(std::size_t threads, double seconds, std::size_t buffer_bytes) {
  std::vector<std::byte, CacheLineAllocator<std::byte>> buffer(buffer_bytes);
  parallel_for(threads, threads, [&](std::size_t i) {  // pages of its own, not the system's one page of zeros
    for (std::size_t at = i * 4096; at < buffer.size(); at += threads * 4096) buffer[at] = std::byte{1};
  });
  MachineLimits limits;
  limits.read_bytes_per_second = best_read(threads, seconds / 2, buffer);
  const double each = seconds / 6;
#if TRINE_X86
  constexpr double kWide = kChains * 2.0 * 16;  // sixteen lanes
  if (is_available(Isa::avx512)) {
    limits.f32_operations_per_second = best_rate(threads, each, kWide, f32_avx512);
  } else if (is_available(Isa::avx2)) {
    limits.f32_operations_per_second = best_rate(threads, each, 12 * 2.0 * 8, f32_avx2);
  } else {
    limits.f32_operations_per_second = best_rate(threads, each, 64 * 2.0, f32_portable);
  }
  limits.bf16_operations_per_second = is_available(Isa::avx512_bf16) ? best_rate(threads, each, 2 * kWide, bf16_avx512)
                                                                     : limits.f32_operations_per_second;
  limits.int8_operations_per_second = is_available(Isa::avx512_vnni) ? best_rate(threads, each, 4 * kWide, int8_avx512)
                                                                     : limits.f32_operations_per_second;
#else
  limits.f32_operations_per_second = best_rate(threads, each, 64 * 2.0, f32_portable);
  limits.bf16_operations_per_second = limits.int8_operations_per_second = limits.f32_operations_per_second;
#endif
  return limits;
}

}  // namespace trine::bench
