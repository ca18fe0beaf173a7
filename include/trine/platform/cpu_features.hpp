// SPDX-License-Identifier: Apache-2.0
// The instruction set of the kernels: the best that this CPU and its operating system support, or the one that
// TRINE_ISA requests.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/core/error.hpp>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace trine::inline TRINE_ABI {

/// The targets that kernels are compiled for, slowest first on each architecture.
enum class Isa : std::uint8_t {
  portable,      ///< the compiler's default target
  avx2,          ///< x86-64-v3: AVX2, FMA, F16C
  avx512,        ///< x86-64-v4: AVX-512 F, BW, DQ, VL
  avx512_vnni,   ///< and int8 dot products
  avx512_bf16,   ///< and bf16 dot products
  amx,           ///< and AMX tiles for int8 and bf16
  neon,          ///< AArch64: Advanced SIMD, its baseline
  neon_dotprod,  ///< and int8 dot products
};

/// Each instruction set with its name, as TRINE_ISA and the programs spell it.
inline constexpr std::array<std::pair<Isa, std::string_view>, 8> kIsaNames{{{Isa::portable, "portable"},
                                                                            {Isa::avx2, "avx2"},
                                                                            {Isa::avx512, "avx512"},
                                                                            {Isa::avx512_vnni, "avx512_vnni"},
                                                                            {Isa::avx512_bf16, "avx512_bf16"},
                                                                            {Isa::amx, "amx"},
                                                                            {Isa::neon, "neon"},
                                                                            {Isa::neon_dotprod, "neon_dotprod"}}};

/// The name in kIsaNames.
[[nodiscard]] constexpr std::string_view to_string(Isa isa) noexcept {
  for (const auto& [value, name] : kIsaNames)
    if (value == isa) return name;
  return "?";
}

/// Returns whether programs for this architecture hold kernels of that instruction set.
[[nodiscard]] constexpr bool is_compiled(Isa isa) noexcept {
#if defined(__x86_64__)
  return isa < Isa::neon;
#elif defined(__aarch64__)
  return isa == Isa::portable || isa >= Isa::neon;
#else
  return isa == Isa::portable;
#endif
}

#if defined(__x86_64__)
namespace detail {

/// Returns whether the CPU has AMX and the kernel permits this process to use its registers. Linux requires a request,
/// because it then reserves room for them in signal frames (Documentation/arch/x86/xstate.rst).
[[nodiscard]] inline bool may_use_tiles() noexcept {
#if defined(__linux__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kBf16TilesAndBytes = 1U << 22U | 1U << 24U | 1U << 25U;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBf16TilesAndBytes) != kBf16TilesAndBytes) return false;
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  const int before = errno;
  static const bool granted = ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;  // asked once
  errno = before;
  return granted;
#else
  return false;
#endif
}

}  // namespace detail
#endif

/// Returns whether this machine can run it. The compiler's built-in also checks that the operating system saves the
/// wide registers.
[[nodiscard]] inline bool is_available(Isa isa) noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;  // unknown to Clang 14's built-in
  const bool avx2 = f16c && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  const bool vnni = avx512 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & 1U << 11U) != 0;
  const bool bf16 = vnni && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1U << 5U) != 0;
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx2:
      return avx2;
    case Isa::avx512:
      return avx512;
    case Isa::avx512_vnni:
      return vnni;
    case Isa::avx512_bf16:
      return bf16;
    case Isa::amx:
      return bf16 && detail::may_use_tiles();
    case Isa::neon:
    case Isa::neon_dotprod:
      return false;
  }
  return false;
#elif defined(__ARM_FEATURE_DOTPROD)  // the whole program requires it
  return is_compiled(isa);
#elif defined(__aarch64__) && defined(__linux__)
  return is_compiled(isa) && (isa != Isa::neon_dotprod || (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0);
#else
  return is_compiled(isa) && isa != Isa::neon_dotprod;
#endif
}

/// The fastest set that this machine can run.
[[nodiscard]] inline Isa best_isa() noexcept {
  Isa best = Isa::portable;
  for (const auto& [isa, name] : kIsaNames)
    if (is_available(isa)) best = isa;
  return best;
}

/// Throws DeviceError if `name` is not a known instruction set or this machine cannot run it.
[[nodiscard]] inline Isa isa_named(std::string_view name) {
  for (const auto& [isa, known] : kIsaNames) {
    if (known != name) continue;
    if (!is_available(isa))
      throw DeviceError("instruction set " + in_quotes(name) + ": this CPU does not have it", {.field = "isa"});
    return isa;
  }
  std::string choices = "portable";
  for (const auto& [isa, known] : kIsaNames)
    if (is_compiled(isa) && isa != Isa::portable) choices += ", " + std::string(known);
  throw DeviceError("instruction set: expected one of " + choices + ", found " + in_quotes(name),
                    {.kind = ErrorKind::out_of_range, .field = "isa"});
}

/// TRINE_ISA if it is set and not empty, otherwise the best set. Throws DeviceError as `isa_named` does.
[[nodiscard]] inline Isa default_isa() {
  const char* name = std::getenv("TRINE_ISA");
  return name == nullptr || *name == '\0' ? best_isa() : isa_named(name);
}

}  // namespace trine::inline TRINE_ABI
