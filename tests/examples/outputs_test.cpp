// SPDX-License-Identifier: Apache-2.0
// Files and streams that the programs write to, and the signals that can end that.
#ifdef TRINE_PROGRAMS_DIR
#include <chrono>
#include <csignal>
#include <filesystem>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/output_file.hpp"
#include "common/program.hpp"
#include "examples/tiny_model.hpp"
#include "support/expect_error.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Outputs : public testing::Test {
 protected:
  [[nodiscard]] std::string in(const std::string& name) const { return (directory_.path() / name).string(); }
  [[nodiscard]] Finished logits(const std::vector<std::string>& more) const {
    std::vector<std::string> command = {"trine-logits", "-m", model_.name(), "--tokens", "1,2,3"};
    command.insert(command.end(), more.begin(), more.end());
    return run_program(command);
  }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator());
  }

  const TinyModel model_;
  const TemporaryDirectory directory_;
};

TEST_F(Outputs, AreCheckedBeforeTheWork) {
  const fs::path model = model_.path();
  const auto check = [&](const std::string& one, const std::string& other, const std::string& input) {
    example::check_outputs({{"--output", one}, {"--experts", other}}, {{"--features", input}}, model);
  };
  directory_.write("input", "1");
  fs::create_symlink("input", in("link"));
  fs::create_symlink("not there yet", in("dangling"));
  check(in("a"), in("b"), in("input"));
  check("/dev/null", "/dev/null", "/dev/null");
  check("a", "", "-");

  const auto refused = [&](const std::string& one, const std::string& other, const std::string& text) {
    EXPECT_ERROR(check(one, other, in("input")), example::UsageError, text);
  };
  refused(in("a"), in("a"), "--experts: expected another file than that of --output, found " + in("a") + " for both");
  refused(in("a"), in("./nested/../a"), "--experts: expected another file");
  refused(in("dangling"), in("not there yet"), "--experts: expected another file");
  refused(in("input"), "", "--output: expected another file than that of --features");
  refused(in("link"), "", "--output: expected another file than that of --features");
  refused((model / "weights.bin").string(), "", "weights.bin: lies in the model directory, choose another place");
  const auto impossible = [&](const std::string& output, const std::string& text) {
    EXPECT_ERROR(check(in("a"), output, ""), FileError, output + ": cannot be written: " + text);
  };
  impossible(in("none/a"), "No such file or directory");
  impossible(in("input/a"), "Not a directory");
  impossible(in("."), "Is a directory");
}

TEST_F(Outputs, ThatAreImpossibleAreKnownBeforeTheModelIsRead) {
  const Finished twice =
      run_program({"trine-logits", "-m", "/no/model", "--tokens", "1", "-o", in("a"), "--experts", in("a")});
  EXPECT_EQ(twice.exit_code, 2) << twice.err;
  EXPECT_THAT(twice.err, HasSubstr("--experts: expected another file than that of --output"));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"trine-logits", "-m", "/no/model", "--tokens", "1", "-o", in("none/a")},
           {"trine-routing-report", "-m", "/no/model", "-p", "A", "-o", in("none/a")},
           {"trine-generate", "-m", "/no/model", "-p", "A", "--prompt-cache", in("none/a")}}) {
    const Finished finished = run_program(command);
    EXPECT_EQ(finished.exit_code, 1) << command[0];
    EXPECT_THAT(finished.err, HasSubstr("none/a: cannot be written: No such file or directory"));
  }
}

TEST_F(Outputs, GoThroughLinks) {
  directory_.write("old", "old");
  fs::create_symlink("old", in("link"));
  const Finished finished = logits({"-o", in("link")});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(fs::is_symlink(in("link")));
  EXPECT_EQ(fs::file_size(in("old")), 3U * 64 * 4);
  EXPECT_EQ(files(), 2);
}

// What /dev/stdout leads to; by that name, a program that is wrong here and runs as root would replace the device.
TEST_F(Outputs, MayBeStandardOutput) {
  const std::string name = "/proc/self/fd/1";
  if (!fs::exists(name)) GTEST_SKIP() << "no names of descriptors here";
  Running program({"trine-logits", "-m", model_.name(), "--tokens", "1,2,3", "-o", name}, {}, {}, in("out"));
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(fs::file_size(in("out")), 3U * 64 * 4);
  EXPECT_EQ(files(), 1);
}

TEST_F(Outputs, BeyondTheLimitOfTheSystemEndInAMessage) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 512;
  const std::string file = directory_.write("logits", "as it was").string();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Finished finished = logits({"-o", file});  // 768 bytes
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("logits: cannot write 256 bytes at offset 512: File too large"));
  EXPECT_EQ(read_whole(file), "as it was");
  EXPECT_EQ(files(), 1);
}

TEST_F(Outputs, ToAPipeThatNobodyReadsEndInAMessage) {
  ASSERT_EQ(::mkfifo(in("pipe").c_str(), 0600), 0);
  const int reader = ::open(in("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  Running program({"trine-generate", "-m", model_.name(), "-p", "ROMEO", "-n", "200", "--ignore-eos"}, {}, {},
                  in("pipe"));
  ::close(reader);
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, EndsWith("trine-generate: error: standard output: cannot be written: Broken pipe\n"));
}

TEST_F(Outputs, ThatAreFullSaySo) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"trine-generate", "--help"},
                                             {"trine-inspect", "--version"},
                                             {"trine-generate", "-m", model_.name(), "-p", "ROMEO", "-n", "3"},
                                             {"trine-tokenize", "-m", model_.name()}}) {
    const Finished finished = Running(command, "Hello", {}, "/dev/full").wait();
    EXPECT_EQ(finished.exit_code, 1) << testing::PrintToString(command);
    EXPECT_THAT(finished.err, EndsWith("standard output: cannot be written: No space left on device\n"));
  }
}

TEST_F(Outputs, OfSeveralProgramsMayBeOnePromptCache) {
  const std::vector<std::string> command = {
      "trine-generate", "-m",       model_.name(), "-p", "ROMEO AND JULIET", "-n", "4", "-t", "1",
      "--prompt-cache", in("cache")};
  std::list<Running> running;
  for (int i = 0; i < 6; ++i) running.emplace_back(command);
  for (Running& program : running) {
    const Finished finished = program.wait();
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
  }
  EXPECT_THAT(run_program(command).err, HasSubstr("15 of 16 tokens of the prompt were in the cache"));
  EXPECT_EQ(files(), 1);
}

TEST(Interrupts, ThatAProgramWasStartedToIgnoreStayIgnored) {
  const TinyModel model;
  auto config = model.config();
  config["max_position_embeddings"] = 1U << 22U;
  model.write("config.json", config.dump());
  const auto before = std::signal(SIGINT, SIG_IGN);  // as a shell does for what it starts in the background
  Running program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "-1", "-t", "1", "--ignore-eos"});
  std::signal(SIGINT, before);
  const auto wait_for = [&](std::size_t characters) {
    while (program.out_so_far().size() < characters) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  wait_for(10);
  program.signal(SIGINT);
  program.signal(SIGINT);
  wait_for(program.out_so_far().size() + 200);
  program.signal(SIGTERM);
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_EQ(finished.err, "trine-generate: error: interrupted\n");
}

}  // namespace
}  // namespace trine::test
#endif
