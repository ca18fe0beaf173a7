// SPDX-License-Identifier: Apache-2.0
// The C++ of the pages below docs/how-to, compiled and run. tests/docs/check_pages.sh sees to it that the pages show
// it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/attention/attention_pattern.hpp>
#include <trine/attention/grouped_query_attention.hpp>
#include <trine/core/token_id.hpp>
#include <trine/experts/local_experts.hpp>
#include <trine/experts/moe_layer.hpp>
#include <trine/interop/eigen.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/model/transformer.hpp>
#include <trine/nn/rotary.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/routing/linear_router.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_decorators.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/trine.hpp>
#include <trine/weights/find_model.hpp>
#include <trine/weights/weight_scope.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;
using trine::test::read_golden;

const fs::path kModels = TRINE_TEST_DATA;

std::vector<float> to_vector(std::span<const float> values) { return {values.begin(), values.end()}; }

// ---- use-in-your-project.md

TEST(UseInYourProject, ReadsTokenizersWithPatterns) {
  const fs::path directory = fs::path(TRINE_TEST_UNPACKED) / "tokenizers" / "deepseek";
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("1234 words")), "1234 words");
}

TEST(UseInYourProject, SharesOneModelBetweenThreads) {
  const fs::path directory = kModels / "summary";
  const std::vector<std::vector<trine::TokenId>> prompts{{1, 2, 3}, {4, 5}, {6}};
  std::vector<trine::TokenId> answers(prompts.size());

  const trine::Model model = trine::Model::load(directory);
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      workers.emplace_back([&, i] {
        trine::Session session(model, {.num_threads = 1});  // one per thread; the model is shared
        const auto logits = session.forward(prompts[i]);
        const std::span<const float> last = logits.row(0);
        answers[i] = static_cast<trine::TokenId>(std::ranges::max_element(last) - last.begin());
      });
    }
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    trine::Session session(model);
    const auto last = to_vector(session.forward(prompts[i]).row(0));
    EXPECT_EQ(answers[i], std::ranges::max_element(last) - last.begin());
  }
}

// ---- models-on-disk.md

TEST(ModelsOnDisk, AreFoundByName) {
  const trine::test::TemporaryDirectory models;
  fs::create_directories(models.path() / "allenai");
  fs::create_directory_symlink(kModels / "summary", models.path() / "allenai" / "OLMoE-1B-7B-0125-Instruct");
  ::setenv("TRINE_MODELS", models.path().c_str(), 1);
  const std::filesystem::path path = trine::find_model("allenai/OLMoE-1B-7B-0125-Instruct");
  const trine::Model model = trine::Model::load(path);
  EXPECT_EQ(model.info().model_type, "trine");
  ::unsetenv("TRINE_MODELS");
}

TEST(Threads, AreSharedBySessions) {
  const trine::Model model = trine::Model::load(kModels / "summary");

  auto threads = std::make_shared<trine::ThreadPool>(4);
  trine::Session a(model, {.executor = threads});
  trine::Session b(model, {.executor = threads});  // also from another thread, at the same time

  const std::vector<trine::TokenId> tokens{1, 2, 3};
  EXPECT_EQ(to_vector(a.forward(tokens).row(0)), to_vector(b.forward(tokens).row(0)));
  EXPECT_EQ(a.num_threads(), threads->max_workers());
}

TEST(UseInYourProject, GoesOnTokenByToken) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  std::vector<trine::TokenId> tokens{1, 2, 3};

  trine::Session session(model);
  trine::View<const float, 2> logits = session.forward(tokens);  // the prompt: [1, vocab], for its last token
  for (int i = 0; i < 5; ++i) {
    const std::span<const float> scores = logits.row(0);
    const auto best = static_cast<trine::TokenId>(std::ranges::max_element(scores) - scores.begin());
    tokens.push_back(best);
    logits = session.forward(std::span(&best, 1));  // the view from before is no longer valid
  }

  trine::Session at_once(model);
  EXPECT_EQ(to_vector(at_once.forward(tokens).row(0)), to_vector(logits.row(0)));
}

