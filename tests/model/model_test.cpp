// SPDX-License-Identifier: Apache-2.0
// What a loaded model promises as a whole: weights that fit the configuration, routers of the user's own.
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/routing/hash_router.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_decorators.hpp>

#include <bit>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "model/random_model.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using test::Golden;
using test::RandomModel;
using test::read_golden;

std::vector<std::uint32_t> bits_of(View<const float, 2> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values.span()) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

std::vector<std::uint32_t> logits(const Golden& golden, const RouterDecoratorFactory& wrap = {},
                                  std::shared_ptr<RoutingObserver> observer = nullptr) {
  LoadOptions options;
  options.hooks.router_decorator = wrap;
  Session session(Model::load(golden.directory, options),
                  {.activations = ActivationPrecision::f32, .observer = std::move(observer)});
  return bits_of(session.forward(golden.tokens, OutputRows::all));
}

Golden golden(const std::string& name) { return read_golden(fs::path(TRINE_TEST_DATA) / name); }

// Every choice that was made.
class Choices : public RoutingObserver {
 public:
  void on_routing(const RoutingEvent& event) override {
    EXPECT_EQ(event.input.hidden.extent(0), event.plan.tokens);
    EXPECT_EQ(event.input.positions.size(), event.plan.tokens);
    EXPECT_EQ(event.input.token_ids.size(), event.plan.tokens);
    for (std::size_t t = 0; t < event.plan.tokens; ++t) {
      const auto experts = event.plan.experts_of(t);
      all.push_back({event.layer,
                     event.input.positions[t],
                     event.input.token_ids[t],
                     {experts.begin(), experts.end()},
                     {event.plan.weights_of(t).begin(), event.plan.weights_of(t).end()}});
    }
  }
  struct Choice {
    std::size_t layer;
    std::size_t position;
    TokenId token;
    std::vector<std::uint32_t> experts;
    std::vector<float> weights;
  };
  std::vector<Choice> all;
};

TEST(Model, ShowsItsObserverWhatWasAskedChosenAndWeighted) {
  const Golden g = golden("summary");
  Choices choices;
  static_cast<void>(logits(g, {}, borrow(choices)));
  ASSERT_EQ(choices.all.size(), 2 * g.tokens.size());
  for (std::size_t i = 0; i < choices.all.size(); ++i) {
    const auto& choice = choices.all[i];
    EXPECT_EQ(choice.layer, i / g.tokens.size());
    EXPECT_EQ(choice.position, i % g.tokens.size());
    EXPECT_EQ(choice.token, g.tokens[choice.position]);
    EXPECT_EQ(choice.experts, g.experts.at(choice.layer)[choice.position]);
    float sum = 0.0F;
    for (const float weight : choice.weights) sum += weight;
    EXPECT_NEAR(sum, 1.0F, 1e-6F);
  }
}

TEST(Model, GivesTheSameBitsWhenARecordedRunIsReplayed) {
  for (const std::string name : {"summary_expert_attention", "top_p", "sigmoid_group_limited", "hash"}) {
    const Golden g = golden(name);
    const auto record = std::make_shared<RoutingRecord>();
    const auto recorded = logits(g, [&](std::size_t layer, std::unique_ptr<Router> router) {
      return std::make_unique<RecordedRouting>(std::move(router), layer, record);
    });
    EXPECT_EQ(recorded, logits(g)) << name << ": to record changes nothing";
    EXPECT_EQ(record->size() % g.tokens.size(), 0U);
    // Whatever the router below would say: only the record speaks.
    const auto replayed = logits(g, [&](std::size_t layer, std::unique_ptr<Router> router) {
      return std::make_unique<ReplayedRouting>(
          std::make_unique<ForcedExperts>(std::move(router), std::vector<std::uint32_t>{0}), layer, record);
    });
    EXPECT_EQ(replayed, recorded) << name;
  }
}

