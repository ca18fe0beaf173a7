// SPDX-License-Identifier: Apache-2.0
#include <trine/model/architectures/rope_config.hpp>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

constexpr RopeContext kContext{64, 4096};

// What `json` says for a family of these defaults, with nothing in it left unread.
std::vector<RopeOptions> read(const std::string& json, const RopeContext& context = kContext,
                              const std::vector<std::string>& layer_types = {"full_attention"},
                              const Json& defaults = {{"rope_theta", 10000.0}}) {
  const Json document = parse_json(json, "config.json");
  ObjectReader reader(document, "config.json", {}, defaults);
  Notes notes;
  const std::vector<RopeOptions> result = read_rope(reader, context, notes, layer_types);
  reader.reject_unknown_keys();
  return result;
}
RopeOptions read_one(const std::string& json, const RopeContext& context = kContext) {
  return read(json, context).front();
}
template <class Scaling>
Scaling read_as(const std::string& json, const RopeContext& context = kContext) {
  return std::get<Scaling>(read_one(json, context).scaling);
}

TEST(RopeConfig, IsThePlainRotationOfTheFamilyWithoutAnyKey) {
  for (const char* json : {"{}", R"({"rope_scaling": null})", R"({"rope_scaling": null, "rope_parameters": null})",
                           R"({"rope_parameters": {"rope_type": "default"}})", R"({"rope_scaling": {}})"}) {
    const RopeOptions rope = read(json, kContext, {"full_attention"}, {{"rope_theta", 1e6}}).front();
    EXPECT_EQ(rope.rotary_dim, 64U) << json;
    EXPECT_EQ(rope.theta, 1e6) << json;
    EXPECT_TRUE(std::holds_alternative<std::monostate>(rope.scaling)) << json;
  }
}

TEST(RopeConfig, ReadsThetaFromTheObjectBeforeTheOneBesideIt) {
  EXPECT_EQ(read_one(R"({"rope_theta": 500000})").theta, 500000.0);
  EXPECT_EQ(read_one(R"({"rope_theta": 500000, "rope_scaling": {"type": "linear", "factor": 2}})").theta, 500000.0);
  EXPECT_EQ(read_one(R"({"rope_parameters": {"rope_theta": 1e6}})").theta, 1e6);
  EXPECT_EQ(read_one(R"({"rope_theta": 5, "rope_parameters": {"rope_theta": 1e6}})").theta, 1e6);
}

TEST(RopeConfig, ReadsDeepSeekInBothSpellings) {
  for (const char* json : {
           R"({"rope_theta": 10000, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
               "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096, "type": "yarn"}})",
           R"({"rope_parameters": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
               "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096, "rope_theta": 10000,
               "rope_type": "yarn", "type": "yarn"}})"}) {
    const RopeOptions rope = read_one(json, {64, 163840});
    EXPECT_EQ(rope.theta, 10000.0);
    const auto yarn = std::get<YarnScaling>(rope.scaling);
    EXPECT_EQ(yarn.factor, 40.0);
    EXPECT_EQ(yarn.original_max_position_embeddings, 4096U);
    EXPECT_EQ(yarn.beta_fast, 32.0);
    EXPECT_EQ(yarn.beta_slow, 1.0);
    EXPECT_TRUE(yarn.truncate);
    EXPECT_EQ(yarn.mscale, 1.0);
    EXPECT_EQ(yarn.mscale_all_dim, 0.707);
    EXPECT_FALSE(yarn.attention_factor.has_value());
  }
}

TEST(RopeConfig, ReadsGptOss) {
  const auto yarn = read_as<YarnScaling>(
      R"({"rope_theta": 150000, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
          "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false}})");
  EXPECT_EQ(yarn.factor, 32.0);
  EXPECT_FALSE(yarn.truncate);
  EXPECT_EQ(yarn.mscale_all_dim, 0.0);
}

TEST(RopeConfig, TakesAMissingYarnFactorFromTheLengths) {
  EXPECT_EQ(read_as<YarnScaling>(R"({"rope_scaling": {"type": "yarn", "factor": null, "attention_factor": 1.5,
                                     "original_max_position_embeddings": 1024}})")
                .factor,
            4.0);
  // A factor that is there counts, whatever the lengths say; an original length that is not there is the whole.
  const auto yarn = read_as<YarnScaling>(R"({"rope_scaling": {"type": "yarn", "factor": 40}})");
  EXPECT_EQ(yarn.factor, 40.0);
  EXPECT_EQ(yarn.original_max_position_embeddings, 4096U);
}