TEST(UseInYourProject, ComputesManySequencesInOnePass) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::vector<trine::TokenId> prompt{1, 2, 3, 4, 5};

  trine::Engine engine(model);
  trine::Sequence first(model);
  trine::Sequence second(model);
  std::vector<trine::SequenceInput> inputs{{.sequence = &first, .tokens = prompt}};
  engine.forward(inputs);
  // One pass: the next token of the first sequence, and the prompt of the second.
  const trine::TokenId next = 6;
  inputs = {{.sequence = &first, .tokens = std::span(&next, 1)}, {.sequence = &second, .tokens = prompt}};
  for (const trine::SequenceOutput& output : engine.forward(inputs)) {
    output.require_finite();                                      // throws NumericError
    const std::span<const float> logits = output.outputs.row(0);  // valid until the next pass
    std::printf("%zu logits\n", logits.size());
  }

  trine::Session alone(model);
  EXPECT_EQ(
      to_vector(
          engine.forward(std::vector<trine::SequenceInput>{{.sequence = &second, .tokens = std::span(&next, 1)}})[0]
              .outputs.row(0)),
      [&] {
        alone.forward(prompt);
        return to_vector(alone.forward(std::span(&next, 1)).row(0));
      }());
}

TEST(UseInYourProject, IsCancelled) {
  const std::vector<trine::TokenId> tokens{1, 2, 3};
  trine::Session session(trine::Model::load(kModels / "summary"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_ERROR(session.forward(tokens, trine::OutputRows::last, stop.get_token()), trine::CancelledError, "cancelled");
  session.reset();

  try {
    session.forward(tokens, trine::OutputRows::last, stop.get_token());  // stop.request_stop() from any thread
  } catch (const trine::CancelledError&) {
    session.reset();  // some layers are ahead of others: the sequence starts again
  }

  EXPECT_NO_THROW(session.forward(tokens));
}

TEST(UseInYourProject, ShowsHowFarALoadIs) {
  const fs::path directory = kModels / "summary";
  std::stop_source stop;
  std::uint64_t shown = 0;
  const auto show_percent = [&](std::uint64_t percent) { shown = percent; };
  {
    trine::LoadOptions options;
    options.access = trine::FileAccess::read;  // a copy in memory, in place of a mapped file
    options.cancel = stop.get_token();         // stop.request_stop() from any thread
    options.progress = [&](const trine::LoadProgress& progress) {
      show_percent(100 * progress.bytes_done / progress.bytes_total);  // of progress.name
    };
    try {
      const trine::Model model = trine::Model::load(directory, options);
    } catch (const trine::CancelledError&) {
      show_percent(0);  // nothing of the load is left
    }
  }
  EXPECT_EQ(shown, 100U);
  stop.request_stop();
  EXPECT_THROW(static_cast<void>(trine::Model::load(directory, {.cancel = stop.get_token()})), trine::CancelledError);
}

TEST(UseInYourProject, CatchesOneTypeAtTheEdge) {
  const fs::path directory = "no-such-model";
  std::string shown;
  const auto show_to_the_user = [&](const char* text) { shown = text; };

  try {
    const trine::Model model = trine::Model::load(directory);
  } catch (const trine::CapacityError& error) {
    show_to_the_user(error.what());  // this machine or context is too small: another setting may help
  } catch (const trine::Error& error) {
    show_to_the_user(error.what());  // everything else that trine throws on purpose
  }

  EXPECT_EQ(shown, "no-such-model/config.json: cannot be opened: No such file or directory");
}

TEST(Errors, SayWhatAProgramCanActOn) {
  const trine::test::TemporaryDirectory model_directory;
  model_directory.write("config.json", R"({"model_type": "gpt2"})");
  const fs::path directory = model_directory.path();
  std::string missing;
  const auto offer_another_model = [&](const std::string& field) { missing = field; };
  const auto download_again = [&](const std::string& path) { FAIL() << path; };
  const auto show_to_the_user = [&](const char* text) { FAIL() << text; };

  try {
    const trine::Model model = trine::Model::load(directory);
  } catch (const trine::Error& error) {
    if (error.kind() == trine::ErrorKind::unsupported)
      offer_another_model(error.field());  // "model_type", "quantization_config.quant_method", ...
    else if (error.kind() == trine::ErrorKind::damaged)
      download_again(error.path());  // my-model/model-00002-of-00004.safetensors
    else
      show_to_the_user(error.what());
  }

  EXPECT_EQ(missing, "model_type");
}

TEST(UseInYourProject, AsksWhatFits) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::size_t context = 64;

  const std::size_t bytes = model.weight_bytes() + model.cache_bytes(context);  // weights once, a cache per session

  EXPECT_GT(bytes, model.weight_bytes());
}

// ---- long-contexts.md

TEST(LongContexts, ForkGoBackAndSave) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const trine::test::TemporaryDirectory directory;
  const fs::path file = directory.path() / "prefix.session";
  const std::vector<trine::TokenId> prefix{1, 2, 3, 4, 5, 6, 7};
  const std::vector<trine::TokenId> first{8, 9};
  const std::vector<trine::TokenId> second{10};

  trine::Session session(model, {.kv_cache_dtype = trine::KvCacheDtype::bf16});
  session.forward(prefix);
  session.save(file);  // for another day: session.restore(file)

  trine::Session fork = session.fork();  // shares the pages of the prefix
  session.forward(first);
  fork.forward(second);

  session.truncate(prefix.size());  // as if `first` had never been
  session.forward(second);

  EXPECT_EQ(session.position(), fork.position());
  trine::Session other(model);
  other.restore(file);
  other.forward(second);
  const auto expected = to_vector(fork.forward(first).span());
  EXPECT_EQ(to_vector(session.forward(first).span()), expected);
  EXPECT_EQ(to_vector(other.forward(first).span()), expected);
}

