// SPDX-License-Identifier: Apache-2.0
#include "throughput/report.hpp"

#include "common/terminal.hpp"

namespace trine::bench {

using example::fixed;

Json to_json(const MachineLimits& limits) {
  return {{"read_bytes_per_second", limits.read_bytes_per_second},
          {"f32_operations_per_second", limits.f32_operations_per_second},
          {"bf16_operations_per_second", limits.bf16_operations_per_second},
          {"int8_operations_per_second", limits.int8_operations_per_second}};
}

Json to_json(const Result& result) {
  Json json{{"test", result.test.name()},
            {"threads", result.test.threads},
            {"tokens_per_second",
             {{"median", result.median},
              {"mean", result.mean},
              {"stddev", result.deviation},
              {"samples", result.tokens_per_second}}},
            {"limits", to_json(result.limits)},
            {"peak_bytes", result.peak_bytes}};
  if (result.limit > 0) {
    json["limit_tokens_per_second"] = result.limit;
    json["share_of_limit"] = result.share;
  }
  return json;
}

Json to_json(const Work& work) {
  return {{"type", std::string(to_string(work.dtype))},
          {"weight_bytes", work.weight_bytes},
          {"bits_per_weight", work.bits_per_weight},
          {"parameters", work.parameters},
          {"active_parameters", work.active_parameters + work.head_parameters},
          {"active_weight_bytes", work.bytes_per_token}};
}

std::string table_head() {
  return "| test | threads | tokens/s | share of the limit | limit |\n|---|---:|---:|---:|---|\n";
}

std::string table_row(const Result& result) {
  std::string limit = "";
  std::string share = "";
  if (result.limit > 0) {
    const bool reads = result.test.kind == Test::Kind::decode;
    share = fixed(100 * result.share, 0) + " %";
    limit = reads ? fixed(result.limits.read_bytes_per_second * 1e-9, 1) + " GB/s read"
                  : fixed(result.limit, 0) + " tokens/s at the arithmetic peak";
  }
  return "| " + result.test.name() + " | " + std::to_string(result.test.threads) + " | " + fixed(result.mean, 2) +
         " ± " + fixed(result.deviation, 2) + " | " + share + " | " + limit + " |\n";
}

}  // namespace trine::bench