TEST(RopeConfig, ReadsTheOtherTypes) {
  EXPECT_EQ(read_as<LinearScaling>(R"({"rope_scaling": {"type": "linear", "factor": 2.5}})").factor, 2.5);
  EXPECT_EQ(read_as<DynamicScaling>(R"({"rope_scaling": {"type": "dynamic", "factor": 2}})").factor, 2.0);
  const auto llama = read_as<WavelengthScaling>(
      R"({"rope_parameters": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "rope_theta": 500000.0,
          "original_max_position_embeddings": 8192, "rope_type": "llama3"}})");
  EXPECT_EQ(llama.factor, 8.0);
  EXPECT_EQ(llama.low_freq_factor, 1.0);
  EXPECT_EQ(llama.high_freq_factor, 4.0);
  EXPECT_EQ(llama.original_max_position_embeddings, 8192U);
}

TEST(RopeConfig, ReadsLongRopeUpToItsOriginalLength) {
  const std::string json = R"({"original_max_position_embeddings": 4096,
      "rope_scaling": {"type": "longrope", "short_factor": [1, 1.5], "long_factor": [2, 30.5]}})";
  const auto longrope = read_as<LongRopeScaling>(json, {4, 4096});
  EXPECT_THAT(longrope.short_factor, testing::ElementsAre(1.0, 1.5));
  EXPECT_EQ(longrope.factor, 1.0);
  EXPECT_ERROR(read_one(json, {4, 131072}), ConfigError,
               "config.json: rope_scaling.long_factor: a context beyond original_max_position_embeddings is not "
               "supported with longrope: cached keys cannot change from short to long factors; expected "
               "max_position_embeddings of at most 4096, found 131072");
  EXPECT_ERROR(read_one(json, {6, 4096}), ConfigError,
               "rope_scaling.short_factor: expected a list of 3 numbers, found a list");
}

std::vector<Note> notes_of(const std::string& json) {
  const Json document = parse_json(json, "config.json");
  ObjectReader reader(document, "config.json", {}, {{"rope_theta", 1e4}});
  Notes notes;
  static_cast<void>(read_rope(reader, kContext, notes));
  return notes.all();
}

// None of the families reads it, and so transformers: with "default" it changes nothing, with scaling it fails.
TEST(RopeConfig, RotatesWholeHeadsWhateverShareIsAskedFor) {
  for (const char* json : {R"({"partial_rotary_factor": 0.5})",
                           R"({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}})"}) {
    EXPECT_EQ(read_one(json).rotary_dim, 64U);
    EXPECT_THAT(notes_of(json), testing::ElementsAre(testing::Field(&Note::subject, "partial_rotary_factor")));
  }
  EXPECT_THAT(notes_of(R"({"partial_rotary_factor": 1.0, "rope_scaling": {"type": "linear", "factor": 2}})"),
              testing::IsEmpty());
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 2}})"),
               ConfigError, "config.json: partial_rotary_factor: expected 1 beside a rope_type that scales, found 0.5");
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": "half"})"), ConfigError,
               "partial_rotary_factor: expected a number");
}

TEST(RopeConfig, ScaledRotationsOfSomeFamiliesTurnWholeHeadsWithoutAShare) {
  const RopeContext third{.head_dim = 12, .max_position_embeddings = 64, .rotary_dim = 4, .scaled_are_whole = true};
  EXPECT_EQ(read_one("{}", third).rotary_dim, 4U);
  EXPECT_EQ(read_one(R"({"rope_scaling": {"type": "linear", "factor": 2}})", third).rotary_dim, 12U);
  EXPECT_EQ(
      read_one(R"({"partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 2}})", third).rotary_dim,
      6U);
}

