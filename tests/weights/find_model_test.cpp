// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/find_model.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kGguf = "GGUF\x03";

/// An environment variable with another value for one test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class FindModel : public testing::Test {
 protected:
  fs::path file(const fs::path& name, std::string_view content = "{}") const { return directory_.write(name, content); }
  void model(const fs::path& folder) const {
    file(folder / "config.json");
    file(folder / "model.safetensors", "");
  }
  // A file of a snapshot as the hub's client makes it.
  void snapshot_file(const std::string& commit, const std::string& name, bool arrived = true) const {
    const fs::path repository = cache() / "models--org--name";
    fs::create_directories(repository / "blobs");
    if (arrived) file("cache/models--org--name/blobs/hash-of-" + name, kGguf);
    const fs::path link = repository / "snapshots" / commit / name;
    fs::create_directories(link.parent_path());
    fs::path up;
    for (fs::path at = fs::path(name).parent_path(); !at.empty(); at = at.parent_path()) up /= "..";
    fs::create_symlink(up / "../../blobs" / ("hash-of-" + fs::path(name).filename().string()), link);
  }
  [[nodiscard]] fs::path snapshot(const std::string& commit) const {
    return cache() / "models--org--name" / "snapshots" / commit;
  }
  [[nodiscard]] fs::path find(const std::string& name) {
    return find_model(name, &notes_, {cache(), root() / "other"});
  }
  [[nodiscard]] const fs::path& root() const { return directory_.path(); }
  [[nodiscard]] fs::path cache() const { return root() / "cache"; }
  [[nodiscard]] std::vector<std::string> noted() const {
    std::vector<std::string> subjects;
    for (const Note& note : notes_.all()) subjects.push_back(note.subject);
    return subjects;
  }

  test::TemporaryDirectory directory_;
  Notes notes_;
};

TEST_F(FindModel, ReturnsPathsAsTheyAre) {
  model("mine");
  const fs::path gguf = file("a.gguf", kGguf);
  const fs::path blob = file("blobs/sha256-0a", kGguf);
  fs::create_directory(root() / "empty");
  for (const fs::path& path : {root() / "mine", gguf, blob, root() / "absent" / "at" / "all", root() / "empty",
                               fs::path("x"), fs::path(""), fs::path("../x"), fs::path("a/b/c")})
    EXPECT_EQ(find(path.string()), path);
  EXPECT_THAT(noted(), IsEmpty());
}

TEST_F(FindModel, TakesTheSnapshotOfTheMainBranch) {
  snapshot_file("one", "config.json");
  snapshot_file("one", "model.safetensors");
  snapshot_file("two", "config.json");
  snapshot_file("two", "model.safetensors");
  for (const std::string commit : {"one", "two", "one\n"}) {
    file("cache/models--org--name/refs/main", commit);
    EXPECT_EQ(find("org/name"), snapshot(commit.substr(0, 3)));
    EXPECT_EQ(find((cache() / "models--org--name").string()), snapshot(commit.substr(0, 3)));
  }
  EXPECT_THAT(noted(), IsEmpty());
}

TEST_F(FindModel, TakesTheNewestSnapshotOtherwise) {
  for (const std::string commit : {"a", "b", "c"}) snapshot_file(commit, "model.safetensors");
  const auto now = fs::file_time_type::clock::now();
  fs::last_write_time(snapshot("b"), now + std::chrono::hours(1));
  EXPECT_EQ(find("org/name"), snapshot("b"));
  file("cache/models--org--name/refs/main", "../../elsewhere");
  EXPECT_EQ(find("org/name"), snapshot("b"));
  EXPECT_THAT(noted(), ElementsAre("b", "b"));
  // One without a model, such as that of a program that asked for the configuration only.
  fs::create_directories(snapshot("d"));
  file("cache/models--org--name/snapshots/d/config.json");
  file("cache/models--org--name/refs/main", "d");
  EXPECT_EQ(find("org/name"), snapshot("b"));
}

TEST_F(FindModel, FindsFoldersOfOtherPrograms) {
  file("cache/org/quantised/quantised-Q4_K_M.gguf", kGguf);
  model("other/org/plain");
  EXPECT_EQ(find("org/quantised"), root() / "cache/org/quantised/quantised-Q4_K_M.gguf");
  EXPECT_EQ(find("org/plain"), root() / "other/org/plain");
}

TEST_F(FindModel, PrefersAFolderWithAllOfIt) {
  file("cache/models--org--name/blobs/1234.incomplete");
  fs::create_directories(snapshot("a"));
  EXPECT_ERROR(find("org/name"), FileError, "1234.incomplete; hf download org/name completes it");
  model("other/org/name");
  EXPECT_EQ(find("org/name"), root() / "other/org/name");
}

