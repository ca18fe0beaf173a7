// SPDX-License-Identifier: Apache-2.0
// error: no viable conversion|conversion from|could not convert
#include <trine/core/tensor_view.hpp>

void vector(trine::View<const float, 1> values);
void matrix(trine::View<const float, 2> values);

void use(trine::View<float, 2> values) {
  matrix(values);
#ifdef TRINE_MISUSE
  vector(values);
#endif
}