TEST(RopeConfig, RotatesThePartOfAHeadThatFamiliesOfPartsAskFor) {
  const RopeContext whole{.head_dim = 12, .max_position_embeddings = 64, .rotary_dim = 12};
  EXPECT_EQ(read_one("{}", whole).rotary_dim, 12U);
  EXPECT_EQ(read_one(R"({"partial_rotary_factor": 0.5})", whole).rotary_dim, 6U);
  EXPECT_EQ(read_one(R"({"partial_rotary_factor": 0.7})", whole).rotary_dim, 8U) << "rounded down";
  EXPECT_EQ(read_one(R"({"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "default",
                         "partial_rotary_factor": 0.34}})",
                     whole)
                .rotary_dim,
            4U);
  EXPECT_EQ(
      read_one(R"({"partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 2}})", whole).rotary_dim,
      6U);
  const Json default_half = {{"rope_theta", 10000.0}, {"partial_rotary_factor", 0.5}};
  EXPECT_EQ(read("{}", whole, {"full_attention"}, default_half).front().rotary_dim, 6U);
  EXPECT_EQ(read(R"({"partial_rotary_factor": null})", whole, {"full_attention"}, default_half).front().rotary_dim,
            12U);
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": 0.25})", whole), ConfigError,
               "partial_rotary_factor: expected an even number of rotated elements, found 3 of 12");
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": 1.5})", whole), ConfigError,
               "partial_rotary_factor: expected a number from 0.0 to 1.0");
}

TEST(RopeConfig, HasTheRopeOfTheFamilyWhereNoneIsGiven) {
  const Json defaults = Json::parse(R"({"rope_theta": 150000, "rope_parameters": {"rope_type": "yarn", "factor": 32,
      "original_max_position_embeddings": 4096}})");
  for (const char* json :
       {"{}", R"({"rope_scaling": null})", R"({"rope_parameters": null})", R"({"rope_scaling": {}})"}) {
    const RopeOptions rope = read(json, kContext, {"full_attention"}, defaults).front();
    EXPECT_EQ(rope.theta, 150000.0) << json;
    EXPECT_EQ(std::get<YarnScaling>(rope.scaling).factor, 32.0) << json;
  }
  const RopeOptions plain = read(R"({"rope_parameters": {}})", kContext, {"full_attention"}, defaults).front();
  EXPECT_TRUE(std::holds_alternative<std::monostate>(plain.scaling));
  const Json wrong = Json::parse(R"({"rope_theta": 1e4, "rope_parameters": {"rope_type": "linear"}})");
  EXPECT_ERROR(read("{}", kContext, {"full_attention"}, wrong), ConfigError,
               "config.json: rope_parameters.factor: expected a value, found none");
}

TEST(RopeConfig, NotesWhatItsTypeDoesNotRead) {
  EXPECT_THAT(notes_of(R"({"rope_scaling": {"type": "linear", "factor": 2, "truncate": false, "beta_fast": 32}})"),
              testing::ElementsAre(Note{"rope_scaling.beta_fast", "not read by this rope_type"},
                                   Note{"rope_scaling.truncate", "not read by this rope_type"}));
  // DeepSeek-R1-0528-Qwen3-8B, and models of the YaRN paper
  EXPECT_THAT(notes_of(R"({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attn_factor": 0.8782488562869419,
                           "original_max_position_embeddings": 32768, "finetuned": true}})"),
              testing::ElementsAre(testing::Field(&Note::subject, "rope_scaling.attn_factor"),
                                   testing::Field(&Note::subject, "rope_scaling.finetuned")));
}

TEST(RopeConfig, TellsLayerTypesApart) {
  const std::string json = R"({"rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
      "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}})";
  const auto ropes = read(json, kContext, {"sliding_attention", "full_attention"});
  EXPECT_EQ(ropes.at(0).theta, 1e4);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(ropes.at(0).scaling));
  EXPECT_EQ(ropes.at(1).theta, 1e6);
  EXPECT_EQ(std::get<LinearScaling>(ropes.at(1).scaling).factor, 8.0);
  EXPECT_ERROR(read(json), ConfigError,
               "rope_parameters: unknown key 'sliding_attention'; allow_unknown (--allow-unknown "
               "rope_parameters.sliding_attention) ignores it");
  EXPECT_ERROR(read(R"({"rope_parameters": {"full_attention": null, "sliding_attention": {}}})", kContext,
                    {"full_attention", "sliding_attention"}),
               ConfigError, "rope_parameters.full_attention: expected a value, found none");
  // One object serves all types.
  EXPECT_EQ(read(R"({"rope_theta": 77})", kContext, {"sliding_attention", "full_attention"}).at(1).theta, 77.0);
}

