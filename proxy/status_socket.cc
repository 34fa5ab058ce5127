#include "proxy/status_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace nightlatch {

std::string status_socket_path(const std::string& store_path) {
  return (std::filesystem::path(store_path).parent_path() / "gate.sock").string();
}

Result<std::unique_ptr<StatusSocket>> StatusSocket::open(Loop& loop, const std::string& path,
                                                         std::function<std::string()> answer) {
  std::unique_ptr<StatusSocket> s(new StatusSocket());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error::failure(fmt::format("{}: the path is too long for a socket", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  s->fd_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!s->fd_.valid()) return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)));
  unlink(path.c_str());  // of a gate that was killed; the supervisor's lock keeps a second one away
  if (bind(s->fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), 0660) != 0 || listen(s->fd_.get(), 16) != 0) {
    return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  s->path_ = path;
  s->answer_ = std::move(answer);
  s->watch_ = std::make_unique<ReadWatch>(loop, s->fd_.get(), [raw = s.get()] { raw->accept_all(); });
  return s;
}

StatusSocket::~StatusSocket() {
  watch_.reset();
  if (!path_.empty()) unlink(path_.c_str());
}

void StatusSocket::accept_all() {
  while (true) {
    const Fd peer(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!peer.valid()) return;
    const std::string line = answer_() + "\n";
    // Far smaller than a socket's buffer: one send takes it all.
    [[maybe_unused]] const ssize_t n = send(peer.get(), line.data(), line.size(), MSG_NOSIGNAL);
  }
}

}  // namespace nightlatch
