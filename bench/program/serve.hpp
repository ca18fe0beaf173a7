// SPDX-License-Identifier: Apache-2.0
// Measurements on request, the model being loaded once: a JSON object a line in, one out.
//
//   {"test": "pp", "tokens": 512, "threads": 2}    {"test": "tg", "tokens": 64, "threads": 2}
//   {"test": "batch", "rows": 8, "threads": 2}     all of them with "depth" and, for a batch, "tokens" if wanted
//
// The answer is a result as in the document of -o json, or {"error": "..."}.
#pragma once

#include <cstdio>
#include <iostream>
#include <string>

#include <trine/json/object_reader.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "program/report.hpp"

namespace trine::bench {

/// Throws ConfigError.
[[nodiscard]] inline Workload parse_test(const Json& request) {
  constexpr std::size_t kMost = std::size_t{1} << 20U;
  ObjectReader reader(request, "request");
  using Kind = Workload::Kind;
  const Kind kind = reader.choice<Kind>("test", {{"pp", Kind::prefill}, {"tg", Kind::decode}, {"batch", Kind::batch}});
  Workload test;
  if (kind == Kind::prefill) test = Workload::prefill(reader.integer("tokens", 1, kMost));
  if (kind == Kind::decode) test = Workload::decode(reader.integer("tokens", 1, kMost));
  if (kind == Kind::batch)
    test = Workload::batch(reader.integer("rows", 1, kMost), reader.integer_or("tokens", 1, kMost, 64));
  test.num_threads = reader.integer_or("threads", 0, 1024, 0);
  if (test.num_threads == 0) test.num_threads = default_threads();
  test.depth = reader.integer_or("depth", 0, kMost, 0);
  reader.reject_unknown_keys();
  return test;
}

inline void serve(Meter& meter, example::Interrupt& interrupt) {
  interrupt.rearm(true);  // nothing to be interrupted while we wait
  for (std::string line; std::getline(std::cin, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    interrupt.rearm(false);
    OrderedJson answer;
    try {
      const Workload test = parse_test(parse_json(line, "request"));
      example::require_fit(meter.model(), test.positions());
      answer = to_json(meter.run(test, interrupt.token(), [] {}), meter.arithmetic());
    } catch (const CancelledError&) {
      throw;
    } catch (const Error& error) {
      answer = {{"error", error.what()}};
    }
    interrupt.rearm(true);
    std::printf("%s\n", answer.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).c_str());
    if (!example::try_flush_output()) return;  // the program says why
  }
}

}  // namespace trine::bench
