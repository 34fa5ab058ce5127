#include "net/lifeline.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/log.h"

namespace nightlatch {

Lifeline::Lifeline(Loop& loop, std::function<void()> supervisor_gone) {
  const char* number = std::getenv(kLifelineVariable);
  if (number == nullptr) return;
  int fd = -1;
  std::from_chars(number, number + std::strlen(number), fd);
  if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return;
  unsetenv(kLifelineVariable);
  fd_ = Fd(fd);
  watch_ = std::make_unique<ReadWatch>(loop, fd, [this, gone = std::move(supervisor_gone)] {
    std::array<char, 16> ignored{};
    const ssize_t n = recv(fd_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
    auto keep = gone;
    watch_.reset();
    keep();
  });
}

void Lifeline::ready() {
  if (said_) return;
  said_ = true;
  if (!fd_.valid()) {
    log_info("ready");
    return;
  }
  constexpr std::string_view text = "ready\n";
  [[maybe_unused]] const ssize_t n = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace nightlatch
