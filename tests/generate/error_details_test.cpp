// SPDX-License-Identifier: Apache-2.0
// What errors of every reader carry besides their message, also in a directory whose name no terminal should see.
#include <trine/core/error.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/generation_config.hpp>
#include <trine/generate/self_test.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/atomic_file.hpp>
#include <trine/text/chat/chat_template.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "generate/golden_input.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;

Json tokenizer_json() {
  return Json::parse(R"({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], "unk_token": null}})");
}

// A good model directory to break, "model" below a folder of a given name.
class Files {
 public:
  explicit Files(const fs::path& folder = "") : folder_(folder) {
    for (const char* file : {"config.json", "weights.json", "weights.bin"})
      directory_.write(folder_ / file, read_text_file(test::golden_path("full_attention") / file, 1 << 20U));
    write("tokenizer.json", tokenizer_json().dump());
  }

  [[nodiscard]] fs::path path(const fs::path& file = "") const {
    return file.empty() ? directory_.path() / folder_ : directory_.path() / folder_ / file;
  }
  void write(const fs::path& file, std::string_view text) const { directory_.write(folder_ / file, text); }
  void remove(const fs::path& file) const { fs::remove(path(file)); }
  // Sets what a JSON pointer leads to; null for a value removes it.
  void set(const fs::path& file, const std::string& pointer, const Json& value) const {
    Json json = read_json_file(path(file));
    const Json::json_pointer at(pointer);
    if (value.is_null()) {
      json[at.parent_pointer()].erase(at.back());
    } else {
      json[at] = value;
    }
    write(file, json.dump());
  }
  void replace_weights(const std::string& safetensors) const {
    remove("weights.json");
    remove("weights.bin");
    write("model.safetensors", safetensors);
  }

  [[nodiscard]] Model load_model() const { return Model::load(path()); }
  void save_session() const {
    Session session(load_model());
    session.forward(std::array<TokenId, 3>{1, 2, 3});
    session.save(path("a.session"));
  }
  void render(const std::string& chat_template) const {
    write("chat_template.jinja", chat_template);
    const auto conversation = nlohmann::ordered_json::parse(R"([{"role": "user", "content": "x"}])");
    static_cast<void>(ChatTemplate::load(path()).render({.messages = conversation}));
  }

 private:
  test::TemporaryDirectory directory_;
  fs::path folder_;
};

std::string safetensors(const std::string& dtype, const std::string& bytes) {
  test::SafetensorsFileWriter writer;
  writer.add("embed_tokens.weight", dtype, {1}, bytes);
  return writer.file();
}

enum class Type : std::uint8_t { file, config, weight, tokenizer, chat, input, capacity, cancelled };

struct Case {
  std::string name;
  std::function<void(const Files&)> fails;
  Type type;
  ErrorKind kind;
  std::string file;  // below the directory; "." for itself, "" for none
  std::string field;
};

