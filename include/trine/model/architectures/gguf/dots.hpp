// SPDX-License-Identifier: Apache-2.0
// GGUF files of "dots1". They do not store a sliding window; the published models have none.
#pragma once

#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline void finish_gguf_dots(GgufConversion& to) {
  convert_heads(to);
  convert_sigmoid_router(to);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr GgufArchitecture kGgufDots{"dots1",
                                            R"({"model_type": "dots1", "sliding_window": null})",
                                            kGgufDeepseekMoeKeys,
                                            finish_gguf_dots,
                                            {kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
