// SPDX-License-Identifier: Apache-2.0
// error: static assertion failed|static_assert failed
#include <string>

#include <trine/core/workspace.hpp>

void use(trine::Workspace& workspace) {
  static_cast<void>(workspace.take<float>(1));
#ifdef TRINE_MISUSE
  static_cast<void>(workspace.take<std::string>(1));  // nobody would run its destructor
#endif
}
