#include "cli/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <optional>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/text.h"

namespace nightlatch::cli {

namespace {

constexpr std::size_t kLongest = 4096;

Result<std::string> from_stream(std::istream& in, const std::string& name,
                                const std::string& option = "--password-file",
                                const std::string& what = "the password") {
  std::string text(kLongest + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return Error::usage(fmt::format("{}: {} could not be read", option, name));
  if (text.size() > kLongest) {
    wipe(text);
    return Error::usage(fmt::format("{}: {} holds more than {} bytes", option, name, kLongest),
                        fmt::format("it should hold {} and nothing else", what));
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.find_first_of(std::string_view("\n\0", 2)) != std::string::npos) {
    wipe(text);
    return Error::usage(fmt::format("{}: {} holds more than one line, or a NUL", option, name),
                        fmt::format("it should hold {} and nothing else", what));
  }
  if (text.empty()) {
    return Error::usage(fmt::format("{}: {} is empty", option, name), fmt::format("it should hold {}", what));
  }
  return text;
}

// The terminal without echo; as it was again when this goes. Ctrl-C arrives as a character, so that nothing
// can end the program in between and leave the terminal dumb.
class QuietTerminal {
 public:
  explicit QuietTerminal(bool shown = false)
      : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)), shown_(shown) {
    if (!fd_.valid() || tcgetattr(fd_.get(), &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    ok_ = tcsetattr(fd_.get(), TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (ok_) tcsetattr(fd_.get(), TCSAFLUSH, &before_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  [[nodiscard]] bool ok() const { return ok_; }

  Result<std::string> ask(const std::string& prompt) {
    show(prompt);
    std::string text;
    while (text.size() <= kLongest) {
      char c = 0;
      const ssize_t n = read(fd_.get(), &c, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0 || c == 3 || (c == 4 && text.empty())) {  // Ctrl-C; Ctrl-D on an empty line
        wipe(text);
        show("\n");
        return Error::failure("cancelled: nothing was changed");
      }
      if (c == '\n' || c == '\r') break;
      if (c == 21) {  // Ctrl-U
        while (!text.empty()) take_back(text);
      } else if (c == 8 || c == 127) {
        take_back(text);
      } else {
        text += c;
        if (shown_) show({c});
      }
    }
    show("\n");
    return text;
  }

 private:
  // A character may be several bytes of UTF-8.
  void take_back(std::string& text) const {
    const bool any = !text.empty();
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
    if (any && shown_) show("\b \b");
  }
  void show(const std::string& text) const {
    [[maybe_unused]] const ssize_t n = ::write(fd_.get(), text.data(), text.size());
  }
  Fd fd_;
  bool shown_;
  termios before_{};
  bool ok_ = false;
};

Result<std::string> ask_twice(const std::string& who) {
  QuietTerminal terminal;
  if (!terminal.ok())
    return Error::usage("the terminal cannot be asked", "say --password-file FILE, or - for stdin");
  Result<std::string> first = terminal.ask(fmt::format("New password for {}: ", who));
  if (!first) return first.error();
  Result<std::string> second = terminal.ask("The same again: ");
  if (!second) {
    wipe(*first);
    return second.error();
  }
  const bool same = *first == *second;
  wipe(*second);
  if (same) return first;
  wipe(*first);
  return Error::usage("the two passwords are not the same", "nothing was changed; try again");
}

// From stdin or a file; nothing when neither is meant.
std::optional<Result<std::string>> from_file(Context& context, const std::string& file) {
  if (file == "-") return from_stream(context.io.in, "stdin");
  if (file.empty()) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error::usage(fmt::format("--password-file: '{}' cannot be read: {}", printable(file),
                                    std::strerror(errno)),  // NOLINT(concurrency-mt-unsafe): one thread
                        "say - to read the password from stdin");
  }
  return from_stream(in, "'" + printable(file) + "'");
}

Error nowhere_to_ask() {
  return Error::usage("--password-file is missing, and there is no terminal to ask on",
                      "say --password-file FILE, or --password-file - to read it from stdin");
}

Result<std::string> ask_once(const std::string& prompt, bool shown) {
  QuietTerminal terminal(shown);
  if (!terminal.ok())
    return Error::usage("there is no terminal to ask on", "run it on one, or say it in an option");
  return terminal.ask(prompt);
}

}  // namespace

Result<std::string> read_secret(Context& context, const std::string& file, const std::string& option) {
  if (file.empty())
    return Error::usage(option + " is missing", "say " + option + " FILE, or - to read it from stdin");
  if (file == "-") return from_stream(context.io.in, "stdin", option, "the secret");
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error::usage(fmt::format("{}: '{}' cannot be read: {}", option, printable(file),
                                    std::strerror(errno)),  // NOLINT(concurrency-mt-unsafe): one thread
                        "say - to read it from stdin");
  }
  return from_stream(in, "'" + printable(file) + "'", option, "the secret");
}

Result<std::string> read_password(Context& context, const std::string& file, const std::string& who) {
  if (auto read = from_file(context, file)) return *read;
  return context.io.terminal ? ask_twice(who) : Result<std::string>(nowhere_to_ask());
}

Result<std::string> read_known_password(Context& context, const std::string& file, const std::string& who) {
  if (auto read = from_file(context, file)) return *read;
  if (!context.io.terminal) return nowhere_to_ask();
  return ask_secret(fmt::format("Password for {}: ", who));
}

Result<std::string> ask_secret(const std::string& prompt) { return ask_once(prompt, false); }

Result<std::string> ask_line(const std::string& prompt) { return ask_once(prompt, true); }

}  // namespace nightlatch::cli
