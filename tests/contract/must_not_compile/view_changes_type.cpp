// SPDX-License-Identifier: Apache-2.0
// error: no viable conversion|conversion from|could not convert
#include <trine/core/bfloat16.hpp>
#include <trine/core/tensor_view.hpp>

void floats(trine::View<const float, 2> values);

void use(trine::View<const trine::bfloat16, 2> stored, trine::View<const float, 2> values) {
  floats(values);
  static_cast<void>(stored);
#ifdef TRINE_MISUSE
  floats(stored);
#endif
}
