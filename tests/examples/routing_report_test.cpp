// SPDX-License-Identifier: Apache-2.0
// The figure of trine-routing-report: its size, its colours, what it draws of whom.
#ifdef TRINE_PROGRAMS_DIR
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/random.hpp>
#include <trine/stats/routing_trace.hpp>

#include "examples/run_program.hpp"
#include "examples/tiny_model.hpp"
#include "routing_report/layer_list.hpp"
#include "routing_report/routing_picture.hpp"
#include "stats/routing_events.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using example::PictureOptions;
using example::RoutedText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// Experts drawn at random, lower ones more often.
RoutingTrace random_trace(std::size_t layers, std::size_t experts, std::size_t chosen, std::size_t tokens,
                          std::uint64_t seed = 1) {
  RoutingTrace trace;
  const CounterRandom random{seed};
  std::uint64_t draw = 0;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    Decisions decisions(tokens);
    for (auto& token : decisions)
      while (token.size() < std::min(chosen, experts)) {
        const double u = random.uniform(draw++);
        const auto expert = static_cast<std::uint32_t>(u * u * static_cast<double>(experts));
        const bool taken = std::ranges::any_of(token, [&](const auto& one) { return one.first == expert; });
        if (!taken) token.emplace_back(expert, static_cast<float>(random.uniform(draw++)));
      }
    show(trace, layer, experts, decisions);
  }
  return trace;
}

RoutedText routed(const RoutingTrace& trace, const std::string& token = " word") {
  return {"a text", &trace, std::vector<std::string>(trace.tokens(), token)};
}

std::string draw(const std::vector<RoutedText>& texts, const PictureOptions& options) {
  return example::routing_picture(texts, options);
}

