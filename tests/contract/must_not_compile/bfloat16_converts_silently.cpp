// SPDX-License-Identifier: Apache-2.0
// error: no viable conversion|cannot convert|conversion from
#include <trine/core/bfloat16.hpp>

float widen(trine::bfloat16 stored) {
#ifdef TRINE_MISUSE
  return stored;
#else
  return static_cast<float>(stored);
#endif
}
