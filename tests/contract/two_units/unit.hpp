// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

/// What one translation unit sees when it includes the umbrella header.
struct Facts {
  const char* error_type;   // mangled name of trine::Error, which holds the inline namespace
  int parallel_sum;         // 0 + 1 + ... + 99, computed by parallel_for
  std::string caught;       // message of an exception thrown in a parallel_for
  const void* dtype_names;  // address of an inline constant: one for the program, or one a configuration
};

Facts facts_of_unit_one();
Facts facts_of_unit_two();
Facts facts_without_openmp();
Facts facts_of_compiled();
