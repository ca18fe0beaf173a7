// SPDX-License-Identifier: Apache-2.0
// The body of the four functions in unit.hpp, included by a translation unit each. FACTS is the function's name.
#include <atomic>
#include <typeinfo>

#include <trine/platform/parallel_for.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/trine.hpp>

#include "unit.hpp"

Facts FACTS() {
  Facts facts{typeid(trine::Error).name(), 0, {}, &trine::kDTypes};
  std::atomic<int> sum{0};
  trine::ThreadPool pool(2);
  const trine::ExecutionContext execution{.num_threads = 2, .executor = &pool};
  trine::parallel_for(execution, 100, [&](std::size_t i) { sum += static_cast<int>(i); });
  facts.parallel_sum = sum;
  try {
    trine::parallel_for(execution, 100, [](std::size_t i) {
      if (i == 50) throw trine::InputError("fifty");
    });
  } catch (const trine::Error& error) {
    facts.caught = error.what();
  }
  return facts;
}
