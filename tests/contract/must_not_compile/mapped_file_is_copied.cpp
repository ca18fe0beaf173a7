// SPDX-License-Identifier: Apache-2.0
// error: deleted
#include <utility>

#include <trine/platform/mapped_file.hpp>

trine::MappedFile use(trine::MappedFile& file) {
#ifdef TRINE_MISUSE
  return file;
#else
  return std::move(file);
#endif
}
