// SPDX-License-Identifier: Apache-2.0
// Counts what a load has done, for LoadOptions::progress, and ends it for LoadOptions::cancel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>
#include <trine/model/load_options.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Of one load. Borrows the options.
class LoadMonitor {
 public:
  explicit LoadMonitor(const LoadOptions& options) : options_(options) { check_cancel(); }

  /// Bytes of files were read into memory, of all that will be: a ReadCallback. Throws CancelledError.
  void on_read(const std::filesystem::path& file, std::uint64_t bytes_done, std::uint64_t bytes_total) {
    check_cancel();
    files_were_read_ = true;
    if (options_.progress) options_.progress({bytes_done, bytes_total, file.string()});
  }

  /// From here on tensors are fetched from `source`. They are counted unless their files were.
  void begin_tensors(const WeightSource& source) {
    if (!options_.progress || files_were_read_) return;
    for (const std::string_view name : source.names()) total_ += source.find(name)->bytes.size();
  }
  /// A layer has fetched a tensor. Throws CancelledError.
  void on_fetch(std::string_view name, std::uint64_t bytes) {
    check_cancel();
    if (bytes > 0) advance_to(std::min(done_ + bytes, total_), name);
  }
  /// All tensors were fetched that will be; the others are ignored.
  void end_tensors() {
    check_cancel();
    advance_to(total_, "");
  }

 private:
  void check_cancel() const {
    if (options_.cancel.stop_requested()) throw CancelledError("load: cancelled by the caller");
  }
  void advance_to(std::uint64_t done, std::string_view name) {
    if (done == done_) return;  // a source that makes tensors up has none to count
    done_ = done;
    options_.progress({done_, total_, name});
  }

  const LoadOptions& options_;
  bool files_were_read_ = false;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;  // bytes of tensors; 0: they are not counted
};

}  // namespace trine::inline TRINE_ABI
