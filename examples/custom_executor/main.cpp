// SPDX-License-Identifier: Apache-2.0
// Completes a prompt on threads that trine did not start:   custom_executor MODEL_DIRECTORY [PROMPT]
#include <iostream>
#include <memory>
#include <string>

#include <trine/platform/openmp_executor.hpp>
#include <trine/trine.hpp>

#include "executors.hpp"

namespace {

std::string complete(const trine::Model& model, const trine::Tokenizer& tokenizer, const std::string& prompt,
                     std::shared_ptr<trine::Executor> executor) {
  trine::Session session(model, {.executor = std::move(executor)});
  return trine::generate(session, tokenizer, prompt, {.max_new_tokens = 40, .sampling = {.seed = 1}}).text;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string directory = argc > 1 ? argv[1] : "examples/models/shakespeare";
  const std::string prompt = argc > 2 ? argv[2] : "ROMEO:";
  const trine::Model model = trine::Model::load(directory);
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory);

  const std::string expected = complete(model, tokenizer, prompt, nullptr);  // on trine's own pool
  std::cout << prompt << expected << "\n\n";
  bool same = true;
  const auto check = [&](const char* name, std::shared_ptr<trine::Executor> executor) {
    const bool equal = complete(model, tokenizer, prompt, std::move(executor)) == expected;
    same = same && equal;
    std::cout << name << ": " << (equal ? "the same text" : "another text") << '\n';
  };
  JobQueue queue(2);
  check("a queue of jobs", std::make_shared<JobQueueExecutor>(queue));
#ifdef HAS_TBB
  check("oneTBB", std::make_shared<TbbExecutor>());
#endif
#if TRINE_HAS_OPENMP
  check("OpenMP", std::make_shared<trine::OpenMpExecutor>());
#endif
  return same ? 0 : 1;
} catch (const trine::Error& error) {
  std::cerr << "custom_executor: error: " << error.what() << '\n';
  return 1;
}
