// SPDX-License-Identifier: Apache-2.0
// A model directory with random weights for a configuration of ours: what a test needs when no golden model is large or
// strange enough. The values mean nothing; whatever must hold for every model can be tried on it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/json/parse.hpp>

#include "support/temporary_directory.hpp"

namespace trine::test {

/// Writes config.json, weights.json and weights.bin (f32) and removes them at the end. Knows token models with the
/// attention and linear routers.
class RandomModel {
 public:
  RandomModel(Json config, std::uint64_t seed) : config_(std::move(config)), seed_(seed) {
    list_tensors();
    write();
  }

  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] std::vector<float>& tensor(const std::string& name) { return find(name).values; }
  void remove(const std::string& name) {
    std::erase_if(tensors_, [&](const Tensor& tensor) { return tensor.name == name; });
  }
  void add(const std::string& name, std::vector<std::size_t> shape, float low, float high) {
    std::size_t count = 1;
    for (const std::size_t extent : shape) count *= extent;
    Tensor tensor{name, std::move(shape), std::vector<float>(count)};
    const CounterRandom random{seed_ + std::hash<std::string>{}(name)};
    for (std::size_t i = 0; i < count; ++i)
      tensor.values[i] = low + (high - low) * static_cast<float>(random.uniform(i));
    tensors_.push_back(std::move(tensor));
  }

  /// After changes to the tensors.
  void write() const {
    Json entries = Json::object();
    std::string blob;
    for (const Tensor& tensor : tensors_) {
      blob.resize((blob.size() + 63) / 64 * 64);
      const std::size_t bytes = tensor.values.size() * sizeof(float);
      entries[tensor.name] = {{"dtype", "f32"}, {"shape", tensor.shape}, {"offset", blob.size()}, {"nbytes", bytes}};
      blob.append(reinterpret_cast<const char*>(tensor.values.data()), bytes);
    }
    directory_.write("config.json", config_.dump());
    directory_.write("weights.bin", blob);
    directory_.write("weights.json", Json{{"format", "trine-weights"},
                                          {"version", 1},
                                          {"alignment", 64},
                                          {"nbytes", blob.size()},
                                          {"tensors", entries}}
                                         .dump());
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::size_t> shape;
    std::vector<float> values;
  };

  Tensor& find(const std::string& name) {
    for (Tensor& tensor : tensors_)
      if (tensor.name == name) return tensor;
    throw std::runtime_error("no tensor " + name);
  }

  // Scaled so that a product of unit rows has unit rows.
  void matrix(const std::string& name, std::size_t out, std::size_t in) {
    const float bound = std::sqrt(3.0F / static_cast<float>(in));
    add(name, {out, in}, -bound, bound);
  }
  void mlp(const std::string& scope, std::size_t hidden, std::size_t ffn) {
    matrix(scope + ".gate_proj.weight", ffn, hidden);
    matrix(scope + ".up_proj.weight", ffn, hidden);
    matrix(scope + ".down_proj.weight", hidden, ffn);
  }

  void list_tensors() {
    const auto number = [](const Json& object, const char* key) { return object.value(key, std::size_t{0}); };
    const std::size_t hidden = number(config_, "hidden_size");
    const std::size_t vocab = number(config_, "vocab_size");
    const Json& attention = config_["attention"];
    const Json& moe = config_["moe"];
    std::size_t heads = 0;
    std::size_t kv_heads = 0;
    for (const Json& axis :
         {attention, attention.value("spatial", Json::object()), attention.value("temporal", Json::object())}) {
      heads += number(axis, "num_heads");
      kv_heads += number(axis, "num_kv_heads");
    }
    const std::size_t head_dim = number(attention, "head_dim");
    matrix("embed_tokens.weight", vocab, hidden);
    for (std::size_t layer = 0; layer < number(config_, "num_hidden_layers"); ++layer) {
      const std::string scope = "layers." + std::to_string(layer);
      add(scope + ".attention_norm.weight", {hidden}, 0.5F, 1.5F);
      matrix(scope + ".attention.q_proj.weight", heads * head_dim, hidden);
      matrix(scope + ".attention.k_proj.weight", kv_heads * head_dim, hidden);
      matrix(scope + ".attention.v_proj.weight", kv_heads * head_dim, hidden);
      matrix(scope + ".attention.o_proj.weight", hidden, heads * head_dim);
      add(scope + ".moe_norm.weight", {hidden}, 0.5F, 1.5F);
      if (layer < number(moe, "first_dense_layers")) {
        mlp(scope + ".mlp", hidden, number(moe, "dense_intermediate_size"));
        continue;
      }
      const std::size_t experts = number(moe, "num_experts");
      const Json& router = moe["router"];
      if (router["kind"] == "attention") {
        matrix(scope + ".moe.router.query.weight", number(router, "key_dim"), hidden);
        matrix(scope + ".moe.router.keys", experts, number(router, "key_dim"));
      } else if (router["kind"] != "hash" && router["kind"] != "rules") {
        matrix(scope + ".moe.router.weight", experts, hidden);
      }
      for (std::size_t e = 0; e < experts; ++e)
        mlp(scope + ".moe.experts." + std::to_string(e), hidden, number(moe, "intermediate_size"));
      if (number(moe, "num_shared_experts") > 0)
        mlp(scope + ".moe.shared_experts", hidden,
            number(moe, "num_shared_experts") * number(moe, "intermediate_size"));
      if (moe.contains("expert_attention")) {
        const Json& options = moe["expert_attention"];
        const std::size_t rank = number(options, "num_heads") * number(options, "head_dim");
        add(scope + ".moe.expert_attention.norm.weight", {hidden}, 0.5F, 1.5F);
        for (const char* which : {"q", "k", "v"})
          matrix(scope + ".moe.expert_attention." + which + "_proj.weight", rank, hidden);
        matrix(scope + ".moe.expert_attention.o_proj.weight", hidden, rank);
      }
    }
    add("norm.weight", {hidden}, 0.5F, 1.5F);
    if (!config_.value("tie_word_embeddings", false)) matrix("lm_head.weight", vocab, hidden);
  }

  Json config_;
  std::uint64_t seed_;
  std::vector<Tensor> tensors_;
  TemporaryDirectory directory_;
};

}  // namespace trine::test