TEST(Model, ReplaysARunThatWasMasked) {
  const Golden g = golden("sigmoid_group_limited");
  const auto record = std::make_shared<RoutingRecord>();
  const auto masked = logits(g, [&](std::size_t layer, std::unique_ptr<Router> router) {
    return std::make_unique<RecordedRouting>(
        std::make_unique<MaskedExperts>(std::move(router), std::vector<std::uint32_t>{1, 4}), layer, record);
  });
  EXPECT_NE(masked, logits(g));
  EXPECT_EQ(masked, logits(g, [&](std::size_t layer, std::unique_ptr<Router> router) {
              return std::make_unique<ReplayedRouting>(std::move(router), layer, record);
            }));
}

TEST(Model, UsesNoMaskedExpertAndKeepsToTheGroupLimits) {
  const Golden g = golden("sigmoid_group_limited");
  const Json config = read_json_file(g.directory / "config.json").at("moe");
  const std::size_t members =
      config.at("num_experts").get<std::size_t>() / config.at("router").at("n_group").get<std::size_t>();
  const std::size_t kept = config.at("router").at("topk_group").get<std::size_t>();
  Choices choices;
  static_cast<void>(logits(
      g,
      [](std::size_t, std::unique_ptr<Router> router) {
        return std::make_unique<MaskedExperts>(std::move(router), std::vector<std::uint32_t>{0, 5, 7});
      },
      borrow(choices)));
  for (const auto& choice : choices.all) {
    std::vector<std::size_t> groups;
    for (const std::uint32_t e : choice.experts) {
      EXPECT_THAT(e, testing::AllOf(testing::Ne(0U), testing::Ne(5U), testing::Ne(7U)));
      groups.push_back(e / members);
    }
    std::ranges::sort(groups);
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    EXPECT_GE(choice.experts.size(), 1U);
    EXPECT_LE(groups.size(), kept);
  }
}

TEST(Model, RefusesARouterThatDoesNotFitItsExperts) {
  const Golden g = golden("summary");  // five experts
  EXPECT_ERROR(logits(g, [](std::size_t, std::unique_ptr<Router>) { return std::unique_ptr<Router>(); }), InputError,
               "router of layer 0: expected one, found none");
  EXPECT_ERROR(logits(g,
                      [](std::size_t layer, std::unique_ptr<Router> router) {
                        return layer == 0 ? std::move(router) : std::make_unique<HashRouter>(6, 1, 0, layer);
                      }),
               InputError, "router of layer 1: expected one for 5 experts, found one for 6");
}

Json small_config() {
  return Json::parse(R"({"model_type": "trine", "vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2,
    "max_position_embeddings": 64, "tie_word_embeddings": true,
    "attention": {"kind": "full", "head_dim": 8, "num_heads": 2, "num_kv_heads": 1},
    "moe": {"num_experts": 4, "intermediate_size": 16,
      "router": {"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 2}},
      "expert_attention": {"num_heads": 2, "head_dim": 4}},
    "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})");
}

const std::vector<TokenId> kText{3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9};

std::vector<float> values(const fs::path& directory) {
  Session session(Model::load(directory));
  const auto span = session.forward(kText, OutputRows::all).span();
  return {span.begin(), span.end()};
}

void expect_close(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  // The same sums in another order: some round-offs of logits of size 1 after two layers.
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5F) << i;
}

TEST(Model, DoesNotDependOnHowItsExpertsAreNumbered) {
  RandomModel model(small_config(), 3);
  const std::vector<float> before = values(model.path());
  const std::vector<std::size_t> order{2, 0, 3, 1};
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const std::string moe = "layers." + std::to_string(layer) + ".moe.";
    std::vector<float>& gate = model.tensor(moe + "router.weight");
    const std::vector<float> old_gate = gate;
    for (std::size_t e = 0; e < 4; ++e)
      std::copy_n(old_gate.begin() + static_cast<std::ptrdiff_t>(order[e] * 24), 24,
                  gate.begin() + static_cast<std::ptrdiff_t>(e * 24));
    for (const char* which : {"gate", "up", "down"}) {
      const auto name = [&](std::size_t e) {
        return moe + "experts." + std::to_string(e) + "." + which + "_proj.weight";
      };
      std::vector<std::vector<float>> old;
      for (std::size_t e = 0; e < 4; ++e) old.push_back(model.tensor(name(e)));
      for (std::size_t e = 0; e < 4; ++e) model.tensor(name(e)) = old[order[e]];
    }
  }
  model.write();
  expect_close(values(model.path()), before);
}

