// SPDX-License-Identifier: Apache-2.0
// The inline namespace of all of trine: `namespace trine::inline TRINE_ABI { ... }`.
//
// It encodes everything that changes a definition: the version, whether OpenMP is on, and whether definitions are
// inline. Two translation units configured differently get different symbols, so passing a trine type between them
// fails to link instead of failing at run time, and two versions of the library can coexist in one program.
//
// Every other header includes it first, so it also checks the requirements on the compiler.
#pragma once

// Compilers continue after #error and report hundreds of further errors; a missing include file stops them with one
// message.
#if __cplusplus < 202002L
#include "trine needs C++20: compile with -std=c++20 or newer"
#endif
#if !defined(__cpp_exceptions)
#include "trine needs exceptions, which are how it reports errors: compile without -fno-exceptions"
#endif
#if defined(__FAST_MATH__) || __FINITE_MATH_ONLY__
#include "trine needs NaN and infinity, by which it finds broken models: compile without -ffast-math and -ffinite-math-only"
#endif

#include <trine/version.hpp>

#if defined(_OPENMP) && !defined(TRINE_NO_OPENMP)
#define TRINE_HAS_OPENMP 1
#else
#define TRINE_HAS_OPENMP 0
#endif

/// Header-only unless TRINE_COMPILED_LIB is defined, as for targets that link trine::compiled. Then code that is slow
/// to compile (kernels, architectures, tokenizers) is only declared, with TRINE_DECL, and the library defines it.
#if defined(TRINE_COMPILED_LIB)
#define TRINE_HEADER_ONLY 0
#define TRINE_DECL
#define TRINE_LINKAGE _lib
#else
#define TRINE_HEADER_ONLY 1
#define TRINE_DECL inline
#define TRINE_LINKAGE
#endif

#define TRINE_ABI_JOIN_(major, minor, omp, linkage) v##major##_##minor##_omp##omp##linkage
#define TRINE_ABI_JOIN(major, minor, omp, linkage) TRINE_ABI_JOIN_(major, minor, omp, linkage)
#define TRINE_ABI TRINE_ABI_JOIN(TRINE_VERSION_MAJOR, TRINE_VERSION_MINOR, TRINE_HAS_OPENMP, TRINE_LINKAGE)
