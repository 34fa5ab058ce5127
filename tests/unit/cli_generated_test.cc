// The committed texts are those that the table gives, and other programs accept them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/manual.h"
#include "cli/table.h"

namespace nightlatch::cli {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Runs a shell command with `text` in a file as its last word.
int accepted_by(const std::string& command, const std::string& text) {
  std::string path = (std::filesystem::temp_directory_path() / "nightlatch-text-XXXXXX").string();
  const int fd = mkstemp(path.data());
  if (fd < 0) return -1;
  std::ofstream(path) << text;
  const int status = std::system((command + " " + path).c_str());  // NOLINT(concurrency-mt-unsafe): a test
  std::filesystem::remove(path);
  ::close(fd);
  return status;
}

TEST(CliGenerated, TheReferenceIsCurrent) {
  EXPECT_EQ(read(SOURCE_DIR "/docs/cli.md"), reference(commands()))
      << "run: nightlatch reference > docs/cli.md";
}

TEST(CliGenerated, TheManPageIsCurrent) {
  EXPECT_EQ(read(SOURCE_DIR "/docs/nightlatch.8"), man_page(commands()))
      << "run: nightlatch man > docs/nightlatch.8";
}

TEST(CliGenerated, MandocFindsNoFaultInTheManPage) {
  if (std::system("command -v mandoc >/dev/null") != 0) GTEST_SKIP() << "mandoc is not here";  // NOLINT
  EXPECT_EQ(accepted_by("mandoc -T lint -W warning", man_page(commands())), 0);
}

TEST(CliGenerated, BashTakesTheCompletion) {
  EXPECT_EQ(accepted_by("bash -n", bash_completion(commands())), 0);
}

// Completes one line as bash would, on a table without a store.
std::string completed(const std::string& words) {
  const std::string script = bash_completion(commands()) + "\nCOMP_WORDS=(nightlatch " + words +
                             ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_nightlatch\n"
                             "printf '%s ' \"${COMPREPLY[@]}\" > \"$1.out\"\n";
  std::string path = (std::filesystem::temp_directory_path() / "nightlatch-bash-XXXXXX").string();
  const int fd = mkstemp(path.data());
  std::ofstream(path) << script;
  EXPECT_EQ(std::system(("bash " + path + " " + path).c_str()), 0);  // NOLINT(concurrency-mt-unsafe): a test
  std::string out = read(path + ".out");
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".out");
  ::close(fd);
  return out;
}

TEST(CliGenerated, TheCompletionOffersWhatFits) {
  EXPECT_EQ(completed("poli"), "policy ");
  EXPECT_EQ(completed("user en"), "enable ");
  EXPECT_EQ(completed("--store x.db user en"), "enable ");
  EXPECT_EQ(completed("policy add p --on"), "--on-expiry ");
  EXPECT_EQ(completed("policy add p --binding c"), "credential certificate ");
  EXPECT_EQ(completed("policy add p --binding = m"), "mac ");
  EXPECT_EQ(completed("log --verdict d"), "deny ");
  EXPECT_EQ(completed("help sess"), "session ");
  EXPECT_EQ(completed("help session e"), "end ");
  EXPECT_EQ(completed("completion names re"), "resource ");
  EXPECT_EQ(completed("serve --role ''"), "gate portal ");
}

}  // namespace
}  // namespace nightlatch::cli