TEST_F(FindModel, SaysHowToFetchWhatIsMissing) {
  EXPECT_ERROR(
      find("org/absent"), FileError,
      "org/absent: expected a model directory, a GGUF file or the name of a model in a cache, found none; looked in "
      "., " +
          cache().string() + ", " + (root() / "other").string() + "; hf download org/absent fetches it");
  fs::create_directories(cache() / "models--org--name" / "snapshots");
  EXPECT_ERROR(find("org/name"), FileError,
               "models--org--name: expected a snapshot of the model, found none; hf download org/name fetches it");
}

TEST_F(FindModel, ReturnsAConfigurationWithoutWeights) {
  snapshot_file("a", "config.json");
  EXPECT_EQ(find("org/name"), snapshot("a"));
}

TEST_F(FindModel, SaysThatADownloadIsNotComplete) {
  snapshot_file("a", "config.json");
  file("cache/models--org--name/blobs/99.incomplete");
  EXPECT_ERROR(find("org/name"), FileError,
               snapshot("a").string() + ": the download is not complete: found the partial " +
                   (cache() / "models--org--name/blobs/99.incomplete").string() +
                   "; hf download org/name completes it");
  snapshot_file("a", "model-00001-of-00003.safetensors");
  file("cache/models--org--name/snapshots/a/model.safetensors.index.json");
  EXPECT_ERROR(find("org/name"), FileError, "not complete: expected 3 files of weights, found 1; hf download");
  snapshot_file("a", "model-00002-of-00003.safetensors");
  snapshot_file("a", "model-00003-of-00003.safetensors");
  EXPECT_EQ(find("org/name"), snapshot("a"));  // the partial file is of something else
  fs::remove(cache() / "models--org--name/blobs/hash-of-model-00003-of-00003.safetensors");
  EXPECT_ERROR(find("org/name"), FileError,
               "model-00003-of-00003.safetensors links to ../../blobs/hash-of-model-00003-of-00003.safetensors, which "
               "does not exist; hf download org/name completes it");
  EXPECT_ERROR(find((snapshot("a") / "model-00003-of-00003.safetensors").string()), FileError,
               "the download is not complete: links to ../../blobs/hash-of-model-00003-of-00003.safetensors");
}

TEST_F(FindModel, SaysSoOfALocalFolder) {
  file("local/config.json");
  file("local/.cache/huggingface/download/abc.incomplete");
  EXPECT_ERROR(find((root() / "local").string()), FileError, "abc.incomplete");
  file("studio/downloading_a.gguf.part");
  EXPECT_ERROR(find((root() / "studio").string()), FileError, "downloading_a.gguf.part");
  file("split/a-00001-of-00002.gguf", kGguf);
  EXPECT_ERROR(find((root() / "split").string()), FileError, "expected 2 parts of a, found 1");
}

TEST_F(FindModel, TakesTheOnlyGgufModelOfAFolder) {
  file("one/b-00002-of-00002.gguf", kGguf);
  file("one/b-00001-of-00002.gguf", kGguf);
  file("one/mmproj-F16.gguf", kGguf);
  file("one/imatrix_unsloth.gguf", kGguf);
  file("one/config.json");
  EXPECT_EQ(find((root() / "one").string()), root() / "one/b-00001-of-00002.gguf");
  EXPECT_THAT(noted(), ElementsAre("imatrix_unsloth.gguf", "mmproj-F16.gguf"));
}

TEST_F(FindModel, ReadsOtherWeightsFirst) {
  model("both");
  file("both/both-Q8_0.gguf", kGguf);
  EXPECT_EQ(find((root() / "both").string()), root() / "both");
  EXPECT_EQ(find((root() / "both").string() + ":q8_0"), root() / "both/both-Q8_0.gguf");
}

TEST_F(FindModel, ListsSeveralModels) {
  for (const char* name : {"a-Q4_K_M.gguf", "a-Q8_0.gguf"}) file(fs::path("cache/org/several") / name, kGguf);
  EXPECT_ERROR(find("org/several"), FileError,
               "expected one GGUF model, found 2: a-Q4_K_M.gguf, a-Q8_0.gguf; choose one");
  for (int i = 0; i < 30; ++i) file(fs::path("cache/org/many") / (std::to_string(10 + i) + ".gguf"), kGguf);
  EXPECT_ERROR(find("org/many"), FileError, "found 30: 10.gguf, ");
  EXPECT_ERROR(find("org/many"), FileError, "29.gguf and 10 more");
}

