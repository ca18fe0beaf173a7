// SPDX-License-Identifier: Apache-2.0
// What a killed conversion had finished: a text file beside weights.bin, until the directory is complete.
//
//   trine-journal <key>
//   <end of the tensor in weights.bin> <squared error> <squared weight>      for each tensor, in the order of the plan
#pragma once

#include <array>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/platform/mapped_file.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/quant/quantization_error.hpp>

namespace trine::inline TRINE_ABI {

/// Tensors of weights.bin that are on disk. Lines are added after the bytes are synced, so what it lists is there.
class QuantizeJournal {
 public:
  static constexpr std::string_view kName = "weights.journal";
  static constexpr std::string_view kWeights = "weights.bin";

  /// Continues a journal of the same key, of which whole lines count; otherwise clears the directory and begins one. Of
  /// the other files nothing is kept. Throws FileError.   key: of everything that the bytes depend on
  QuantizeJournal(const OutputDirectory& directory, std::uint64_t key) : directory_(directory) {
    std::array<char, 40> line{};
    std::snprintf(line.data(), line.size(), "trine-journal %016" PRIx64 "\n", key);
    text_ = line.data();
    read();
    if (done_.empty()) {
      directory.clear();
    } else {
      directory.clear({kWeights, kName});
    }
  }

  /// The errors of the tensors that an earlier run has finished.
  [[nodiscard]] const std::vector<QuantizationError>& done() const noexcept { return done_; }
  /// Their bytes in weights.bin.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// A tensor that ends there, not yet on disk.
  void add(const QuantizationError& error, std::uint64_t end) {
    std::array<char, 96> line{};
    std::snprintf(line.data(), line.size(), "%" PRIu64 " %a %a\n", end, error.squared_error, error.squared_weight);
    pending_ += line.data();
  }
  /// Those that were added are on disk now. Throws FileError.
  void write() {
    if (!file_ && done_.empty()) {
      file_.emplace(directory_.create(kName));
      file_->write(text_);
    } else if (!file_) {
      file_.emplace(directory_.path() / kName, text_.size());
    }
    file_->write(pending_);
    file_->sync();
    pending_.clear();
  }

  /// Ends it: the directory is about to be complete. Throws FileError.
  void remove() {
    file_.reset();
    std::error_code error;
    std::filesystem::remove(directory_.path() / kName, error);
    if (error) throw_file_error(directory_.path() / kName, "cannot be removed", error.value());
  }

 private:
  // What is damaged counts as not done.
  void read() {
    const std::filesystem::path path = directory_.path() / kName;
    std::error_code error;
    const std::uintmax_t room = std::filesystem::file_size(directory_.path() / kWeights, error);
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 28U;
    if (error || !std::filesystem::is_regular_file(std::filesystem::symlink_status(path))) return;
    std::string text;
    try {
      text = read_text_file(path, kLimit);
    } catch (const FileError&) {
      return;
    }
    if (!text.starts_with(text_)) return;
    for (std::size_t begin = text_.size(); begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) return;
      std::uint64_t bytes = 0;
      QuantizationError of_tensor;
      const std::string line = text.substr(begin, end + 1 - begin);
      if (std::sscanf(line.c_str(), "%" SCNu64 " %la %la", &bytes, &of_tensor.squared_error,
                      &of_tensor.squared_weight) != 3 ||
          bytes <= bytes_ || bytes > room)
        return;
      done_.push_back(of_tensor);
      bytes_ = bytes;
      text_ += line;
      begin = end + 1;
    }
  }

  const OutputDirectory& directory_;
  std::optional<OutputFile> file_;
  std::string text_;     // of the file, as far as it counts
  std::string pending_;  // its next lines
  std::vector<QuantizationError> done_;
  std::uint64_t bytes_ = 0;
};

}  // namespace trine::inline TRINE_ABI