// ---- watch-and-control-routing.md

TEST(WatchAndControlRouting, CountsTheLoad) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::vector<trine::TokenId> tokens{1, 2, 3};

  trine::RoutingStats stats;
  trine::Session session(model, {.observer = trine::borrow(stats)});
  session.forward(tokens);
  for (std::size_t layer = 0; layer < stats.layers(); ++layer) {
    if (stats.load(layer).empty()) continue;  // a layer without a router
    const trine::LoadBalance balance = trine::load_balance(stats.load(layer));
    std::printf("layer %zu: utilization %.3f, %.0f %% of the experts used\n", layer, balance.utilization,
                100.0 * balance.experts_used);
  }
  std::printf("%s\n", stats.to_json().dump(2).c_str());

  EXPECT_EQ(stats.tokens(), tokens.size());
}

TEST(WatchAndControlRouting, KeepsATrace) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::vector<trine::TokenId> tokens{1, 2, 3};

  trine::RoutingTrace trace;
  trine::Session session(model, {.observer = trine::borrow(trace)});
  session.forward(tokens);
  const std::span<const std::uint32_t> experts = trace.experts_of(0, 2);  // of layer 0, token 2; best first
  const std::span<const float> weights = trace.weights_of(0, 2);
  const std::string csv = trace.to_csv();  // layer,token,rank,expert,weight

  EXPECT_EQ(experts.size(), weights.size());
  EXPECT_TRUE(csv.starts_with("layer,token,rank,expert,weight\n0,0,0,"));
}

// By how much the best expert of each token beats the second.
class Margins : public trine::RoutingObserver {
 public:
  void on_routing(const trine::RoutingEvent& event) override {
    const std::size_t experts = event.plan.experts;
    for (std::size_t t = 0; t < event.plan.tokens && !event.plan.scores.empty(); ++t) {
      std::vector<float> p(event.plan.scores.begin() + static_cast<std::ptrdiff_t>(t * experts),
                           event.plan.scores.begin() + static_cast<std::ptrdiff_t>((t + 1) * experts));
      std::ranges::partial_sort(p, p.begin() + 2, std::greater());
      margins.push_back(p[0] - p[1]);
    }
  }
  [[nodiscard]] bool wants_scores() const override { return true; }  // plan.scores: [tokens, experts]

