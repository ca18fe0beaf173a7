// SPDX-License-Identifier: Apache-2.0
// The inline namespace that all of trine lives in: `namespace trine::inline TRINE_ABI { ... }`.
//
// It spells everything that changes a definition: the version and whether OpenMP is on. Two translation units
// configured differently get different symbols, so passing a trine type between them fails to link instead of failing
// at run time, and two versions of the library can live in one program.
#pragma once

#include <trine/version.hpp>

#if defined(_OPENMP) && !defined(TRINE_NO_OPENMP)
#define TRINE_HAS_OPENMP 1
#else
#define TRINE_HAS_OPENMP 0
#endif

#define TRINE_ABI_JOIN_(major, minor, omp) v##major##_##minor##_omp##omp
#define TRINE_ABI_JOIN(major, minor, omp) TRINE_ABI_JOIN_(major, minor, omp)
#define TRINE_ABI TRINE_ABI_JOIN(TRINE_VERSION_MAJOR, TRINE_VERSION_MINOR, TRINE_HAS_OPENMP)
