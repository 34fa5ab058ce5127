// Makes what TLS clients say first, well and badly. For tests and fuzzers only; bytes are in a std::string.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nightlatch::maker {

inline std::string number(std::uint64_t n, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = size; i > 0; n >>= 8) out[--i] = static_cast<char>(n & 0xff);
  return out;
}

// A piece with its length before it.
inline std::string vec(std::string_view bytes, std::size_t length_size) {
  return number(bytes.size(), length_size).append(bytes);
}

inline std::string extension(unsigned type, std::string_view data) { return number(type, 2) + vec(data, 2); }
inline std::string name_entry(std::string_view name) { return '\0' + vec(name, 2); }
inline std::string sni(std::string_view name) { return extension(0, vec(name_entry(name), 2)); }

// The body of a ClientHello with these extensions.
inline std::string hello_body(std::string_view extensions) {
  return "\x03\x03" + std::string(32, 'r') + vec("session", 1) + vec("\x13\x01\x13\x02", 2) +
         vec(std::string_view("\0", 1), 1) + vec(extensions, 2);
}

inline std::string handshake(std::string_view body, char type = 1) { return type + vec(body, 3); }
inline std::string hello_for(std::string_view name) { return handshake(hello_body(sni(name))); }

// A message in records of at most `piece` bytes.
inline std::string records(std::string_view message, std::size_t piece = 16384) {
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += piece) {
    out.append("\x16\x03\x01", 3).append(vec(message.substr(at, piece), 2));
  }
  return out;
}

// Whether policy may rely on it. Said in other words than the parser says it.
inline bool is_proper_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.find("..") != std::string_view::npos) return false;
  if (name.front() == '.' || name.back() == '.') return false;
  const std::string_view good = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (name.find_first_not_of(good) != std::string_view::npos) return false;
  std::size_t run = 0;
  for (const char c : name) {
    run = c == '.' ? 0 : run + 1;
    if (run > 63) return false;
  }
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return last.find_first_not_of("0123456789") != std::string_view::npos;
}

}  // namespace nightlatch::maker