  std::vector<float> margins;
};

TEST(WatchAndControlRouting, SeesTheScoresOfAllExperts) {
  Margins margins;
  trine::Session session(trine::Model::load(kModels / "summary"), {.observer = trine::borrow(margins)});
  session.forward(std::vector<trine::TokenId>{1, 2, 3});
  EXPECT_EQ(margins.margins.size(), 6U) << "three tokens, two layers";
}

TEST(WatchAndControlRouting, ForcesAndMasks) {
  const fs::path directory = kModels / "summary";

  trine::LoadOptions options;
  options.hooks.router_decorator = [](std::size_t layer,
                                      std::unique_ptr<trine::Router> router) -> std::unique_ptr<trine::Router> {
    if (layer == 0) return std::make_unique<trine::ForcedExperts>(std::move(router), std::vector<std::uint32_t>{3, 1});
    return std::make_unique<trine::MaskedExperts>(std::move(router), std::vector<std::uint32_t>{0});
  };
  const trine::Model model = trine::Model::load(directory, options);

  trine::RoutingTrace trace;
  trine::Session session(model, {.observer = trine::borrow(trace)});
  session.forward(std::vector<trine::TokenId>{1, 2, 3});
  for (std::size_t t = 0; t < 3; ++t) {
    EXPECT_THAT(trace.experts_of(0, t), testing::ElementsAre(3, 1));
    EXPECT_THAT(trace.experts_of(1, t), testing::Not(testing::Contains(0U)));
  }
}

TEST(WatchAndControlRouting, MasksOneSession) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::vector<trine::TokenId> tokens{1, 2, 3, 4, 5};
  std::vector<std::vector<float>> answers;

  const auto without = [](std::uint32_t expert) -> trine::RouterDecoratorFactory {
    return [expert](std::size_t, std::unique_ptr<trine::Router> router) {
      return std::make_unique<trine::MaskedExperts>(std::move(router), std::vector<std::uint32_t>{expert});
    };
  };
  for (std::uint32_t expert = 0; expert < 4; ++expert) {
    trine::Session session(model, {.router_decorator = without(expert)});
    answers.push_back(to_vector(session.forward(tokens).row(0)));
  }

  for (std::uint32_t expert = 0; expert < 4; ++expert) {
    trine::LoadOptions options;
    options.hooks.router_decorator = without(expert);
    trine::Session session(trine::Model::load(kModels / "summary", options));
    EXPECT_EQ(answers[expert], to_vector(session.forward(tokens).row(0))) << "as a model that is loaded masked";
  }
}

TEST(WatchAndControlRouting, RecordsAndReplays) {
  const fs::path directory = kModels / "summary";
  const fs::path other_directory = kModels / "summary";
  const std::vector<trine::TokenId> tokens{1, 2, 3};

  const auto record = std::make_shared<trine::RoutingRecord>();
  trine::LoadOptions recording;
  recording.hooks.router_decorator = [&](std::size_t layer, std::unique_ptr<trine::Router> router) {
    return std::make_unique<trine::RecordedRouting>(std::move(router), layer, record);
  };
  trine::Session first(trine::Model::load(directory, recording));
  first.forward(tokens);

  trine::LoadOptions replaying;
  replaying.hooks.router_decorator = [&](std::size_t layer, std::unique_ptr<trine::Router> router) {
    return std::make_unique<trine::ReplayedRouting>(std::move(router), layer, record);
  };
  trine::Session second(trine::Model::load(other_directory, replaying));
  second.forward(tokens);  // the same choices, whatever the routers of the second model would have chosen

  EXPECT_EQ(record->size(), 6U) << "three tokens, two layers";
}

// ---- eigen-interop.md

