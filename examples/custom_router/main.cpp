// SPDX-License-Identifier: Apache-2.0
// Two ways to bring routing of one's own into a trained model, and what each changes:
//   a new kind   CosineRouter, registered under a name that config.json can use
//   a decorator  BestExpertOnly, put around the routers of a model while it is loaded
//     custom_router MODEL_DIRECTORY [TEXT]       (a model whose router kind is "attention" with top_k)
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <unistd.h>

#include <trine/trine.hpp>

#include "cosine_router.hpp"

namespace {

/// Every token keeps the best of its experts only, with the whole weight.
class BestExpertOnly : public trine::RouterDecorator {
 public:
  explicit BestExpertOnly(std::unique_ptr<trine::Router> router) : RouterDecorator(std::move(router)) {}
  [[nodiscard]] std::size_t max_experts_per_token() const override { return 1; }

  void route(const trine::ForwardContext& context, const trine::RouterInput& input,
             trine::RoutingPlan& plan) const override {
    trine::RoutingPlan all;
    all.start(plan.experts);
    inner().route(context, input, all);
    for (std::size_t t = 0; t < all.tokens; ++t) {
      float sum = 0.0F;
      for (const float weight : all.weights_of(t)) sum += weight;
      if (!all.experts_of(t).empty()) plan.add(all.experts_of(t)[0], sum);
      plan.end_token();
    }
  }
};

/// A copy of a model directory with another "router" in config.json; the weights are links. Removed at the end.
class Variant {
 public:
  explicit Variant(const std::filesystem::path& model)
      : directory_(std::filesystem::temp_directory_path() / ("custom_router." + std::to_string(::getpid()))) {
    trine::Json config = trine::read_json_file(model / "config.json");
    trine::Json& router = config.at("moe").at("router");
    const auto key_dim = router.at("key_dim");
    const auto k = router.at("choice").at("k");
    router = {{"kind", "cosine"}, {"key_dim", key_dim}, {"k", k}, {"temperature", 0.3}};
    std::filesystem::create_directory(directory_);
    for (const char* name : {"weights.json", "weights.bin"})
      std::filesystem::create_symlink(std::filesystem::absolute(model / name), directory_ / name);
    std::ofstream(directory_ / "config.json") << config.dump(1);
  }
  ~Variant() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

struct Run {
  trine::RoutingTrace trace;
  double loss = 0.0;  // mean of -ln p(next token)
};

void run(const trine::Model& model, const std::vector<trine::TokenId>& tokens, Run& result) {
  trine::Session session(model, {.observer = trine::borrow(result.trace)});
  const auto logits = session.forward(tokens, trine::OutputRows::all);
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    const float largest = *std::ranges::max_element(logits.row(t));
    double sum = 0.0;
    for (const float logit : logits.row(t)) sum += std::exp(static_cast<double>(logit - largest));
    result.loss += std::log(sum) - static_cast<double>(logits(t, tokens[t + 1]) - largest);
  }
  result.loss /= static_cast<double>(tokens.size() - 1);
}

/// The share of decisions (a token in a layer) that chose another set of experts than `before`.
double changed(const trine::RoutingTrace& before, const trine::RoutingTrace& after) {
  std::size_t decisions = 0;
  std::size_t different = 0;
  for (std::size_t layer = 0; layer < before.layers(); ++layer) {
    for (std::size_t t = 0; before.routed(layer) && t < before.tokens(); ++t, ++decisions)
      if (!std::ranges::is_permutation(before.experts_of(layer, t), after.experts_of(layer, t))) ++different;
  }
  return static_cast<double>(different) / static_cast<double>(decisions);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: custom_router MODEL_DIRECTORY [TEXT]\n";
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  const auto tokens = trine::Tokenizer::load(directory).encode(
      argc > 2 ? argv[2] : "To be, or not to be: that is the question:\nWhether 'tis nobler in the mind to suffer\n");

  const trine::Model as_trained = trine::Model::load(directory);

  trine::LoadOptions with_new_kind;
  with_new_kind.hooks.routers.add("cosine", CosineRouter::parse);
  const Variant variant(directory);
  const trine::Model cosine = trine::Model::load(variant.directory(), with_new_kind);

  trine::LoadOptions with_decorator;
  with_decorator.hooks.router_decorator = [](std::size_t, std::unique_ptr<trine::Router> router) {
    return std::make_unique<BestExpertOnly>(std::move(router));
  };
  const trine::Model best_only = trine::Model::load(directory, with_decorator);

  Run reference;
  run(as_trained, tokens, reference);
  std::printf("%zu tokens          other experts  utilization  loss (nats per token)\n", tokens.size());
  const auto print = [&](const char* name, const Run& result) {
    std::printf("%-24s %6.1f %%        %.3f        %.3f\n", name, 100.0 * changed(reference.trace, result.trace),
                result.trace.stats().overall().utilization, result.loss);
  };
  print("as trained", reference);
  Run other;
  run(cosine, tokens, other);
  print("kind \"cosine\"", other);
  Run best;
  run(best_only, tokens, best);
  print("best expert only", best);
} catch (const std::exception& error) {
  std::cerr << "custom_router: error: " << error.what() << '\n';
  return 1;
}