std::vector<Case> cases() {
  const auto load = [](const Files& files) { static_cast<void>(files.load_model()); };
  const auto with = [](const std::string& file, const std::string& pointer, const Json& value, auto then) {
    return [=](const Files& files) {
      files.set(file, pointer, value);
      then(files);
    };
  };
  const auto config = [=](const std::string& pointer, const Json& value) {
    return with("config.json", pointer, value, load);
  };
  const auto manifest = [=](const std::string& pointer, const Json& value) {
    return with("weights.json", pointer, value, load);
  };
  const auto tokenizer = [=](const std::string& pointer, const Json& value) {
    return with("tokenizer.json", pointer, value,
                [](const Files& files) { static_cast<void>(Tokenizer::load(files.path())); });
  };
  const auto settings = [=](const std::string& text) {
    return [=](const Files& files) {
      files.write("generation_config.json", text);
      static_cast<void>(read_generation_config(files.path()));
    };
  };
  const auto weights = [=](const std::string& bytes) {
    return [=](const Files& files) {
      files.replace_weights(bytes);
      load(files);
    };
  };
  const auto restore = [=](const std::function<void(const Files&, std::string&)>& change) {
    return [=](const Files& files) {
      files.save_session();
      std::string bytes = read_text_file(files.path("a.session"), 1 << 20U);
      change(files, bytes);
      files.write("a.session", bytes);
      Session(files.load_model()).restore(files.path("a.session"));
    };
  };
  const auto chat = [](const std::string& text) { return [=](const Files& files) { files.render(text); }; };
  const auto open = [](const SessionOptions& options) {
    return [=](const Files& files) { static_cast<void>(Session(files.load_model(), options)); };
  };
  using enum ErrorKind;
  return {
      // config.json
      {"NoConfig", [=](const Files& f) { f.remove("config.json"), load(f); }, Type::file, not_found, "config.json", ""},
      {"NoJson", [=](const Files& f) { f.write("config.json", "{"), load(f); }, Type::config, damaged, "config.json",
       ""},
      {"KeyTwice", [=](const Files& f) { f.write("config.json", R"({"a": 1, "a": 1})"), load(f); }, Type::config,
       damaged, "config.json", "a"},
      {"NoModelType", config("/model_type", nullptr), Type::config, damaged, "config.json", "model_type"},
      {"OtherModelType", config("/model_type", "gpt2"), Type::config, unsupported, "config.json", "model_type"},
      {"UnknownKey", config("/hidden_sise", 1), Type::config, unsupported, "config.json", "hidden_sise"},
      {"NoNumber", config("/hidden_size", "32"), Type::config, damaged, "config.json", "hidden_size"},
      {"OutOfRange", config("/hidden_size", 0), Type::config, out_of_range, "config.json", "hidden_size"},
      {"OtherAttention", config("/attention/kind", "4d"), Type::config, unsupported, "config.json", "attention.kind"},
      {"OtherRouter", config("/moe/router/kind", "best"), Type::config, unsupported, "config.json", "moe.router.kind"},
      {"OtherQuantization", config("/quantization_config", {{"quant_method", "bitsandbytes"}}), Type::config,
       unsupported, "config.json", "quantization_config.quant_method"},
      // weights
      {"NoWeights", [=](const Files& f) { f.remove("weights.json"), load(f); }, Type::file, not_found, ".", ""},
      {"NoBlob", [=](const Files& f) { f.remove("weights.bin"), load(f); }, Type::file, not_found, "weights.bin", ""},
      {"CutBlob", [=](const Files& f) { f.write("weights.bin", "x"), load(f); }, Type::weight, damaged, "weights.json",
       "nbytes"},
      {"NewerManifest", manifest("/version", 2), Type::config, unsupported, "weights.json", "version"},
      {"OtherType", manifest("/tensors/embed_tokens.weight/dtype", "q3"), Type::config, unsupported, "weights.json",
       "tensors.embed_tokens.weight.dtype"},
      {"WrongOffset", manifest("/tensors/embed_tokens.weight/offset", 3), Type::weight, damaged, "weights.json",
       "embed_tokens.weight"},
      {"NoTensor", manifest("/tensors/norm.weight", nullptr), Type::weight, mismatch, "weights.json", "norm.weight"},
      {"OtherShape", config("/vocab_size", 32), Type::weight, mismatch, "weights.json", "embed_tokens.weight"},
      {"NoHeader", weights("x"), Type::weight, damaged, "model.safetensors", ""},
      {"NoJsonHeader", weights(test::safetensors_file("{]", "")), Type::config, damaged, "model.safetensors", ""},
      {"UnsupportedType", weights(safetensors("F4", "x")), Type::config, unsupported, "model.safetensors",
       "embed_tokens.weight.dtype"},
      {"UnknownType", weights(safetensors("Q4_0", "x")), Type::config, damaged, "model.safetensors",
       "embed_tokens.weight.dtype"},
      {"WrongBytes", weights(safetensors("F32", "x")), Type::weight, damaged, "model.safetensors",
       "embed_tokens.weight"},
      {"NoShard",
       [=](const Files& f) {
         f.replace_weights("");
         f.remove("model.safetensors");
         f.write("model.safetensors.index.json", R"({"weight_map": {"norm.weight": "1.safetensors"}})");
         load(f);
       },
       Type::file, not_found, "1.safetensors", "norm.weight"},
      // tokenizer.json
      {"NoTokenizer", [](const Files& f) { f.remove("tokenizer.json"), static_cast<void>(Tokenizer::load(f.path())); },
       Type::file, not_found, "tokenizer.json", ""},
      {"OtherTokenizer", tokenizer("/model/type", "Unigram"), Type::tokenizer, unsupported, "tokenizer.json",
       "model.type"},
      {"OtherStep", tokenizer("/normalizer", {{"type", "Lowercase"}}), Type::tokenizer, unsupported, "tokenizer.json",
       "normalizer.type"},
      {"Suffix", tokenizer("/model/end_of_word_suffix", "</w>"), Type::tokenizer, unsupported, "tokenizer.json",
       "model.end_of_word_suffix"},
      {"WrongMerge", tokenizer("/model/merges/0", "a z"), Type::tokenizer, damaged, "tokenizer.json",
       "model.merges[0]"},
      {"NoEngine", tokenizer("/pre_tokenizer", Json::parse(R"({"type": "Split", "pattern": {"Regex": "x"},
        "behavior": "Isolated", "invert": false})")),
       Type::tokenizer, unsupported, "tokenizer.json", "pre_tokenizer.pattern.Regex"},
      // generation_config.json
      {"Beams", settings(R"({"num_beams": 4})"), Type::config, unsupported, "generation_config.json", "num_beams"},
      {"Temperature", settings(R"({"temperature": -1})"), Type::config, out_of_range, "generation_config.json",
       "temperature"},
      {"TopK", settings(R"({"top_k": "many"})"), Type::config, damaged, "generation_config.json", "top_k"},
      // chat templates
      {"NoTemplate", [](const Files& f) { static_cast<void>(ChatTemplate::load(f.path())); }, Type::chat, not_found,
       ".", ""},
      {"OtherFilter", chat("{{ 1 | uper }}"), Type::chat, unsupported, "chat_template.jinja", ""},
      {"NoEnd", chat("{% if x %}"), Type::chat, damaged, "chat_template.jinja", ""},
      {"Refuses", chat("{{ raise_exception('no') }}"), Type::chat, rejected, "chat_template.jinja", ""},
      {"Large", chat("{{ range(1000000) }}"), Type::chat, does_not_fit, "chat_template.jinja", ""},
      {"TemplateInConfig",
       [](const Files& f) {
         f.write("tokenizer_config.json", R"({"chat_template": "{{ 1 | uper }}"})");
         static_cast<void>(ChatTemplate::load(f.path()));
       },
       Type::chat, unsupported, "tokenizer_config.json", "chat_template"},
      // sessions
      {"NoSession", [](const Files& f) { Session(f.load_model()).restore(f.path("a.session")); }, Type::file, not_found,
       "a.session", ""},
      {"CutSession", restore([](const Files&, std::string& bytes) { bytes.pop_back(); }), Type::file, damaged,
       "a.session", ""},
      {"NewerSession", restore([](const Files&, std::string& bytes) { bytes[8] = 2; }), Type::file, unsupported,
       "a.session", ""},
      {"SessionOfAnother", restore([](const Files& f, std::string&) { f.set("config.json", "/rope_theta", 5000.0); }),
       Type::file, mismatch, "a.session", ""},
      {"SmallContext",
       [](const Files& f) {
         f.save_session();
         Session(f.load_model(), {.context_length = 2}).restore(f.path("a.session"));
       },
       Type::capacity, does_not_fit, "a.session", "context_length"},
      {"NoFolder", [](const Files& f) { AtomicFile(f.path("none/a")); }, Type::file, not_found, "none/a", ""},
      {"IsFolder", [](const Files& f) { AtomicFile(f.path()); }, Type::file, io, ".", ""},
      {"Context", open({.context_length = 1000000}), Type::input, out_of_range, "", "context_length"},
      {"Threads", open({.num_threads = 5000}), Type::input, out_of_range, "", "num_threads"},
      {"TooLong",
       [](const Files& f) {
         static_cast<void>(Session(f.load_model(), {.context_length = 2}).forward(std::array<TokenId, 3>{1, 2, 3}));
       },
       Type::capacity, does_not_fit, "", "context_length"},
      {"Features",
       [](const Files& f) { static_cast<void>(Session(f.load_model()).forward_features(View<const float, 3>())); },
       Type::input, unsupported, "", ""},
      {"Cancelled",
       [](const Files& f) {
         std::stop_source stop;
         stop.request_stop();
         Session session(f.load_model());
         static_cast<void>(session.forward(std::array<TokenId, 1>{1}, OutputRows::last, stop.get_token()));
       },
       Type::cancelled, cancelled, "", ""},
      {"Interrupted",
       [](const Files& f) {
         std::stop_source stop;
         stop.request_stop();
         Session session(f.load_model());
         EXPECT_THROW(session.forward(std::array<TokenId, 1>{1}, OutputRows::last, stop.get_token()), CancelledError);
         static_cast<void>(session.forward(std::array<TokenId, 1>{1}));
       },
       Type::input, wrong_state, "", ""},
      // self_test.json
      {"SelfTest",
       [](const Files& f) {
         f.write("self_test.json", R"({"format": "trine-self-test", "version": 1, "cases": [{"tokens": 7}]})");
         static_cast<void>(read_self_test(f.path("self_test.json")));
       },
       Type::config, damaged, "self_test.json", "cases[0].tokens"},
  };
}