TEST(EigenInterop, ReadsLogits) {
  const trine::Model model = trine::Model::load(kModels / "summary");
  const std::vector<trine::TokenId> tokens{1, 2, 3};

  trine::Session session(model);
  const auto logits = trine::as_eigen(session.forward(tokens, trine::OutputRows::all));  // a map, nothing is copied
  Eigen::Index best = 0;
  logits.row(2).maxCoeff(&best);
  const Eigen::VectorXf copy = logits.row(2);  // outlives the next call of the session

  EXPECT_EQ(logits.rows(), 3);
  EXPECT_EQ(copy[best], copy.maxCoeff());
}

TEST(EigenInterop, PassesFeatures) {
  const trine::Model model = trine::Model::load(kModels / "grid_rules");
  const Eigen::Index frames = 2;
  const auto sites = static_cast<Eigen::Index>(model.info().frame_size);
  const auto features = static_cast<Eigen::Index>(model.info().num_features);

  trine::EigenMatrix<float> readings(frames * sites, features);  // row-major: a line for each site of each frame
  readings.setRandom();
  const trine::View<const float, 2> rows = trine::as_view(readings);
  trine::Session session(model);
  const auto outputs = session.forward_features(
      {rows.data(), {static_cast<std::size_t>(frames), model.info().frame_size, model.info().num_features}});

  EXPECT_EQ(outputs.extent(0), 1U);
}

// ---- add-an-architecture.md

// Settings of a family of models: full attention, softmax top-k routing.
struct PlainMoeConfig {
  std::size_t vocab_size, hidden_size, layers, heads, kv_heads, head_dim, experts, experts_per_token, ffn, positions;
  float epsilon;
  double theta;
};

PlainMoeConfig parse_plain_moe(const trine::Json& json, const std::string& source_name) {
  trine::ObjectReader reader(json, source_name);
  static_cast<void>(reader.string("model_type"));
  PlainMoeConfig config{};
  config.vocab_size = reader.integer("vocab_size", 1, 1U << 22U);
  config.hidden_size = reader.integer("hidden_size", 1, 1U << 16U);
  config.layers = reader.integer("num_hidden_layers", 1, 4096);
  config.heads = reader.integer("num_attention_heads", 1, 1024);
  config.kv_heads = reader.integer_or("num_key_value_heads", 1, config.heads, config.heads);
  config.head_dim = reader.integer("head_dim", 2, 512);
  config.experts = reader.integer("num_experts", 1, 4096);
  config.experts_per_token = reader.integer("num_experts_per_tok", 1, config.experts);
  config.ffn = reader.integer("moe_intermediate_size", 1, 1U << 18U);
  config.positions = reader.integer("max_position_embeddings", 1, 1U << 22U);
  config.epsilon = static_cast<float>(reader.number("rms_norm_eps", 1e-12, 1.0));
  config.theta = reader.number("rope_theta", 1.0, 1e12);
  if (config.heads % config.kv_heads != 0) reader.fail("num_key_value_heads", "expected a divisor of the heads");
  if (config.head_dim % 2 != 0) reader.fail("head_dim", "expected an even number");
  reader.reject_unknown_keys();  // refuses every key that nobody asked for
  return config;
}

