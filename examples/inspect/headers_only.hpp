// SPDX-License-Identifier: Apache-2.0
// A model that knows all about its tensors but what is in them: a WeightSource of one's own.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/quant/weight_formats.hpp>

#include <trine/weights/open_weights.hpp>
#include <trine/weights/shape_only_weights.hpp>
#include <trine/weights/weight_source.hpp>

namespace example {

/// The tensors of a model. Matrices lie in the mapped files, which nobody touches. Layers copy vectors when they
/// are built, so these are zeros here.
class HeadersOnly : public trine::WeightSource {
 public:
  /// The model with all checks of a load; where the directory has no weights, with those that the configuration asks
  /// for. Throws FileError, ConfigError, WeightError.
  [[nodiscard]] static trine::Model load(const std::filesystem::path& directory, trine::LoadOptions options) {
    if (std::filesystem::is_directory(directory) && !trine::has_weights(directory)) {
      const std::string source_name = (directory / "config.json").string();
      return trine::Model::build(trine::read_json_file(source_name), source_name,
                                 std::make_unique<trine::ShapeOnlyWeights>(), options);
    }
    options.hooks.wrap_weights = [](std::unique_ptr<const trine::WeightSource> files) {
      return std::make_unique<HeadersOnly>(std::move(files));
    };
    return trine::Model::load(directory, options);
  }

  explicit HeadersOnly(std::unique_ptr<const trine::WeightSource> files) : files_(std::move(files)) {
    for (const std::string_view name : files_->names()) {
      const trine::StoredTensor& tensor = *files_->find(name);
      if (tensor.shape.size() > 1) continue;
      const auto [zeros, added] = zeros_.try_emplace(std::string(name), std::vector<std::byte>(tensor.bytes.size()));
      vectors_.emplace(name, trine::StoredTensor{tensor.dtype, tensor.shape, zeros->second});
    }
  }

  [[nodiscard]] const trine::StoredTensor* find(std::string_view name) const override {
    const auto vector = vectors_.find(name);
    return vector != vectors_.end() ? &vector->second : files_->find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override { return files_->names(); }
  [[nodiscard]] bool is_listed(std::string_view name) const override { return files_->is_listed(name); }
  [[nodiscard]] std::string source_name() const override { return files_->source_name(); }
  [[nodiscard]] std::string source_name_of(std::string_view name) const override {
    return files_->source_name_of(name);
  }

 private:
  std::unique_ptr<const trine::WeightSource> files_;
  std::map<std::string, std::vector<std::byte>> zeros_;
  std::map<std::string, trine::StoredTensor, std::less<>> vectors_;
};

}  // namespace example
