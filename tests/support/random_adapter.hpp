// SPDX-License-Identifier: Apache-2.0
// Writes adapters of random numbers for any model, as PEFT would save them.
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/weights/linear_maps.hpp>

#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {

/// An adapter of this rank for the linear maps of `model` that `chosen` takes, but for embedding tables. Its update is
/// of about `size` times the input. Stacks of experts become 3-D tensors.
inline void write_random_adapter(const Model& model, std::size_t rank, unsigned seed, float size,
                                 const TemporaryDirectory& directory,
                                 const std::function<bool(std::string_view module)>& chosen = {}) {
  std::mt19937 random(seed);
  SafetensorsFileWriter writer;
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape, float deviation) {
    std::size_t count = 1;
    for (const std::size_t extent : shape) count *= extent;
    std::vector<float> values(count);
    std::normal_distribution<float> normal(0.0F, deviation);
    for (float& value : values) value = normal(random);
    writer.add(name, "F32", shape, {reinterpret_cast<const char*>(values.data()), count * sizeof(float)});
  };
  for (const LinearMap& map : model.linear_maps()) {
    if (map.module.ends_with("embed_tokens") || (chosen && !chosen(map.module))) continue;
    if (map.stack && (map.index != 0 || map.projection != 0)) continue;
    if (map.stack && map.module.ends_with(".weight")) continue;  // of modules of their own, which PEFT names otherwise
    const std::string name = "base_model.model." + map.module;
    const std::size_t out = map.weight.rows * (map.stack ? map.stack->projections : 1);
    const float of_a = 1.0F / std::sqrt(static_cast<float>(map.weight.columns));
    if (map.stack) {
      add(name + ".lora_A.weight", {map.stack->count, rank, map.weight.columns}, of_a);
      add(name + ".lora_B.weight", {map.stack->count, out, rank}, size);
    } else {
      add(name + ".lora_A.weight", {rank, map.weight.columns}, of_a);
      add(name + ".lora_B.weight", {out, rank}, size);
    }
  }
  directory.write("adapter_model.safetensors", writer.file());
  directory.write("adapter_config.json",
                  Json({{"peft_type", "LORA"}, {"r", rank}, {"lora_alpha", rank}, {"peft_version", "0.21.2"}}).dump());
}

}  // namespace trine::test
