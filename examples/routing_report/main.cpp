// SPDX-License-Identifier: Apache-2.0
// Runs a text, or two, through a model and draws which experts did the work.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/printable.hpp>
#include <trine/generate/session.hpp>
#include <trine/platform/atomic_file.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/windows.hpp"
#include "layer_list.hpp"
#include "routing_picture.hpp"

namespace {

class Report {
 public:
  explicit Report(example::Program& program) {
    options_.add_model(program);
    options_.add_allow_unknown(program);
    auto* input = program.add_option_group("input", "One of these");
    input->add_option("-p,--prompt", prompt_, "The text")->type_name("TEXT");
    input->add_option("-f,--file", files_, "A file with the text; -: standard input. Twice: two texts are compared")
        ->type_name("FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    input->require_option(-1);  // at most
    prompt_option_ = input->get_option("--prompt");
    program.add_option("-o,--output", output_, "Where the figure goes")->required()->type_name("FILE");
    program
        .add_option("--csv", csv_, "Where all decisions go: layer,token,rank,expert,weight; of two texts, text first")
        ->type_name("FILE");
    options_.add_context(program, "Tokens of a window; 0: 512, or as many as the model can");
    program.add_option("--layers", layers_, "Layers that are drawn, such as 0,5-7; otherwise all, in (b) up to 8")
        ->type_name("LIST");
    program
        .add_option("--top", picture_.top, "Experts of each token, best first; 0: all of up to 16, the best of more")
        ->type_name("N")
        ->check(example::whole_number());
    program.add_flag("--sort", picture_.by_load, "Experts in order of their load, the busiest first");
    program.add_option("--show", picture_.tokens_shown, "How many tokens are drawn; the load counts all")
        ->type_name("N")
        ->check(example::whole_number());
    program.add_option("--title", picture_.model, "Name of the model; empty: that of its directory");
    options_.add_threads(program);
  }

  void run() {
    if (files_.empty() && prompt_option_->count() == 0)
      throw example::UsageError("a text is missing: -p TEXT, -f FILE or, for standard input, -f - (--help explains)");
    if (files_.size() > 2)
      throw example::UsageError("-f: expected at most two files, found " + std::to_string(files_.size()));
    if (files_.size() == 2 && files_[0] == "-" && files_[1] == "-")
      throw example::UsageError("-f: expected standard input once, found it twice");
    std::vector<example::NamedFile> inputs;
    for (const std::string& file : files_) inputs.push_back({"--file", file});
    example::check_outputs({{"--output", output_}, {"--csv", csv_}}, inputs, options_.directory);
    const trine::Model model = options_.load();
    if (!model.info().is_routed()) throw trine::InputError("this model is dense, it has no routers");
    const trine::Tokenizer tokenizer = options_.load_tokenizer();
    const example::Interrupt interrupt;
    const std::size_t texts = std::max<std::size_t>(files_.size(), 1);
    std::vector<trine::RoutingTrace> traces(
        texts, csv_.empty() ? trine::RoutingTrace(picture_.tokens_shown) : trine::RoutingTrace());
    std::vector<example::RoutedText> routed(texts);
    for (std::size_t i = 0; i < texts; ++i) {
      const auto ids = tokenizer.encode(files_.empty() ? prompt_ : example::read_text(files_[i]));
      read(model, ids, traces[i], interrupt.token());
      routed[i] = {files_.empty() ? "" : example::escaped(files_[i]), &traces[i], {}};
      for (std::size_t t = 0; t < std::min(ids.size(), picture_.tokens_shown); ++t)
        routed[i].tokens.emplace_back(tokenizer.has_token(ids[t]) ? tokenizer.token_bytes(ids[t]) : "?");
    }
    picture_.layers = example::chosen_layers(layers_, example::detail::routed_layers(traces[0]));
    if (picture_.model.empty())
      picture_.model = trine::printable(std::filesystem::canonical(options_.directory).filename().string());
    picture_.architecture = model.info().summary;
    write(traces, example::routing_picture(routed, picture_));
    for (std::size_t i = 0; i < texts; ++i)
      std::fprintf(stderr, "%s: %zu tokens, utilization %.3f\n",
                   trine::printable(texts == 1 ? output_ : files_[i]).c_str(), traces[i].tokens(),
                   traces[i].stats().overall().utilization);
    example::note_non_finite_logits(non_finite_logits_);
  }

 private:
  /// In windows, as trine-perplexity reads a text.
  void read(const trine::Model& model, const std::vector<trine::TokenId>& ids, trine::RoutingTrace& trace,
            const std::stop_token& stop) {
    if (ids.empty()) throw trine::InputError("expected at least one token or frame, found none");
    const std::size_t window = example::window_size(model, options_.context_length);
    trine::Session session(
        model, {.context_length = window, .num_threads = options_.num_threads, .observer = trine::borrow(trace)});
    example::ProgressBar progress("reading", ids.size(), "tokens");
    example::for_each_window(ids.size(), window, [&](std::size_t begin, std::size_t count) {
      session.reset();
      session.forward(std::span(ids).subspan(begin, count), trine::OutputRows::last, stop);
      non_finite_logits_ += session.non_finite_outputs();
      progress.update(begin + count);
    });
  }

  void write(const std::vector<trine::RoutingTrace>& traces, const std::string& svg) const {
    trine::AtomicFile picture(output_);
    picture.write(svg);
    if (!csv_.empty()) {
      trine::AtomicFile table(csv_);
      table.write(traces.size() == 1 ? traces[0].to_csv() : joined(traces[0].to_csv(), traces[1].to_csv()));
      table.commit();
    }
    picture.commit();
  }

  /// Two tables as one, with a first column that names the text.
  [[nodiscard]] static std::string joined(const std::string& a, const std::string& b) {
    std::string table;
    const auto add = [&](const std::string& lines, const char* name, std::size_t begin) {
      while (begin < lines.size()) {
        const std::size_t end = lines.find('\n', begin) + 1;
        table += std::string(name) + "," + lines.substr(begin, end - begin);
        begin = end;
      }
    };
    const std::size_t head = a.find('\n') + 1;
    add(a.substr(0, head), "text", 0);
    add(a, "A", head);
    add(b, "B", head);
    return table;
  }

  example::ModelOptions options_;
  const CLI::Option* prompt_option_ = nullptr;
  std::string prompt_;
  std::vector<std::string> files_;
  std::string output_;
  std::string csv_;
  std::string layers_;
  example::PictureOptions picture_;
  std::size_t non_finite_logits_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  example::Program program(
      "trine-routing-report",
      "Runs a text through a model and draws a figure (SVG): how much each expert of each layer had\n"
      "to do, and which experts served which token.",
      "trine-routing-report -m examples/models/shakespeare -p \"To be, or not to be\" -o routing.svg");
  Report report(program);
  return program.run(argc, argv, [&] { report.run(); });
}
