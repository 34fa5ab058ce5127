// What a running command works with: its values, the streams, the store. One for each invocation; main
// thread.
#pragma once

#include <fmt/core.h>

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/parse.h"
#include "store/database.h"

namespace nightlatch::cli {

// The world around the program; tests give their own.
struct Io {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool colour = false;          // for stdout
  bool terminal = false;        // stdin is one: it may be asked
  bool manage_system = true;    // init may make the system's user; off in tests
  std::string default_store{};  // what --store is when it is not given
};

class Context {
 public:
  Context(Io& io, const std::vector<Command>& table, const Command& command, Values values);

  Io& io;
  const std::vector<Command>& table;
  const Command& command;

  // Values. An argument or option that was not given is "" or {}.
  [[nodiscard]] std::size_t count() const { return values_.arguments.size(); }
  [[nodiscard]] const std::string& argument(std::size_t at) const;
  [[nodiscard]] const std::vector<std::string>& arguments() const { return values_.arguments; }
  [[nodiscard]] bool given(const std::string& option) const { return values_.options.contains(option); }
  [[nodiscard]] const std::string& value(const std::string& option) const;
  [[nodiscard]] const std::vector<std::string>& list(const std::string& option) const;
  [[nodiscard]] Status names_once(const std::string& option) const;  // that of a list: each a name, and once
  [[nodiscard]] bool json() const { return given("json"); }

  // A message for the person, on stderr; stdout is for data.
  template <typename... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    write_message(fmt::format(format, std::forward<Args>(args)...));
  }

  // The store.
  [[nodiscard]] const std::string& store() const { return store_; }
  [[nodiscard]] Result<Database> open_read() const;
  [[nodiscard]] Result<Database> open_write() const;
  // Appends what was just done to the audit log; the words never hold a secret. The change itself stands
  // whatever happens here: a revocation must not fail for a full log.
  [[nodiscard]] Status audit(std::string detail) const;
  [[nodiscard]] std::string words() const;  // this invocation as it may be logged: arguments and options

 private:
  void write_message(const std::string& text);
  Values values_;
  std::string store_;
};

}  // namespace nightlatch::cli
