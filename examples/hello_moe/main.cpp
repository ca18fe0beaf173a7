// SPDX-License-Identifier: Apache-2.0
// Completes a prompt and counts how evenly the experts worked:   hello_moe MODEL_DIRECTORY [PROMPT]
#include <iostream>

#include <trine/trine.hpp>

int main(int argc, char** argv) try {
  const std::string directory = argc > 1 ? argv[1] : "examples/models/shakespeare";
  const trine::Model model = trine::Model::load(directory);  // const, shareable between threads
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory);

  trine::RoutingStats routing;  // sees which expert serves which token
  trine::Session session(model, {.observer = trine::borrow(routing)});
  const auto show = [](std::string_view piece) { return bool(std::cout << piece << std::flush); };
  const std::string prompt = argc > 2 ? argv[2] : "ROMEO:";
  std::cout << prompt;
  trine::generate(session, tokenizer, prompt, {.max_new_tokens = 100, .sampling = {.seed = 1}}, show);

  std::cout << "\n\nexpert utilization " << routing.overall().utilization << " (1 = all experts work equally much)\n";
} catch (const trine::Error& error) {
  std::cerr << "hello_moe: error: " << error.what() << '\n';
  return 1;
}