bool is_a(Type type, const Error& error) {
  const auto is = [&]<class E>(const E*) { return dynamic_cast<const E*>(&error) != nullptr; };
  switch (type) {
    case Type::file:
      return is(static_cast<const FileError*>(nullptr));
    case Type::config:
      return is(static_cast<const ConfigError*>(nullptr));
    case Type::weight:
      return is(static_cast<const WeightError*>(nullptr));
    case Type::tokenizer:
      return is(static_cast<const TokenizerError*>(nullptr));
    case Type::chat:
      return is(static_cast<const TemplateError*>(nullptr));
    case Type::input:
      return is(static_cast<const InputError*>(nullptr));
    case Type::capacity:
      return is(static_cast<const CapacityError*>(nullptr));
    case Type::cancelled:
      return is(static_cast<const CancelledError*>(nullptr));
  }
  return false;
}

void expect_error(const Case& expected, const Files& files) {
  try {
    expected.fails(files);
    ADD_FAILURE() << "expected an error, found none";
  } catch (const Error& error) {
    EXPECT_TRUE(is_a(expected.type, error)) << error.what();
    EXPECT_EQ(to_string(error.kind()), to_string(expected.kind)) << error.what();
    EXPECT_EQ(error.field(), expected.field) << error.what();
    const std::string path = expected.file.empty()  ? ""
                             : expected.file == "." ? files.path().string()
                                                    : files.path(expected.file).string();
    EXPECT_EQ(error.path(), path) << error.what();
    EXPECT_EQ(printable(error.what()), error.what());
    if (!path.empty()) {
      EXPECT_THAT(error.what(), testing::HasSubstr(printable(files.path().string())));
    }
  }
}

class ErrorDetailsOf : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, ErrorDetailsOf, testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_P(ErrorDetailsOf, AreKindPathAndField) { expect_error(GetParam(), Files("model")); }

TEST_P(ErrorDetailsOf, AreRightInADirectoryWithAHostileName) {
  expect_error(GetParam(), Files("m\x1b]0;owned\x07\n\xff\xc2\x9b"
                                 "31m ä"));
}

}  // namespace
}  // namespace trine
