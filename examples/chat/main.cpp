// SPDX-License-Identifier: Apache-2.0
// A conversation with a model, in the form of its chat template.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <trine/generate/chat_session.hpp>
#include <trine/trine.hpp>

#include "built_in_templates.hpp"
#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/sampling.hpp"
#include "common/terminal.hpp"

namespace {

struct Options {
  example::ModelOptions model;
  example::GenerationOptions generation{1024};
  std::string system;
  std::string chat_template;
  std::string variables = "{}";
  bool stats = true;

  void add_inplace(CLI::App& app) {
    model.add_model(app);
    model.add_allow_unknown(app);
    app.add_option("--system", system, "A system message to begin with")->type_name("TEXT");
    app.add_option("--template", chat_template,
                   "A chat template in place of the model's: chatml, plain, a file, or the text of one")
        ->type_name("TEMPLATE");
    app.add_option("--template-vars", variables, "Variables for the template, such as {\"enable_thinking\": false}")
        ->type_name("JSON");
    generation.add_max_new_tokens(app, "Most tokens of an answer");
    model.add_context(app, "Most tokens of the conversation; 0: what the model was made for");
    model.add_threads(app);
    model.add_activations(app);
    model.add_cache_type(app);
    model.add_attention(app);
    model.add_reproducible(app);
    model.add_lora(app);
    generation.add_sampling(app);
    app.add_flag("!--no-stats", stats, "Do not print the speed after each answer")->group("Output");
  }
};

constexpr const char* kHelp =
    "  /help    this list\n"
    "  /reset   forget the conversation\n"
    "  /stats   tokens, speed, context, memory and load of the experts\n"
    "  /quit    leave; Ctrl+D does, too\n"
    "Ctrl+C stops an answer; a second one leaves.\n";

class Chat {
 public:
  explicit Chat(const Options& options)
      : options_(options),
        built_in_(example::find_built_in_template(options.chat_template)),
        generate_(options.generation.for_model(options.model.directory)),
        chat_(make_chat()) {
    options.generation.announce_seed();
    if (built_in_ != nullptr) generate_.stop_strings.emplace_back(built_in_->stop);
  }

  /// Until the input ends or the user leaves.
  void run() {
    if (terminal_) std::fprintf(stderr, "Type a message, or /help.\n");
    for (std::string line; read(line);) {
      if (line.empty()) continue;
      if (line == "/quit" || line == "/exit") return;
      if (line.front() == '/' && run_command(line)) continue;
      answer(line);
    }
    if (terminal_) std::fprintf(stderr, "\n");
  }

 private:
  [[nodiscard]] trine::ChatSession make_chat() {
    const trine::Model model = options_.model.load();
    example::require_fit(model, options_.model.context_length);
    trine::ChatTemplate chat_template = options_.chat_template.empty() ? template_of_model() : template_of_user();
    auto variables = nlohmann::ordered_json::parse(options_.variables, nullptr, false);
    if (!variables.is_object()) throw example::UsageError("--template-vars: expected a JSON object");
    trine::Session session(model, {.context_length = options_.model.context_length,
                                   .num_threads = options_.model.num_threads,
                                   .activations = options_.model.activations,
                                   .reproducible = options_.model.reproducible,
                                   .kv_cache_dtype = options_.model.kv_cache_dtype(),
                                   .observer = trine::borrow(experts_),
                                   .adapters = options_.model.load_adapters(model)});
    trine::ChatOptions chat;
    chat.system = options_.system;
    chat.variables = std::move(variables);
    chat.drop_old_turns = false;  // a conversation that has no room is an error here
    return {std::move(session), options_.model.load_tokenizer(), std::move(chat_template), std::move(chat)};
  }

  [[nodiscard]] trine::ChatTemplate template_of_model() const {
    try {
      return example::read_from_model([&] { return trine::ChatTemplate::load(options_.model.directory); });
    } catch (const example::UnreadableModel& error) {
      throw example::UnreadableModel(std::string(error.what()) + " (--template gives it another)");
    }
  }

  /// What --template names; it knows the tokens of the model, where these are written down.
  [[nodiscard]] trine::ChatTemplate template_of_user() const {
    const std::string& given = options_.chat_template;
    const auto tokens =
        example::read_from_model([&] { return trine::ChatTemplate::read_special_tokens(options_.model.directory); });
    if (built_in_ != nullptr) return {built_in_->source, given, tokens};
    if (given.find("{{") != std::string::npos || given.find("{%") != std::string::npos) {
      try {
        return {given, "--template", tokens};
      } catch (const trine::TemplateError& error) {
        throw example::UsageError(error.what());
      }
    }
    std::error_code ignored;
    if (!std::filesystem::exists(given, ignored))
      throw example::UsageError(
          "--template: expected chatml, plain, a file, or the text of a template, which has {{ or {%, found " +
          trine::in_quotes(given));
    return example::read_from_model([&] { return trine::ChatTemplate::from_file(given, tokens); });
  }

