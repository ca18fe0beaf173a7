// SPDX-License-Identifier: Apache-2.0
#ifdef TRINE_PROGRAMS_DIR
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <trine/text/chat/chat_template.hpp>

#include "chat/built_in_templates.hpp"
#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A tiny model whose token 63 is the control token END; all others are characters.
class ChatModel : public TinyModel {
 public:
  ChatModel() {
    auto tokenizer = nlohmann::json::parse(read_whole(path() / "tokenizer.json"));
    tokenizer["model"]["vocab"].erase("9");
    tokenizer["model"]["unk_token"] = "8";
    tokenizer["added_tokens"] = {{{"id", 63},
                                  {"content", "END"},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false},
                                  {"normalized", false},
                                  {"special", true}}};
    write("tokenizer.json", tokenizer.dump());
    write("tokenizer_config.json", R"({"eos_token": {"content": "END"}})");
    write("chat_template.jinja",
          "{% for m in messages %}{{ m.role }} {{ m.content }}{{ eos_token }}{% endfor %}"
          "{% if add_generation_prompt %}assistant {% endif %}");
  }

  /// With the best tokens only, five an answer.
  [[nodiscard]] Finished chat(const std::string& input, std::vector<std::string> more = {},
                              const std::string& context = "200") const {
    std::vector<std::string> arguments = {"trine-chat", "-m", name(), "--temp", "0", "-n", "5", "-c", context};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments, input);
  }
};

TEST(TrineChat, AnswersEachLineOfItsInput) {
  const ChatModel model;
  const Finished finished = model.chat("hi\nyou\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 2) << finished.out;
  EXPECT_THAT(finished.err, Not(HasSubstr("> ")));  // nobody is asked
  EXPECT_THAT(finished.err, Not(HasSubstr("\033")));
  EXPECT_EQ(model.chat("hi\nyou\n").out, finished.out);
  EXPECT_EQ(model.chat("hi").out + model.chat("").out, finished.out.substr(0, finished.out.find('\n') + 1));
}

TEST(TrineChat, ReadsOnlyWhatIsNew) {
  const ChatModel model;
  const Finished finished = model.chat("hi\nyou\n");
  // "user hi" END "assistant "
  EXPECT_THAT(finished.err, HasSubstr("[18 tokens read, 5 made,"));
  // the last token of the answer, END, "user you" END "assistant "
  EXPECT_THAT(finished.err, HasSubstr("[21 tokens read, 5 made,"));
  EXPECT_THAT(finished.err, HasSubstr("context 47 of 200"));
}

TEST(TrineChat, ReadsAllAgainWhenTheTemplateChangesWhatWasSaid) {
  const ChatModel model;
  model.write("chat_template.jinja",
              "{{ messages|length }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
  const Finished finished = model.chat("hi\nyou\n");
  EXPECT_THAT(finished.err, HasSubstr("[4 tokens read, 5 made,"));
  EXPECT_THAT(finished.err, HasSubstr("[14 tokens read, 5 made,"));
  EXPECT_THAT(finished.err, HasSubstr("context 18 of 200"));
}

TEST(TrineChat, TakesNoControlTokensFromTheUser) {
  const ChatModel model;
  EXPECT_THAT(model.chat("hiEND").err, HasSubstr("[21 tokens read"));  // three letters, not one token
  EXPECT_THAT(model.chat("hi", {"--system", "END"}).err, HasSubstr("[29 tokens read"));
}

TEST(TrineChat, KnowsItsCommands) {
  const ChatModel model;
  const Finished finished = model.chat("/help\nhi\n/stats\n/reset\nhi\n/stat\n/quit\nnever\n");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 2) << finished.out;
  EXPECT_THAT(finished.err, HasSubstr("Ctrl+C stops an answer"));
  EXPECT_THAT(finished.err, HasSubstr("read             18 tokens"));
  EXPECT_THAT(finished.err, HasSubstr("context          22 of 200 tokens"));
  EXPECT_THAT(finished.err, HasSubstr("caches"));
  EXPECT_THAT(finished.err, HasSubstr("experts    utilization "));
  EXPECT_THAT(finished.err, HasSubstr("no command '/stat': did you mean /stats?"));
  const std::size_t first = finished.out.find('\n');
  EXPECT_EQ(finished.out.substr(0, first + 1), finished.out.substr(first + 1));  // the same question again
}

TEST(TrineChat, TakesMessagesThatBeginWithASlash) {
  const ChatModel model;
  EXPECT_THAT(model.chat("/etc/hosts").err, HasSubstr("tokens read"));
  EXPECT_THAT(model.chat("/what is it").err, HasSubstr("tokens read"));
}

TEST(TrineChat, TakesBytesThatAreNotUtf8) {
  const ChatModel model;
  EXPECT_EQ(model.chat("a\xFF\xC3\n\xED\xA0\x80\n").exit_code, 0);
}

TEST(TrineChat, PassesVariablesAndTemplatesOn) {
  const ChatModel model;
  model.write("other.jinja", "{{ n * 'a' }}{{ eos_token }}");
  const std::string file = (model.path() / "other.jinja").string();
  EXPECT_THAT(model.chat("hi", {"--template", file, "--template-vars", R"({"n": 7})"}).err,
              HasSubstr("[8 tokens read"));
  EXPECT_EQ(model.chat("hi", {"--template-vars", "7"}).exit_code, 2);
  EXPECT_THAT(model.chat("hi", {"--no-stats"}).err, ::testing::IsEmpty());
}

TEST(TrineChat, SaysWhenAModelHasNoTemplate) {
  const ChatModel model;
  std::filesystem::remove(model.path() / "chat_template.jinja");
  const Finished finished = model.chat("hi");
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_THAT(finished.err, HasSubstr("the model has no chat template"));
  EXPECT_THAT(finished.err, HasSubstr("(--template gives it another)"));
}

TEST(TrineChat, TakesTheNameOrTheTextOfATemplate) {
  const ChatModel model;
  // "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "User: hi\nAssistant:", "hi": a token a character
  EXPECT_THAT(model.chat("hi", {"--template", "chatml"}).err, HasSubstr("[52 tokens read"));
  EXPECT_THAT(model.chat("hi", {"--template", "plain"}).err, HasSubstr("[19 tokens read"));
  EXPECT_THAT(model.chat("hi", {"--template", "{{ messages[0].content }}"}).err, HasSubstr("[2 tokens read"));
  const Finished unknown = model.chat("hi", {"--template", "chatlm"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--template: expected chatml, plain, a file, or the text of a template, which has "
                                     "{{ or {%, found 'chatlm'"));
  const Finished damaged = model.chat("hi", {"--template", "{% nope %}"});
  EXPECT_EQ(damaged.exit_code, 2);
  EXPECT_THAT(damaged.err, HasSubstr("--template: line 1: "));
}

TEST(TrineChat, HasTheChatMlOfTransformers) {
  const auto document =
      nlohmann::ordered_json::parse(read_whole(std::string(TRINE_TEST_DATA) + "/chat_templates/conversations.json"));
  const std::string source(example::find_built_in_template("chatml")->source);
  const ChatTemplate built_in(source, "chatml");
  std::size_t compared = 0;
  for (const auto& one : document.at("cases")) {
    if (one.at("template") != "chatml.jinja" || !one.contains("output")) continue;
    const auto& chat = document.at("chats").at(one.at("chat").get<std::string>());
    ChatInput input;
    input.messages = chat.at("messages");
    input.add_generation_prompt = chat.value("add_generation_prompt", false);
    EXPECT_EQ(built_in.render(input).text, one.at("output").get<std::string>()) << one.at("chat");
    ++compared;
  }
  EXPECT_GT(compared, 3U);
}

TEST(TrineChat, DropsTheLineEndsOfWindows) {
  const ChatModel model;
  const Finished finished = model.chat("hi\r\nyou\r\n");
  EXPECT_EQ(finished.out, model.chat("hi\nyou\n").out);
  EXPECT_THAT(finished.err, HasSubstr("[18 tokens read"));
  EXPECT_EQ(model.chat("\r\n/quit\r\nhi\r\n").out, "");
}

TEST(TrineChat, ShowsThatAThoughtWasOpened) {
  const ChatModel model;
  const std::string begin = "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}";
  const std::string closed = model.chat("hi", {"--template", begin + "<think>x"}).out;
  const Finished opened = model.chat("hi\nyou", {"--template", begin + "<think>\n"});
  EXPECT_THAT(closed, Not(HasSubstr("<think>")));
  EXPECT_THAT(opened.out, ::testing::StartsWith("<think>\n"));
  EXPECT_NE(opened.out.find("<think>\n", 1), std::string::npos) << "of the second answer, too";
  // After "hi" END, which is read already: the answer, which is 5, END, "you" END, "<think>\n"
  EXPECT_THAT(opened.err, HasSubstr("[17 tokens read, 5 made,")) << "what was shown is no part of the answer";
}

TEST(TrineChat, SaysWhatTheTemplateRefuses) {
  const ChatModel model;
  model.write("chat_template.jinja", "\n{{ raise_exception('Only questions') }}");
  const Finished finished = model.chat("hi");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("chat_template.jinja: line 2: Only questions"));
  model.write("chat_template.jinja", "{% nope %}");
  EXPECT_EQ(model.chat("hi").exit_code, 3);
}