trine::ModelParts build_plain_moe(const trine::BuildContext& context, const trine::WeightScope& weights) {
  const PlainMoeConfig config = parse_plain_moe(context.config, context.source_name);
  const std::size_t hidden = config.hidden_size;
  const trine::WeightScope model = weights / "model";
  const auto rotary = std::make_shared<const trine::Rotary>(config.head_dim, config.theta, config.positions);
  const trine::TopKOptions choice{.k = config.experts_per_token, .threshold = {}};
  const trine::CombineWeights combine{.normalize = false, .routed_scale = 1.0F};

  trine::ModelParts built;
  std::vector<trine::Block> blocks;
  for (std::size_t i = 0; i < config.layers; ++i) {
    const trine::WeightScope layer = model / "layers" / i;
    const trine::WeightScope mlp = layer / "mlp";
    std::vector<trine::HeadGroup> head_groups;
    head_groups.push_back({std::make_unique<trine::FullPattern>(), config.heads, config.kv_heads});
    std::unique_ptr<trine::Router> router =
        std::make_unique<trine::LinearRouter>((mlp / "gate").as(trine::TensorRole::router), hidden, config.experts,
                                              trine::RouterScore::softmax, choice, combine);
    if (context.router_decorator) router = context.router_decorator(i, std::move(router));
    blocks.push_back(
        {trine::RmsNorm(layer / "input_layernorm", hidden, config.epsilon),
         std::make_unique<trine::GroupedQueryAttention>((layer / "self_attn").as(trine::TensorRole::attention), hidden,
                                                        config.head_dim, std::move(head_groups), rotary),
         trine::RmsNorm(layer / "post_attention_layernorm", hidden, config.epsilon),
         std::make_unique<trine::MoeLayer>(
             i, std::move(router),
             std::make_unique<trine::LocalExperts>((mlp / "experts").as(trine::TensorRole::experts), config.experts,
                                                   hidden, config.ffn),
             std::nullopt, std::nullopt)});
    built.info.experts.push_back(config.experts);
  }
  built.info.model_type = "plain_moe";
  built.info.summary = "full attention, softmax top-k router";
  built.info.vocab_size = config.vocab_size;
  built.info.hidden_size = hidden;
  built.info.num_hidden_layers = config.layers;
  built.info.max_position_embeddings = config.positions;
  built.transformer = std::make_unique<trine::Transformer>(
      std::make_unique<trine::TokenEmbedding>((model / "embed_tokens").as(trine::TensorRole::embedding),
                                              config.vocab_size, hidden),
      std::move(blocks),
      trine::OutputHead(trine::RmsNorm(model / "norm", hidden, config.epsilon),
                        trine::Linear((weights / "lm_head").as(trine::TensorRole::head), hidden, config.vocab_size), 1),
      false);
  return built;
}

// The golden model of full attention and softmax top-k, under the names of the other family.
fs::path renamed_golden(const trine::test::TemporaryDirectory& directory) {
  const fs::path golden = kModels / "full_attention_softmax_top_k";
  fs::copy_file(golden / "weights.bin", directory.path() / "weights.bin");
  trine::Json manifest = trine::read_json_file(golden / "weights.json");
  trine::Json tensors = trine::Json::object();
  const std::vector<std::pair<std::string, std::string>> names{
      {"embed_tokens.", "model.embed_tokens."}, {"layers.", "model.layers."},
      {"norm.weight", "model.norm.weight"},     {"attention_norm", "input_layernorm"},
      {"moe_norm", "post_attention_layernorm"}, {".attention.", ".self_attn."},
      {".moe.router.", ".mlp.gate."},           {".moe.experts.", ".mlp.experts."}};
  for (const auto& [name, entry] : manifest["tensors"].items()) {
    std::string renamed = name;
    for (const auto& [from, to] : names) {
      const std::size_t source_name = renamed.find(from);
      const bool whole = from != "norm.weight" || source_name == 0;
      if (source_name != std::string::npos && whole) renamed.replace(source_name, from.size(), to);
    }
    tensors[renamed] = entry;
  }
  manifest["tensors"] = tensors;
  directory.write("weights.json", manifest.dump());
  directory.write("config.json", R"({"model_type": "plain_moe", "vocab_size": 64, "hidden_size": 40,
    "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16, "num_experts": 5,
    "num_experts_per_tok": 3, "moe_intermediate_size": 8, "max_position_embeddings": 256, "rms_norm_eps": 1e-6,
    "rope_theta": 10000})");
  return directory.path();
}

TEST(AddAnArchitecture, IsLoadedByItsModelType) {
  const trine::test::TemporaryDirectory files;
  const fs::path directory = renamed_golden(files);

  trine::LoadOptions options;
  options.hooks.architectures.emplace("plain_moe", build_plain_moe);
  const trine::Model model = trine::Model::load(directory, options);

  const auto golden = read_golden(kModels / "full_attention_softmax_top_k");
  trine::Session ours(model);
  trine::Session native(trine::Model::load(golden.directory));
  EXPECT_EQ(to_vector(ours.forward(golden.tokens).span()), to_vector(native.forward(golden.tokens).span()));
}

}  // namespace
