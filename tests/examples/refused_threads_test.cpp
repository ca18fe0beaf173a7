// SPDX-License-Identifier: Apache-2.0
// Programs do their work alone where the system gives them no other thread.
#ifdef TRINE_PROGRAMS_DIR
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;

/// A limit of this process, which the programs that it starts inherit; as it was when this goes.
class Limited {
 public:
  Limited(decltype(RLIMIT_AS) resource, rlim_t value) : resource_(resource) {
    ::getrlimit(resource_, &before_);
    const rlimit limit{value, before_.rlim_max};
    works_ = ::setrlimit(resource_, &limit) == 0;
  }
  ~Limited() { ::setrlimit(resource_, &before_); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;

  [[nodiscard]] bool works() const { return works_; }

 private:
  decltype(RLIMIT_AS) resource_;
  rlimit before_{};
  bool works_ = false;
};

// The stack of another thread is as large as the limit on stacks says, which is more than the address space has. That
// holds for root, too, whom RLIMIT_NPROC refuses nothing.
constexpr rlim_t kStack = rlim_t{4} << 30U;
constexpr rlim_t kAddressSpace = rlim_t{2} << 30U;

// Sanitizers keep terabytes of address space.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
TEST(RefusedThreads, AreDoneWithout) {
  const TinyModel model;
  const TemporaryDirectory directory;
  const auto in = [&](const char* name) { return (directory.path() / name).string(); };
  const std::string text = directory.write("text", "Hello world").string();
  std::vector<std::vector<std::string>> commands = {
      {"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "5", "-t", "2"},
      {"trine-chat", "-m", model.name(), "--template", "plain", "-c", "64", "-t", "2"},
      {"trine-logits", "-m", model.name(), "-p", "ROMEO", "-o", in("logits"), "-t", "2"},
      {"trine-perplexity", "-m", model.name(), "-f", text, "-t", "2"},
      {"trine-quantize", model.name(), in("quantized"), "-t", "2"},
      {"trine-routing-report", "-m", model.name(), "-p", "ROMEO", "-o", in("figure.svg"), "-t", "2"},
      {"trine-verify", "-m", model.name(), "-t", "2"}};
#ifdef TRINE_HAS_BENCH
  commands.push_back({"trine-bench", "-m", model.name(), "-p", "8", "-n", "2", "-r", "1", "-t", "2", "--no-limits"});
#endif
  for (const std::vector<std::string>& command : commands) {
    const Limited stack(RLIMIT_STACK, kStack);
    const Limited space(RLIMIT_AS, kAddressSpace);
    if (!stack.works() || !space.works()) GTEST_SKIP() << "limits cannot be set here";
    const Finished finished = run_program(command, "Hello");
    EXPECT_EQ(finished.exit_code, 0) << command[0] << "\n" << finished.err;
  }
}

TEST(RefusedThreads, LeaveSignalsToTheSystem) {
  const TinyModel model;
  auto config = model.config();
  config["max_position_embeddings"] = 1U << 22U;
  model.write("config.json", config.dump());
  const Limited stack(RLIMIT_STACK, kStack);
  const Limited space(RLIMIT_AS, kAddressSpace);
  if (!stack.works() || !space.works()) GTEST_SKIP() << "limits cannot be set here";
  Running program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "-1", "--ignore-eos"});
  while (program.out_so_far().size() < 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.signal(SIGTERM);
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 128 + SIGTERM);
  EXPECT_EQ(finished.err, "");
}
#endif

}  // namespace
}  // namespace trine::test
#endif
