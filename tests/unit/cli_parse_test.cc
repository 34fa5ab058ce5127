// Parsing, and the table itself: what every row must have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cli/help.h"
#include "cli/parse.h"
#include "cli/table.h"

namespace nightlatch::cli {
namespace {

using Words = std::vector<std::string>;
using ::testing::HasSubstr;

Words shell_words(const std::string& line) {
  Words words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (const char c : line) {
    if (quote == 0 && (c == '|' || c == '>')) break;  // what follows is for the shell
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      in_word = true;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && c == ' ') {
      if (in_word) words.push_back(word);
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(word);
  return words;
}

TEST(CliTable, EveryCommandIsWhole) {
  std::set<std::string> seen;
  std::set<std::string> known;
  for (const Noun& n : nouns()) EXPECT_TRUE(known.insert(n.name).second) << n.name;
  std::set<std::string> used;
  for (const Command& c : commands()) {
    SCOPED_TRACE(c.words());
    EXPECT_TRUE(seen.insert(c.words()).second);
    EXPECT_TRUE(known.contains(c.noun));
    used.insert(c.noun);
    EXPECT_FALSE(c.summary.empty());
    EXPECT_FALSE(c.summary.ends_with("."));
    EXPECT_FALSE(c.examples.empty());
    EXPECT_TRUE(c.run);
    bool optional = false;
    for (std::size_t i = 0; i < c.arguments.size(); ++i) {
      EXPECT_FALSE(c.arguments[i].help.empty());
      EXPECT_FALSE(optional && c.arguments[i].required) << "an optional argument in front of a required one";
      optional = !c.arguments[i].required;
      EXPECT_TRUE(!c.arguments[i].repeats || i + 1 == c.arguments.size());
    }
    std::set<std::string> options;
    for (const Option& o : all_options(c)) {
      EXPECT_TRUE(options.insert(o.name).second) << o.name;
      EXPECT_GT(o.name.size(), 1U);
      EXPECT_EQ(o.kind == Option::Kind::flag, o.value.empty()) << o.name;
      EXPECT_FALSE(o.help.empty());
      EXPECT_EQ(o.words == nightlatch::cli::Words::choices, !o.choices.empty()) << o.name;
    }
  }
  EXPECT_EQ(used, known) << "a noun without a command";
}

// What stands before the command's words could not be told apart otherwise.
TEST(CliTable, AnOptionTakesAValueEverywhereOrNowhere) {
  std::map<std::string, bool> takes;
  for (const Command& c : commands()) {
    for (const Option& o : all_options(c)) {
      const auto [at, fresh] = takes.emplace(o.name, o.kind != Option::Kind::flag);
      EXPECT_EQ(at->second, o.kind != Option::Kind::flag) << c.words() << " --" << o.name;
    }
  }
}

TEST(CliTable, EveryExampleParsesAsItsCommand) {
  for (const Command& c : commands()) {
    for (const Example& e : c.examples) {
      const Result<Parsed> parsed = parse(commands(), shell_words(e.line));
      ASSERT_TRUE(parsed.ok()) << e.line << ": " << parsed.error().message;
      EXPECT_EQ(parsed->command, &c) << e.line;
    }
  }
}

TEST(CliTable, HelpLeadsWithExamples) {
  for (const Command& c : commands()) EXPECT_TRUE(command_help(c).starts_with("Examples:\n  ")) << c.words();
  for (const Noun& n : nouns())
    EXPECT_TRUE(noun_help(commands(), n.name).starts_with("Examples:\n  ")) << n.name;
  EXPECT_TRUE(noun_help(commands(), "").starts_with("Examples:\n  "));
}

TEST(CliTable, HelpFitsAPage) {
  for (const Command& c : commands()) {
    const std::string text = command_help(c);
    std::size_t from = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos;
         from = end + 1, end = text.find('\n', from)) {
      EXPECT_LE(end - from, 100U) << text.substr(from, end - from);
    }
  }
}

Parsed good(const Words& words) {
  Result<Parsed> parsed = parse(commands(), words);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return parsed.ok() ? *parsed : Parsed{};
}

TEST(CliParse, OptionsStandAnywhere) {
  const std::vector<Words> same{
      {"policy", "add", "p", "--resource", "r", "--user", "u", "--session", "8h"},
      {"policy", "add", "--resource", "r", "--user", "u", "--session", "8h", "p"},
      {"policy", "add", "--resource=r", "p", "--user=u", "--session=8h"},
      {"policy", "--resource", "r", "add", "--user", "u", "p", "--session", "8h"},
      {"--resource", "r", "policy", "--user=u", "--session", "8h", "add", "p"},
  };
  for (const Words& words : same) {
    const Parsed parsed = good(words);
    ASSERT_NE(parsed.command, nullptr);
    EXPECT_EQ(parsed.command->words(), "policy add");
    EXPECT_EQ(parsed.values.arguments, (Words{"p"}));
    EXPECT_EQ(parsed.values.options.at("resource"), (Words{"r"}));
    EXPECT_EQ(parsed.values.options.at("user"), (Words{"u"}));
    EXPECT_EQ(parsed.values.options.at("session"), (Words{"8h"}));
  }
}

TEST(CliParse, GlobalOptionsStandBeforeTheCommandToo) {
  const Parsed parsed = good({"--store", "/tmp/x.db", "--json", "user", "list"});
  EXPECT_EQ(parsed.command->words(), "user list");
  EXPECT_EQ(parsed.values.options.at("store"), (Words{"/tmp/x.db"}));
  EXPECT_TRUE(parsed.values.options.contains("json"));
  EXPECT_EQ(good({"user", "list", "--store=/tmp/y=z.db"}).values.options.at("store"), (Words{"/tmp/y=z.db"}));
}

TEST(CliParse, ListsKeepCommasAndOrder) {
  const Parsed parsed = good({"resource", "add", "r", "--to", "10.0.0.1:1", "--to=10.0.0.2:2,3"});
  EXPECT_EQ(parsed.values.options.at("to"), (Words{"10.0.0.1:1", "10.0.0.2:2,3"}));
  EXPECT_EQ(good({"init", "--lan", "br0,br1"}).values.options.at("lan"), (Words{"br0,br1"}));
  EXPECT_EQ(good({"resource", "add", "r", "--to="}).values.options.at("to"), (Words{""}));
}

TEST(CliParse, ValuesMayBeginWithADash) {
  EXPECT_EQ(good({"user", "add", "a", "--password-file", "-"}).values.options.at("password-file"),
            (Words{"-"}));
  EXPECT_EQ(good({"policy", "add", "p", "--session", "-1h"}).values.options.at("session"), (Words{"-1h"}));
  EXPECT_EQ(good({"user", "show", "--", "--json"}).values.arguments, (Words{"--json"}));
  EXPECT_EQ(good({"set", "portal.key", "--", "-x"}).values.arguments, (Words{"portal.key", "-x"}));
}

TEST(CliParse, LongArgumentsAreNoTrouble) {
  const std::string mega(1 << 20, 'x');
  EXPECT_EQ(good({"resource", "add", "r", "--to=" + mega}).values.options.at("to"), (Words{mega}));
  EXPECT_EQ(good({"user", "show", mega}).values.arguments, (Words{mega}));
  EXPECT_FALSE(parse(commands(), {"user", "list", "--" + mega}).ok());
  EXPECT_FALSE(parse(commands(), {mega}).ok());
}

TEST(CliParse, HelpIsFoundAtEachLevel) {
  EXPECT_TRUE(good({}).help);
  EXPECT_TRUE(good({"--help"}).help);
  EXPECT_EQ(good({"user", "--help"}).noun, "user");
  EXPECT_EQ(good({"-h", "policy"}).noun, "policy");
  const Parsed parsed = good({"policy", "add", "--help"});
  EXPECT_TRUE(parsed.help);
  EXPECT_EQ(parsed.command->words(), "policy add");
  EXPECT_EQ(good({"--version"}).command->noun, "version");
}

struct Wrong {
  Words words;
  std::string message;
  std::string hint;
};

TEST(CliParse, MistakesAreNamedAndCorrected) {
  const std::vector<Wrong> table{
      {{"usr", "list"}, "there is no command 'usr'", "did you mean 'user'?"},
      {{"polciy"}, "there is no command 'polciy'", "did you mean 'policy'?"},
      {{"list", "users"}, "there is no command 'list'", "nightlatch user list"},
      {{"flurble"}, "there is no command 'flurble'", "nightlatch help"},
      {{""}, "there is no command ''", "nightlatch help"},
      {{"a\nb\033[31m"}, "there is no command 'a\\x0ab\\x1b[31m'", ""},
      {{"user"}, "user: what is to be done is missing", "add, list"},
      {{"user", "lsit"}, "user: there is no 'lsit'", "did you mean 'list'?"},
      {{"user", "frobnicate"}, "user: there is no 'frobnicate'", "say one of: add"},
      {{"user", "add"}, "user add: NAME is missing", "usage: nightlatch user add NAME"},
      {{"user", "show", "a", "b"}, "user show: 'b' is one argument too many", "usage:"},
      {{"user", "list", "--jsno"}, "user list: there is no option '--jsno'", "did you mean '--json'?"},
      {{"user", "list", "-json"}, "user list: there is no option '-json'", "did you mean '--json'?"},
      {{"user", "list", "-x"}, "user list: there is no option '-x'", "--help"},
      {{"user", "list", "--follow"}, "user list: there is no option '--follow'", ""},
      {{"--folow", "log"}, "log: there is no option '--folow'", "did you mean '--follow'?"},
      {{"--frob"}, "there is no option '--frob'", "nightlatch help"},
      {{"policy", "add", "p", "--session"}, "--session: its value is missing", "--session DURATION"},
      {{"policy", "add", "p", "--session", "--deny"}, "--session: its value is missing", ""},
      {{"policy", "add", "p", "--session", "--"}, "--session: its value is missing", ""},
      {{"policy", "add", "p", "--session", "8h", "--session=9h"}, "--session is given twice", ""},
      {{"policy", "add", "p", "--deny=perhaps"}, "policy add: ", ""},
      {{"user", "show", std::string("a\0b", 3)}, "holds a NUL", ""},
      {{"user", "list", "--=x"}, "there is no option", ""},
  };
  for (const Wrong& w : table) {
    const Result<Parsed> parsed = parse(commands(), w.words);
    ASSERT_FALSE(parsed.ok()) << w.message;
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
    EXPECT_THAT(parsed.error().message, HasSubstr(w.message));
    EXPECT_THAT(parsed.error().hint, HasSubstr(w.hint)) << parsed.error().message;
  }
}

}  // namespace
}  // namespace nightlatch::cli