  bool read(std::string& line) {
    interrupt_.rearm(true);
    if (terminal_) std::fprintf(stderr, "%s> %s", colored_ ? "\033[1;32m" : "", colored_ ? "\033[0m" : "");
    if (!std::getline(std::cin, line)) return false;
    if (!line.empty() && line.back() == '\r') line.pop_back();  // of a file with line ends of Windows
    return true;
  }

  /// False when it is none, and so is a message.
  bool run_command(const std::string& line) {
    if (line == "/help") {
      std::fprintf(stderr, "%s", kHelp);
    } else if (line == "/reset") {
      chat_.reset();
      std::fprintf(stderr, "The conversation is forgotten.\n");
    } else if (line == "/stats") {
      print_stats();
    } else {
      const std::vector<std::string> known = {"/help", "/reset", "/stats", "/quit"};
      if (line.find(' ') != std::string::npos || line.find('/', 1) != std::string::npos) return false;  // /etc/passwd
      std::fprintf(stderr, "no command %s%s\n", trine::in_quotes(line).c_str(),
                   trine::nearest_hint(line, known, ": did you mean ", "?").c_str());
    }
    return true;
  }

  void answer(const std::string& user) {
    interrupt_.rearm(false);
    generate_.cancel = interrupt_.token();
    try {
      const trine::ChatResult result = chat_.send(user, generate_, [](std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return example::try_flush_output();
      });
      if (result.tokens.empty() && generate_.cancel.stop_requested())
        throw trine::CancelledError("cancelled by the caller");
      ++generate_.sampling.seed;  // or every answer would take the same chances
      std::fprintf(stdout, "\n");
      example::flush_output();
      show(result);
    } catch (const trine::Error& error) {  // someone at a terminal can go on: with /reset, or other words
      std::fprintf(stdout, "\n");
      std::fflush(stdout);
      if (!terminal_) throw;
      const bool stopped = dynamic_cast<const trine::CancelledError*>(&error) != nullptr;
      std::fprintf(stderr, stopped ? "stopped before the answer\n" : "error: %s\n", error.what());
    }
  }

  void show(const trine::ChatResult& result) const {
    if (result.non_finite_logits > 0)
      std::fprintf(stderr, "note: %zu logits were not finite\n", result.non_finite_logits);
    if (result.reason == trine::FinishReason::context_full)
      std::fprintf(stderr, "note: the answer ends because the context of %zu tokens is full (-c): /reset begins anew\n",
                   chat_.session().context_length());
    if (!options_.stats) return;
    std::fprintf(stderr, "%s[%zu tokens read, %zu made, %.1f tokens/s; context %zu of %zu%s]%s\n",
                 colored_ ? "\033[2m" : "", result.prefill_tokens, result.tokens.size(),
                 static_cast<double>(result.tokens.size()) / std::max(result.decode_seconds, 1e-9),
                 chat_.session().position(), chat_.session().context_length(), how_it_ended(result.reason),
                 colored_ ? "\033[0m" : "");
  }

  [[nodiscard]] const char* how_it_ended(trine::FinishReason reason) const {
    if (generate_.cancel.stop_requested()) return "; stopped";
    return reason == trine::FinishReason::length ? "; not at its end: see -n" : "";
  }

  void print_stats() const {
    const trine::Session& session = chat_.session();
    const trine::ChatStatistics& sums = chat_.statistics();
    const auto line = [](const char* what, std::size_t tokens, double seconds, double per_second) {
      std::fprintf(stderr, "%-10s %8zu tokens %9.2f s %9.1f tokens/s\n", what, tokens, seconds, per_second);
    };
    line("read", sums.prefill_tokens, sums.prefill_seconds, sums.prefill_tokens_per_second());
    line("made", sums.generated_tokens, sums.decode_seconds, sums.decode_tokens_per_second());
    std::fprintf(stderr, "%-10s %8zu of %zu tokens\n", "context", session.position(), session.context_length());
    std::fprintf(stderr, "%-10s %11s\n", "caches",
                 example::with_unit(static_cast<double>(session.cache_bytes())).c_str());
    if (experts_.layers() == 0) return;
    const trine::LoadBalance load = experts_.overall();
    std::fprintf(stderr, "%-10s utilization %s (1 = even), %s of the experts used\n", "experts",
                 example::fixed(load.utilization, 3).c_str(), example::percent(load.experts_used, 0).c_str());
  }

  const Options& options_;
  const example::BuiltInTemplate* built_in_;  // nullptr: the template is another one
  bool terminal_ = ::isatty(STDIN_FILENO) == 1;
  bool colored_ = example::shows_colors(stderr);
  example::Interrupt interrupt_;  // before the session makes threads
  trine::RoutingStats experts_;
  trine::GenerateOptions generate_;
  trine::ChatSession chat_;
};

}  // namespace

int main(int argc, char** argv) {
  example::Program program("trine-chat", "A conversation with a model: each line is a turn.",
                           "trine-chat -m MODEL_DIRECTORY");
  Options options;
  options.add_inplace(program);
  program.advise({"-p", "--prompt", "-f", "--file"},
                 "messages come from standard input, a line each; --system TEXT begins the conversation");
  return program.run(argc, argv, [&] { Chat(options).run(); });
}