TEST(Model, WithAZeroOutputOfExpertAttentionIsThePlainMixture) {
  RandomModel with(small_config(), 4);
  for (const char* layer : {"0", "1"})
    std::ranges::fill(with.tensor("layers." + std::string(layer) + ".moe.expert_attention.o_proj.weight"), 0.0F);
  with.write();
  Json config = small_config();
  config["moe"].erase("expert_attention");
  const RandomModel without(config, 4);  // a tensor's values depend on the seed and its name alone
  EXPECT_EQ(values(with.path()), values(without.path()));
}

TEST(Model, NamesATensorThatIsMissingSuperfluousOrOfTheWrongShape) {
  RandomModel model(small_config(), 5);
  const std::string place = " (" + (model.path() / "weights.json").string() + ")";
  model.add("layers.2.moe_norm.weight", {24}, 0.0F, 1.0F);
  model.write();
  EXPECT_ERROR(Model::load(model.path()), WeightError,
               "unexpected tensor 'layers.2.moe_norm.weight': the configuration has no place for it" + place);
  model.remove("layers.2.moe_norm.weight");
  model.remove("layers.1.moe.experts.3.up_proj.weight");
  model.write();
  EXPECT_ERROR(Model::load(model.path()), WeightError,
               "no tensor named 'layers.1.moe.experts.3.up_proj.weight'" + place);
  model.add("layers.1.moe.experts.3.up_proj.weight", {24, 16}, 0.0F, 1.0F);
  model.write();
  EXPECT_ERROR(Model::load(model.path()), WeightError,
               "layers.1.moe.experts.3.up_proj.weight: expected shape [16, 24], found [24, 16]" + place);
}

TEST(Model, CountsItsParametersAndThoseOfOneToken) {
  const RandomModel files(small_config(), 6);
  const Model model = Model::load(files.path());
  const std::size_t hidden = 24;
  const std::size_t attention = 16 * hidden + 2 * 8 * hidden + hidden * 16;
  const std::size_t expert = 3 * hidden * 16;
  const std::size_t expert_attention = hidden + 4 * hidden * 8;
  const std::size_t layer = 2 * hidden + attention + 4 * hidden + expert_attention;
  EXPECT_EQ(model.transformer().parameters(), 40 * hidden + hidden + 2 * (layer + 4 * expert));
  EXPECT_EQ(model.transformer().active_parameters(), 40 * hidden + hidden + 2 * (layer + 2 * expert));
  EXPECT_EQ(model.weight_bytes(), 4 * model.transformer().parameters());
  EXPECT_EQ(model.info().num_hidden_layers, 2U);
  EXPECT_THAT(model.info().experts, testing::ElementsAre(4, 4));
  EXPECT_FALSE(model.info().whole_frames);
}

TEST(Model, NamesTheArchitecturesThatItKnowsBeforeItLooksForWeights) {
  const RandomModel files(small_config(), 7);
  Json config = small_config();
  config["model_type"] = "gpt2";
  std::ofstream(files.path() / "config.json") << config.dump();
  std::filesystem::remove(files.path() / "weights.json");
  std::string known;
  for (const auto& [name, builder] : all_architectures()) known += (known.empty() ? "" : ", ") + name;
  EXPECT_ERROR(Model::load(files.path()), ConfigError,
               "config.json: model_type: 'gpt2' is not supported; supported are " + known);
  EXPECT_ERROR(Model::load(files.path() / "nothing"), FileError, "nothing/config.json: cannot be opened");
}

}  // namespace
}  // namespace trine