TEST(RoutingPicture, HasAtMost300KilobytesWhateverItShows) {
  struct Shape {
    std::size_t layers, experts, chosen, tokens;
  };
  for (const Shape& shape : {Shape{48, 128, 8, 500}, Shape{61, 384, 8, 100}, Shape{3, 65536, 2, 40},
                             Shape{300, 64, 4, 50}, Shape{200, 8, 2, 100}, Shape{4, 8, 2, 3000}, Shape{1, 1, 1, 1}}) {
    const RoutingTrace trace = random_trace(shape.layers, shape.experts, shape.chosen, shape.tokens);
    const RoutingTrace other = random_trace(shape.layers, shape.experts, shape.chosen, shape.tokens, 2);
    struct View {
      bool by_load, all_layers;
      std::size_t top;
    };
    for (const View& view :
         {View{false, false, 0}, View{true, false, 1}, View{false, true, 64}, View{true, true, 64}}) {
      PictureOptions options;
      options.by_load = view.by_load;
      options.top = view.top;
      options.tokens_shown = 1'000'000;
      options.model = std::string(100'000, 'm');
      options.architecture = std::string(50'000, 'a') + " " + std::string(50'000, 'b');
      if (view.all_layers) options.layers = example::detail::routed_layers(trace);
      SCOPED_TRACE(std::to_string(shape.layers) + " layers, " + std::to_string(shape.experts) + " experts, top " +
                   std::to_string(view.top));
      const std::string one = draw({routed(trace, std::string(1000, '<'))}, options);
      EXPECT_LE(one.size(), 300'000U);
      EXPECT_THAT(one, ::testing::EndsWith("</svg>\n"));
      EXPECT_LE(draw({routed(trace), routed(other)}, options).size(), 300'000U);
    }
  }
}

TEST(RoutingPicture, ShowsTheBestExpertOfEachTokenWhereExpertsAreMany) {
  const RoutingTrace trace = random_trace(48, 128, 8, 96);
  const std::string svg = draw({routed(trace)}, {});
  EXPECT_THAT(svg, HasSubstr("(b)  Best expert of each token"));
  EXPECT_THAT(svg, HasSubstr("(b) shows all 96 tokens in some"));
  EXPECT_THAT(svg, Not(HasSubstr("(a) shows some of the layers")));
  EXPECT_THAT(svg, HasSubstr("layer 47</text>"));
  const RoutingTrace few = random_trace(2, 8, 2, 96);
  EXPECT_THAT(draw({routed(few)}, {}), HasSubstr("(b)  Experts of each token"));
  EXPECT_THAT(draw({routed(few)}, {.top = 1}), HasSubstr("(b)  Best expert of each token"));
}

TEST(RoutingPicture, DrawsTheLayersThatAreAskedFor) {
  const RoutingTrace trace = random_trace(12, 8, 2, 20);
  const std::string svg = draw({routed(trace)}, {.layers = {3, 7}});
  EXPECT_THAT(svg, HasSubstr(">layer 3</text>"));
  EXPECT_THAT(svg, HasSubstr(">layer 7</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">layer 4</text>")));
}

// Of layer 0: expert 2 has 3 tokens, expert 0 has 2, expert 1 has 1.
TEST(RoutingPicture, OrdersExpertsByTheirLoad) {
  RoutingTrace trace;
  show(trace, 0, 3, {{{2, 1.0F}}, {{0, 1.0F}}, {{2, 1.0F}}, {{1, 1.0F}}, {{2, 1.0F}}, {{0, 1.0F}}});
  const std::string svg = draw({routed(trace)}, {.by_load = true});
  const std::size_t begin = svg.find("(a)");
  const std::size_t end = svg.find("(b)");
  const std::string loads = svg.substr(begin, end - begin);
  EXPECT_LT(loads.find(">2</text>", loads.find("layer 0")), loads.find(">0</text>", loads.find("layer 0")));
  EXPECT_LT(loads.find(">0</text>", loads.find("layer 0")), loads.find(">1</text>", loads.find("layer 0")));
  EXPECT_THAT(loads, HasSubstr(">rank</text>"));
  EXPECT_THAT(draw({routed(trace)}, {}), HasSubstr(">1.50</text>"));  // 3 of 6 among 3 experts
}

TEST(RoutingPicture, ComparesTwoTexts) {
  RoutingTrace a;
  show(a, 0, 4, {{{0, 1.0F}}, {{1, 1.0F}}});
  RoutingTrace b;
  show(b, 0, 4, {{{1, 1.0F}}, {{1, 1.0F}}, {{1, 1.0F}}, {{3, 1.0F}}});
  const std::string svg = draw({{"first.txt", &a, {"x", "y"}}, {"second.txt", &b, {"x", "y", "z", "w"}}}, {});
  EXPECT_THAT(svg, HasSubstr("A: first.txt"));
  EXPECT_THAT(svg, HasSubstr("B: second.txt"));
  EXPECT_THAT(svg, HasSubstr("Routing of 2 tokens of A, first.txt"));
  EXPECT_THAT(svg, HasSubstr(">0.500</text>"));  // (|1/2 - 0| + |1/2 - 3/4| + |0 - 1/4|) / 2
  EXPECT_THAT(svg, HasSubstr("all 2 tokens of A and all 4 tokens of B"));
}

TEST(RoutingPicture, WritesADashForWhatIsNoNumber) {
  RoutingTrace trace;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  show(trace, 0, 4, {{{0, nan}, {1, 0.5F}}, {{2, 0.5F}, {3, 0.5F}}});
  show(trace, 1, 4, {{}, {}});  // nobody has anything to do
  for (const bool by_load : {false, true}) {
    const std::string svg = draw({routed(trace)}, {.by_load = by_load});
    EXPECT_THAT(svg, HasSubstr(">\u2013</text>"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
    EXPECT_THAT(draw({routed(trace), routed(trace)}, {.by_load = by_load}), Not(HasSubstr("nan")));
  }
}

TEST(ExpertPalette, HasDistinctColours) {
  for (const std::size_t experts : {1U, 8U, 9U, 16U, 64U, 128U, 256U}) {
    const auto palette = example::expert_palette(experts);
    ASSERT_EQ(palette.size(), experts);
    std::set<std::string> names;
    double nearest = 1.0;
    for (std::size_t i = 0; i < experts; ++i) {
      names.insert(palette[i].hex());
      for (std::size_t j = 0; j < i; ++j)
        nearest = std::min(nearest, example::OkLab::of(palette[i]).distance(example::OkLab::of(palette[j])));
    }
    EXPECT_EQ(names.size(), experts);
    EXPECT_GE(nearest, experts <= 16 ? 0.085 : experts <= 64 ? 0.055 : 0.03) << experts;  // 0.02 is just noticeable
  }
  EXPECT_EQ(example::expert_palette(65536).size(), 256U);
}

TEST(LayerList, NamesLayersAndRanges) {
  const std::vector<std::size_t> routed_ones = {1, 2, 3, 5, 8};
  EXPECT_THAT(example::chosen_layers("", routed_ones), IsEmpty());
  EXPECT_THAT(example::chosen_layers("5", routed_ones), ElementsAre(5));
  EXPECT_THAT(example::chosen_layers("8,1-3,2", routed_ones), ElementsAre(1, 2, 3, 8));
  EXPECT_THAT(example::chosen_layers("3-18446744073709551615", routed_ones), ElementsAre(3, 5, 8));
  for (const char* wrong :
       {"0", "4", "9-12", "x", "1-", "-2", "1,,2", "1,", ",", "1-2-3", "18446744073709551616", "3-1"})
    EXPECT_THROW(static_cast<void>(example::chosen_layers(wrong, routed_ones)), example::UsageError) << wrong;
}

TEST(TrineRoutingReport, ReadsALongTextInWindows) {
  const TinyModel model;  // of 256 positions
  const TemporaryDirectory output;
  std::string text;
  while (text.size() < 700) text += "To be or not to be that is the question ";
  const std::string file = output.write("text.txt", text).string();
  const auto csv_of = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"trine-routing-report",
                                    "-m",
                                    model.name(),
                                    "-o",
                                    (output.path() / "figure.svg").string(),
                                    "--csv",
                                    (output.path() / "routing.csv").string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Finished finished = run_program(all);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return read_whole(output.path() / "routing.csv");
  };
  const std::string whole = csv_of({"-f", file});
  EXPECT_THAT(whole, HasSubstr("\n0,699,0,"));
  EXPECT_LE(read_whole(output.path() / "figure.svg").size(), 300'000U);
  EXPECT_THAT(read_whole(output.path() / "figure.svg"),
              HasSubstr("Routing of " + std::to_string(text.size()) + " tokens"));
  // Each window begins anew: the first of 256 tokens alone has the same decisions.
  const std::string first = csv_of({"-p", text.substr(0, 256)});
  EXPECT_EQ(whole.substr(0, whole.find("\n0,256,")), first.substr(0, first.find("\n1,0,")));
  const std::string second = csv_of({"-p", text.substr(40, 40), "-c", "40"});
  EXPECT_EQ(second, csv_of({"-p", text.substr(80, 40), "-c", "256"}));

  const Finished too_long = run_program(
      {"trine-routing-report", "-m", model.name(), "-f", file, "-c", "257", "-o", (output.path() / "x.svg").string()});
  EXPECT_EQ(too_long.exit_code, 4);
  EXPECT_THAT(too_long.err, HasSubstr("expected at most 256"));
}

TEST(TrineRoutingReport, ComparesTwoFiles) {
  const TinyModel model;
  const TemporaryDirectory output;
  const std::string a = output.write("a.txt", "To be").string();
  const std::string b = output.write("b.txt", "OR NOT TO BE").string();
  const std::string figure = (output.path() / "figure.svg").string();
  const std::string csv = (output.path() / "routing.csv").string();
  const Finished finished = run_program({"trine-routing-report", "-m", model.name(), "-f", a, "-f", b, "-o", figure,
                                         "--csv", csv, "--sort", "--top", "1", "--layers", "1", "--show", "4"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("b.txt: 12 tokens"));
  const std::string svg = read_whole(figure);
  EXPECT_THAT(svg, HasSubstr(">distance</text>"));
  EXPECT_THAT(svg, HasSubstr(">layer 1</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">layer 0</text>")));
  EXPECT_THAT(svg, HasSubstr("the first 4 tokens of A and the first 4 tokens of B"));
  const std::string table = read_whole(csv);
  EXPECT_THAT(table, StartsWith("text,layer,token,rank,expert,weight\nA,0,0,0,"));
  EXPECT_THAT(table, HasSubstr("\nB,1,11,0,"));
  EXPECT_EQ(count_of(table, "layer"), 1U);
}

TEST(TrineRoutingReport, RefusesWhatItCannotDraw) {
  const TinyModel model;
  const TemporaryDirectory output;
  const std::string figure = (output.path() / "figure.svg").string();
  const auto run = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"trine-routing-report", "-m", model.name(), "-o", figure};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_program(all);
  };
  const Finished layers = run({"-p", "To be", "--layers", "0,9"});
  EXPECT_EQ(layers.exit_code, 2);
  EXPECT_THAT(layers.err, HasSubstr("--layers: expected layers with a router, from 0 to 1, such as 0,5-7, found '9'"));
  const std::string file = output.write("a.txt", "To be").string();
  EXPECT_EQ(run({"-f", file, "-f", file, "-f", file}).exit_code, 2);
  EXPECT_EQ(run({"-f", "-", "-f", "-"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(figure));
}

}  // namespace
}  // namespace trine::test
#endif