std::vector<RopeOptions> read_by_type(const std::string& json, const std::vector<RopeLayerType>& types) {
  const Json document = parse_json(json, "config.json");
  ObjectReader reader(document, "config.json");
  Notes notes;
  const std::vector<RopeOptions> result = read_rope_by_type(reader, notes, types, {"unused"});
  reader.reject_unknown_keys();
  return result;
}

TEST(RopeConfig, ReadsHeadsOfAnotherWidthForEachLayerType) {
  const std::string json = R"({"rope_parameters": {"unused": {"factor": "?"},
      "full": {"rope_type": "proportional", "rope_theta": 100.0, "partial_rotary_factor": 0.7, "factor": 2},
      "sliding": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}})";
  const RopeLayerType full{"full", {.head_dim = 8, .max_position_embeddings = 64, .has_proportional = true}};
  const auto ropes =
      read_by_type(json, {full, {"sliding", {.head_dim = 16, .max_position_embeddings = 64, .rotary_dim = 16}}});
  EXPECT_EQ(ropes.at(0).rotary_dim, 8U);
  EXPECT_EQ(std::get<ProportionalScaling>(ropes.at(0).scaling).rotated, 2U);
  // Two pairs of four, by the frequencies of a whole head; the others stay.
  EXPECT_THAT(rope_frequencies(ropes.at(0)).inverse,
              testing::ElementsAre(0.5, testing::DoubleEq(0.5 * std::pow(100.0, -0.25)), 0.0, 0.0));
  EXPECT_EQ(ropes.at(1).rotary_dim, 8U);  // half of each head
  EXPECT_EQ(ropes.at(1).theta, 1e4);
  EXPECT_ERROR(read_by_type(R"({"rope_parameters": {"rope_theta": 1e4}})", {full}), ConfigError,
               "rope_parameters: expected an object for each layer type, found an object");
  EXPECT_ERROR(read_by_type(R"({"rope_parameters": {"sliding": {}}})", {full}), ConfigError,
               "rope_parameters.full: expected a value, found none");
  EXPECT_ERROR(read_by_type(R"({"rope_parameters": {"full": {"rope_theta": 9}, "other": {"factor": 2}}})", {full}),
               ConfigError, "rope_parameters: unknown key 'other'");
}

TEST(RopeConfig, RotatesAnEvenNumberOfElementsOfAHead) {
  const RopeContext context{.head_dim = 12, .max_position_embeddings = 64, .rotary_dim = 6};
  EXPECT_EQ(read_one("{}", context).rotary_dim, 6U);
  EXPECT_EQ(read_one(R"({"partial_rotary_factor": 0.4})", context).rotary_dim, 4U);
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": 0.3})", context), ConfigError,
               "partial_rotary_factor: expected an even number of rotated elements, found 3 of 12");
  EXPECT_ERROR(read_one(R"({"partial_rotary_factor": 0.01})", context), ConfigError, "found 0 of 12");
}

TEST(RopeConfig, RefusesWhatItDoesNotKnow) {
  EXPECT_ERROR(read_one(R"({"rope_scaling": {"type": "proportional"}})"), ConfigError,
               R"(config.json: rope_scaling.type: expected one of "default", "linear", "dynamic", "llama3", "yarn", )"
               R"("longrope", found 'proportional')");
  EXPECT_ERROR(read_one(R"({"rope_scaling": {"type": "yarn", "factor": 2, "beta_fest": 30}})"), ConfigError,
               "config.json: rope_scaling: unknown key 'beta_fest'; the nearest known key is 'beta_fast'");
  EXPECT_THAT(notes_of(R"({"rope_scaling": {"mrope_section": [1, 2]}})"),
              testing::ElementsAre(testing::Field(&Note::subject, "rope_scaling.mrope_section")));
  EXPECT_ERROR(read_one(R"({"rope_scaling": {"type": "yarn", "rope_type": "linear", "factor": 2}})"), ConfigError,
               "config.json: rope_scaling.type: expected the same as rope_type, found 'yarn'");
  EXPECT_ERROR(read_one(R"({"rope_scaling": {"type": "default"}, "rope_parameters": {}})"), ConfigError,
               "config.json: rope_scaling: expected this or rope_parameters, found both");
  EXPECT_ERROR(read_one(R"({"rope_scaling": "yarn"})"), ConfigError, "expected a JSON object, found 'yarn'");
}

