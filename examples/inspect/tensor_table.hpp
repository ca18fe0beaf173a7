// SPDX-License-Identifier: Apache-2.0
// Which types the tensors of each role have, and how many bits a weight of it takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <trine/core/shape.hpp>
#include <trine/model/model.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/tensor_record.hpp>
#include <trine/weights/weight_source.hpp>

#include "common/terminal.hpp"

namespace example {

class TensorTable {
 public:
  /// record: of this model, Model::tensor_record()
  TensorTable(const trine::Model& model, const trine::TensorRecord& record) {
    for (const std::string_view name : model.weights().names()) {
      const trine::StoredTensor& tensor = *model.weights().find(name);
      const trine::TensorRole role = tensor.shape.size() < 2 ? trine::TensorRole::vector : record.find(name).role;
      for (Sum* sum :
           {&rows_[{role, std::string(to_string(tensor.dtype))}], &by_dtype_[std::string(to_string(tensor.dtype))]}) {
        ++sum->tensors;
        sum->bytes += tensor.total_bytes();
        sum->values += trine::checked_product(tensor.shape).value_or(0);
      }
    }
  }

  void print() const {
    const char* label = "tensors";
    for (const auto& [key, sum] : rows_) {
      std::printf("%-15s%s %s %s %s, %s bits each\n", label, padded(std::string(to_string(key.first)), 15).c_str(),
                  padded(key.second, 8).c_str(), right_aligned(std::to_string(sum.tensors), 6).c_str(),
                  right_aligned(with_unit(static_cast<double>(sum.bytes)), 10).c_str(), fixed(sum.bits(), 2).c_str());
      label = "";
    }
  }

  /// {"q4": {"count": 1, "bytes": 2}, ...}
  [[nodiscard]] nlohmann::ordered_json by_dtype() const {
    nlohmann::ordered_json result = nlohmann::ordered_json::object();
    for (const auto& [dtype, sum] : by_dtype_) result[dtype] = {{"count", sum.tensors}, {"bytes", sum.bytes}};
    return result;
  }
  /// A list, by role and type.
  [[nodiscard]] nlohmann::ordered_json by_role() const {
    nlohmann::ordered_json result = nlohmann::ordered_json::array();
    for (const auto& [key, sum] : rows_)
      result.push_back({{"role", std::string(to_string(key.first))},
                        {"dtype", key.second},
                        {"count", sum.tensors},
                        {"bytes", sum.bytes},
                        {"bits_per_value", sum.bits()}});
    return result;
  }

 private:
  struct Sum {
    std::size_t tensors = 0;
    std::uint64_t bytes = 0;
    std::uint64_t values = 0;
    [[nodiscard]] double bits() const { return 8.0 * static_cast<double>(bytes) / static_cast<double>(values); }
  };
  std::map<std::pair<trine::TensorRole, std::string>, Sum> rows_;
  std::map<std::string, Sum> by_dtype_;
};

}  // namespace example