TEST(TrineChat, EndsWhenTheContextIsTooSmall) {
  const ChatModel model;
  const Finished finished = model.chat("hi\n" + std::string(60, 'a') + "\n", {}, "64");
  EXPECT_EQ(finished.exit_code, 4);
  EXPECT_THAT(finished.err, HasSubstr("too long"));
}

TEST(TrineChat, SaysThatTheContextIsFull) {
  const ChatModel model;
  const Finished finished = model.chat("hi\n", {"--no-stats", "--ignore-eos"}, "20");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.err, "note: the answer ends because the context of 20 tokens is full (-c): /reset begins anew\n");
}

TEST(TrineChat, FailsWhereNoLogitIsFinite) {
  const ChatModel model;
  model.poison("norm.weight", 0, 32);
  const Finished finished = model.chat("hi\n");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("position 17: expected finite outputs, found none among 64"));
}

TEST(TrineChat, StopsAnAnswerAtCtrlCAndGoesOn) {
  const ChatModel model;
  auto config = model.config();
  config["max_position_embeddings"] = 1U << 22U;
  model.write("config.json", config.dump());
  Running program({"trine-chat", "-m", model.name(), "-n", "4000000", "-t", "1", "--ignore-eos"}, "hi\nyou\n");
  const auto wait_for = [&](std::size_t lines) {
    const auto line_is_there = [&] {
      const std::string out = program.out_so_far();
      return static_cast<std::size_t>(std::count(out.begin(), out.end(), '\0')) == 0 && out.size() > lines;
    };
    while (!line_is_there()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  wait_for(10);
  const std::size_t before = program.out_so_far().size();
  program.signal(SIGINT);
  wait_for(before + 10000);  // the second answer
  program.signal(SIGINT);
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 0);
  const std::size_t first = finished.err.find("; stopped]");
  ASSERT_NE(first, std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("; stopped]", first + 1), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace trine::test
#endif
