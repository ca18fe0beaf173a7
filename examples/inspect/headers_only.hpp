// SPDX-License-Identifier: Apache-2.0
// A model that knows all about its tensors but what is in them: a WeightSource of one's own, and an architecture called
// by hand.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <trine/model/model.hpp>

namespace example {

/// The tensors of a directory. Matrices lie in the mapped file, which nobody touches. Layers copy vectors when they are
/// built, so these are zeros here.
class HeadersOnly : public trine::WeightSource {
 public:
  /// Throws FileError, ConfigError, WeightError.
  explicit HeadersOnly(const std::filesystem::path& directory)
      : directory_(directory), file_(trine::open_weights(directory)) {
    for (const std::string_view name : file_->names()) {
      const trine::StoredTensor& tensor = *file_->find(name);
      if (tensor.shape.size() > 1) continue;
      const auto [zeros, added] = zeros_.try_emplace(std::string(name), std::vector<std::byte>(tensor.bytes.size()));
      vectors_.emplace(name, trine::StoredTensor{tensor.dtype, tensor.shape, zeros->second});
    }
  }

  [[nodiscard]] const trine::StoredTensor* find(std::string_view name) const override {
    const auto vector = vectors_.find(name);
    return vector != vectors_.end() ? &vector->second : file_->find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override { return file_->names(); }
  [[nodiscard]] std::string place() const override { return file_->place(); }
  [[nodiscard]] std::string place_of(std::string_view name) const override { return file_->place_of(name); }

  /// All checks that a load makes, too. The result borrows from this.
  [[nodiscard]] trine::BuiltModel build() const {
    const std::string place = (directory_ / "config.json").string();
    const trine::Json config = trine::read_json_file(place);
    trine::ObjectReader reader(config, place);
    const auto architectures = trine::all_architectures();
    const auto architecture = architectures.find(reader.string("model_type"));
    if (architecture == architectures.end()) throw trine::ConfigError(place + ": model_type: no such architecture");
    trine::WeightReader fetched(*this);
    trine::BuiltModel built = architecture->second({config, place, trine::RouterRegistry(), trine::RouterWrapper()},
                                                   trine::WeightScope(fetched));
    fetched.require_all_fetched();
    return built;
  }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<const trine::WeightSource> file_;
  std::map<std::string, std::vector<std::byte>> zeros_;
  std::map<std::string, trine::StoredTensor, std::less<>> vectors_;
};

}  // namespace example
