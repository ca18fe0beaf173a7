// SPDX-License-Identifier: Apache-2.0
// An adapter of random numbers in the form in which PEFT saves one.
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/safetensors_writer.hpp>

namespace trine::bench {

/// Writes the directory `target`: rank `rank` on the linear maps of the model that `chosen` takes.
inline void write_random_adapter(const Model& model, std::size_t rank, const std::filesystem::path& target,
                                 const std::function<bool(std::string_view module)>& chosen) {
  std::vector<TensorHeader> headers;
  for (const LinearMap& map : model.linear_maps()) {
    if (!chosen(map.module)) continue;
    headers.push_back({map.module + ".lora_A.weight", DType::f32, {rank, map.weight.columns}});
    headers.push_back({map.module + ".lora_B.weight", DType::f32, {map.weight.rows, rank}});
  }
  OutputDirectory output(target);
  SafetensorsWriter writer(output, std::move(headers), ~std::uint64_t{0}, "adapter_model");
  std::vector<float> values;
  for (const TensorHeader& header : writer.tensors()) {
    const CounterRandom random{header.shape[0] * 31 + header.shape[1]};
    const double bound = 0.1 / std::sqrt(static_cast<double>(header.shape[1]));
    values.resize(header.shape[0] * header.shape[1]);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>((2.0 * random.uniform(i) - 1.0) * bound);
    writer.begin();
    writer.write(std::as_bytes(std::span(values)));
  }
  writer.finish();
  OutputFile config = output.create("adapter_config.json");
  config.write(Json({{"peft_type", "LORA"}, {"r", rank}, {"lora_alpha", 2 * rank}}).dump());
  config.finish();
  output.commit();
}

}  // namespace trine::bench