TEST(RopeConfig, RefusesNumbersOutOfRange) {
  for (const auto& [json, error] : std::vector<std::pair<const char*, const char*>>{
           {R"({"rope_theta": 1})", "rope_theta: expected a number from 1.000001"},
           {R"({"rope_theta": "10000"})", "rope_theta: expected a number"},
           {R"({"rope_scaling": {"type": "linear"}})", "rope_scaling.factor: expected a value, found none"},
           {R"({"rope_scaling": {"type": "dynamic", "factor": 0.5}})", "factor: expected a number from 1.0 to"},
           {R"({"rope_scaling": {"type": "yarn", "factor": 2, "beta_fast": 1, "beta_slow": 2}})",
            "beta_fast: expected at least beta_slow"},
           {R"({"rope_scaling": {"type": "yarn", "factor": 2, "attention_factor": -1}})", "attention_factor"},
           {R"({"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 0}})",
            "original_max_position_embeddings: expected an integer from 2"},
           {R"({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}})",
            "high_freq_factor: expected more than low_freq_factor"},
           {R"({"rope_scaling": {"type": "longrope", "factor": 2, "short_factor": [1, 0], "long_factor": [1, 1]}})",
            "short_factor: expected numbers from 0.001 to 1e6, found 0"}}) {
    SCOPED_TRACE(json);
    EXPECT_ERROR(read_one(json, {4, 4096}), ConfigError, error);
  }
}

// The transformers package computes frequencies in f32.
void expect_golden(const RopeFrequencies& found, const Json& golden) {
  const auto expected = golden.at("inv_freq").get<std::vector<double>>();
  ASSERT_EQ(found.inverse.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found.inverse[i], expected[i], 1e-6 * expected[i]) << "pair " << i;
  EXPECT_NEAR(found.amplitude, golden.at("attention_scaling").get<double>(), 1e-14);
}

TEST(RopeConfig, GivesTheFrequenciesOfTransformers) {
  const Json goldens = read_json_file(std::filesystem::path(TRINE_TEST_DATA) / "families" / "rope.json");
  std::map<std::string, std::size_t> compared;
  for (const Json& golden : goldens.at("cases")) {
    SCOPED_TRACE(golden.at("name").get<std::string>());
    Json parameters = golden.at("rope_parameters");
    const auto type = parameters.at("rope_type").get<std::string>();
    const RopeContext context{golden.at("width").get<std::size_t>(),
                              golden.at("max_position_embeddings").get<std::size_t>()};
    const Json length = golden.at("seq_len");  // null: any
    // No sequence is longer than max_position_embeddings.
    if (!length.is_null() && length.get<std::size_t>() > context.max_position_embeddings) continue;
    const Json theta = golden.at("rope_theta");
    if (type == "longrope") {
      EXPECT_ERROR(read_one(Json{{"rope_theta", theta}, {"rope_scaling", parameters}}.dump(), context), ConfigError,
                   "is not supported with longrope");
      const auto original = parameters.at("original_max_position_embeddings").get<std::size_t>();
      if (!length.is_null() && length.get<std::size_t>() > original) continue;
      // What the whole context says of the factor, and then a context that can be had.
      if (!parameters.contains("factor"))
        parameters["factor"] = static_cast<double>(context.max_position_embeddings) / static_cast<double>(original);
      expect_golden(rope_frequencies(read_one(Json{{"rope_theta", theta}, {"rope_scaling", parameters}}.dump(),
                                              {context.head_dim, original})),
                    golden);
    } else {
      expect_golden(
          rope_frequencies(read_one(Json{{"rope_theta", theta}, {"rope_scaling", parameters}}.dump(), context)),
          golden);
      parameters["rope_theta"] = theta;
      expect_golden(rope_frequencies(read_one(Json{{"rope_parameters", parameters}}.dump(), context)), golden);
    }
    ++compared[type];
  }
  EXPECT_THAT(compared, testing::ElementsAre(testing::Pair("default", 2), testing::Pair("dynamic", 1),
                                             testing::Pair("linear", 1), testing::Pair("llama3", 1),
                                             testing::Pair("longrope", 2), testing::Pair("yarn", 11)));
}

}  // namespace
}  // namespace trine
