// Result<T>: a value or an Error. No exception crosses a module; a function that can fail returns this.
// Plain values, owned by whoever holds them; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace nightlatch {

// What kind of failure it is; the command line maps it to its exit status.
enum class ErrorKind : std::uint8_t {
  failure,    // something went wrong while doing it (exit 1)
  usage,      // the request itself is malformed: names the argument (exit 2)
  not_found,  // it names something absent (exit 3)
  conflict,   // it names something already there (exit 2)
  busy,       // the store is held by someone else; nothing was changed (exit 1)
  invalid,    // a configuration or a file is not what it should be (exit 5)
};

struct Error {
  ErrorKind kind = ErrorKind::failure;
  std::string message;  // one line, lower case, names the offending argument; no full stop
  std::string hint;     // what to do next, or empty

  static Error failure(std::string m, std::string h = {}) {
    return {ErrorKind::failure, std::move(m), std::move(h)};
  }
  static Error usage(std::string m, std::string h = {}) {
    return {ErrorKind::usage, std::move(m), std::move(h)};
  }
  static Error not_found(std::string m, std::string h = {}) {
    return {ErrorKind::not_found, std::move(m), std::move(h)};
  }
  static Error conflict(std::string m, std::string h = {}) {
    return {ErrorKind::conflict, std::move(m), std::move(h)};
  }
  static Error busy(std::string m, std::string h = {}) {
    return {ErrorKind::busy, std::move(m), std::move(h)};
  }
  static Error invalid(std::string m, std::string h = {}) {
    return {ErrorKind::invalid, std::move(m), std::move(h)};
  }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: meant to convert
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: meant to convert

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};  // the value of a Result that has none
using Status = Result<Done>;

// Returns the error of an expression from the enclosing function, or goes on.
#define NL_CONCAT_(a, b) a##b
#define NL_CONCAT(a, b) NL_CONCAT_(a, b)
#define NL_TRY(expression)                                       \
  do {                                                           \
    auto NL_CONCAT(nl_status_, __LINE__) = (expression);         \
    if (!NL_CONCAT(nl_status_, __LINE__)) {                      \
      return std::move(NL_CONCAT(nl_status_, __LINE__)).error(); \
    }                                                            \
  } while (false)

}  // namespace nightlatch
