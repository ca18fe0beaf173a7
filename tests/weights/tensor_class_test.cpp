// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/tensor_class.hpp>

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(TensorClass, IsToldFromTheNames) {
  using enum TensorClass;
  const std::map<std::string, TensorClass> cases = {{"layers.3.moe.experts.7.gate_proj.weight", experts},
                                                    {"model.layers.3.mlp.experts.7.gate_proj.weight", experts},
                                                    {"model.layers.3.mlp.experts.gate_up_proj", experts},
                                                    {"model.layers.3.mlp.experts.gate_up_proj_blocks", experts},
                                                    {"model.layers.3.block_sparse_moe.experts.0.w2.weight", experts},
                                                    {"model.layers.3.mlp.experts.gate_up_proj_bias", vector},
                                                    {"layers.3.moe.shared_experts.up_proj.weight", shared_experts},
                                                    {"model.layers.3.mlp.shared_expert.up_proj.weight", shared_experts},
                                                    {"model.layers.3.mlp.shared_expert_gate.weight", router},
                                                    {"model.layers.3.mlp.gate.weight", router},
                                                    {"model.layers.3.mlp.router.weight", router},
                                                    {"model.layers.3.mlp.router.bias", vector},
                                                    {"model.layers.3.block_sparse_moe.gate.weight", router},
                                                    {"layers.3.moe.router.keys", router},
                                                    {"layers.3.moe.router.query.weight", router},
                                                    {"layers.3.attention.q_proj.weight", attention},
                                                    {"layers.3.moe.expert_attention.o_proj.weight", attention},
                                                    {"model.layers.3.self_attn.kv_b_proj.weight", attention},
                                                    {"model.layers.3.mlp.gate_proj.weight", mlp},
                                                    {"embed_tokens.weight", embedding},
                                                    {"model.embed_tokens.weight", embedding},
                                                    {"lm_head.weight", head},
                                                    {"head.weight", other},
                                                    {"embed_sites.weight", other},
                                                    {"model.layers.61.eh_proj.weight", other}};
  for (const auto& [name, kind] : cases) EXPECT_EQ(class_of(name, 2), kind) << name;
}

TEST(TensorClass, OfAVectorIsVectorWhateverItsName) {
  for (const char* name : {"layers.0.attention_norm.weight", "model.layers.0.self_attn.sinks", "lm_head.weight"})
    EXPECT_EQ(class_of(name, 1), TensorClass::vector) << name;
}

}  // namespace
}  // namespace trine
