// SPDX-License-Identifier: Apache-2.0
// error: no viable conversion|conversion from|could not convert
#include <trine/core/tensor_view.hpp>

void write(trine::View<float, 2> values);
void read(trine::View<const float, 2> values);

void use(trine::View<const float, 2> constant, trine::View<float, 2> mutable_view) {
  read(mutable_view);
#ifdef TRINE_MISUSE
  write(constant);
#else
  read(constant);
#endif
}