TEST_F(FindModel, SelectsOneOfSeveral) {
  for (const char* name : {"m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-UD-Q2_K_XL.gguf", "m.IQ4_XS.gguf",
                           "Q5_K_M/m-Q5_K_M-00001-of-00002.gguf", "Q5_K_M/m-Q5_K_M-00002-of-00002.gguf"})
    file(fs::path("cache/models--org--name/snapshots/a") / name, kGguf);
  for (const auto& [selection, name] : std::vector<std::pair<std::string, std::string>>{
           {"Q4_K_M", "m-Q4_K_M.gguf"},
           {"q4_k_s", "m-Q4_K_S.gguf"},
           {"Q2_K_XL", "m-UD-Q2_K_XL.gguf"},
           {"UD-Q2_K_XL", "m-UD-Q2_K_XL.gguf"},
           {"IQ4_XS", "m.IQ4_XS.gguf"},
           {"m.IQ4_XS.gguf", "m.IQ4_XS.gguf"},
           {"Q5_K_M", "Q5_K_M/m-Q5_K_M-00001-of-00002.gguf"},
           {"Q5_K_M/m-Q5_K_M-00001-of-00002.gguf", "Q5_K_M/m-Q5_K_M-00001-of-00002.gguf"}}) {
    EXPECT_EQ(find("org/name:" + selection), snapshot("a") / name) << selection;
    EXPECT_EQ(find(snapshot("a").string() + ":" + selection), snapshot("a") / name) << selection;
  }
  EXPECT_ERROR(find("org/name:Q4_K"), FileError, "expected one GGUF model for 'Q4_K', found none among ");
  EXPECT_ERROR(find("org/name:Q6_K"), FileError, "m.IQ4_XS.gguf; hf download org/name fetches it");
  EXPECT_ERROR(find("org/name:m"), FileError,
               "expected one GGUF model for 'm', found Q5_K_M/m-Q5_K_M-00001-of-00002.gguf, m-Q4");
}

TEST_F(FindModel, FollowsAManifestToItsBlob) {
  const fs::path manifest =
      file("models/manifests/registry/library/m/8b",
           R"({"layers": [{"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:1"},
                                     {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:2a"}]})");
  EXPECT_EQ(find(manifest.string()), root() / "models/blobs/sha256-2a");
  for (const char* other :
       {"{}", R"({"layers": 1})", R"({"layers": [1, {}, {"mediaType": "application/vnd.ollama.image.model"}]})",
        R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../x"}]})"}) {
    file("models/manifests/registry/library/m/8b", other);
    EXPECT_EQ(find(manifest.string()), manifest);
  }
}

TEST_F(FindModel, RecognisesBlobsByTheirContent) {
  file("blobs/sha256-1", R"({"a template": 1})");
  file("blobs/sha256-2", kGguf);
  file("blobs/sha256-3-partial", kGguf);
  EXPECT_EQ(find((root() / "blobs").string()), root() / "blobs/sha256-2");
}

TEST_F(FindModel, LooksWhereTheEnvironmentSays) {
  const Variable home("HOME", "/home/me");
  const Variable models("TRINE_MODELS", "/a::/b c:");
  const Variable hub_cache("HF_HUB_CACHE", "/hub");
  const Variable hf_home("HF_HOME", "/hf");
  const Variable no_xdg("XDG_CACHE_HOME", "");
  EXPECT_THAT(model_folders(), ElementsAre("/a", "/b c", "/hub", "/hf/hub", "/home/me/.cache/huggingface/hub",
                                           "/home/me/.lmstudio/models", "/home/me/.cache/lm-studio/models"));
  const Variable no_models("TRINE_MODELS", cache().string());
  model("cache/org/name");
  EXPECT_EQ(find_model("org/name"), cache() / "org/name");
  const Variable xdg("XDG_CACHE_HOME", "/xdg");
  EXPECT_THAT(model_folders(), ElementsAre(cache(), "/hub", "/hf/hub", "/xdg/huggingface/hub",
                                           "/home/me/.lmstudio/models", "/home/me/.cache/lm-studio/models"));
  const Variable no_xdg_again("XDG_CACHE_HOME", "");
  const Variable no_home("HOME", "");
  const Variable no_hub("HF_HUB_CACHE", "");
  const Variable no_hf("HF_HOME", "");
  EXPECT_THAT(model_folders(), ElementsAre(cache()));
}

}  // namespace
}  // namespace trine
