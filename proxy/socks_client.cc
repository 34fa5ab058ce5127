#include "proxy/socks_client.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/socket_options.h"
#include "proxy/udp_association.h"

namespace nightlatch {

namespace {
class SocksIntroduction final : public Introduction {
 public:
  explicit SocksIntroduction(std::unique_ptr<SocksHandshake> handshake) : handshake_(std::move(handshake)) {}
  std::string opened(const Endpoint& bound) override { return tell(SocksReply::succeeded, bound); }
  std::string failed(int connect_errno) override { return tell(socks_reply_for(connect_errno)); }
  std::string refused(const Ruling& /*ruling*/, const std::string& /*page_url*/) override {
    return tell(SocksReply::not_allowed);
  }
  [[nodiscard]] bool shows_page() const override { return false; }

 private:
  std::string tell(SocksReply reply, const Endpoint& bound = {IpAddress::v4(0), 0}) {
    handshake_->answer(reply, bound);
    return std::string(handshake_->output());
  }
  std::unique_ptr<SocksHandshake> handshake_;
};
}  // namespace

SocksClient::SocksClient(FlowHost& host, std::string id, Accepted accepted)
    : Reception(host, std::move(id), std::move(accepted)),
      handshake_(std::make_unique<SocksHandshake>(SocksMethods{.none = true, .password = true})) {}

void SocksClient::on_readable() {
  while (!over() && handshake_ && handshake_->event() == SocksHandshake::Event::more) {
    const std::span<char> room = handshake_->room();
    const ssize_t n = recv(fd(), room.data(), room.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(n < 0);
      return;
    }
    act(handshake_->received(static_cast<std::size_t>(n)));
  }
}

void SocksClient::act(SocksHandshake::Event event) {
  if (event == SocksHandshake::Event::failed) {
    farewell(handshake_->output());
    return;
  }
  const std::string_view reply = handshake_->output();
  if (!say(reply)) {  // a few bytes: a client that takes not even these has gone
    close(true);
    return;
  }
  handshake_->sent(reply.size());
  if (event == SocksHandshake::Event::credential) {
    const bool good = check_credential_of(host_, accepted(), handshake_->user(), handshake_->password());
    const SocksHandshake::Event next = handshake_->credential(good);
    if (good) return act(next);
    refuse_credential(handshake_->output());
    return;
  }
  if (event != SocksHandshake::Event::request) return;
  if (handshake_->command() == SocksCommand::udp_associate) {
    associate();
    return;
  }
  const SocksAddress& to = handshake_->destination();
  if (to.name.empty()) {
    located(to.address);
  } else {
    locate(to.name);
  }
}

// RFC 1928 section 6: the datagrams go to the address that the client has reached us at.
void SocksClient::associate() {
  auto udp = bind_udp(own_endpoint(fd()).address);
  if (!udp) {
    refuse(SocksReply::general_failure);
    return;
  }
  handshake_->answer(SocksReply::succeeded, own_endpoint(udp->get()));
  if (!say(handshake_->output())) {
    close(true);
    return;
  }
  UdpAssociation::begin(host_, release(), std::move(*udp), handshake_->destination().port);
}

void SocksClient::located(const Result<IpAddress>& address) {
  if (!address) {
    refuse(address.error().kind == ErrorKind::not_found ? SocksReply::host_unreachable
                                                        : SocksReply::general_failure);
    return;
  }
  const Endpoint destination{*address, handshake_->destination().port};
  std::string first(handshake_->rest());
  proceed(destination, std::make_unique<SocksIntroduction>(std::move(handshake_)), std::move(first));
}

void SocksClient::refuse(SocksReply reply) {
  handshake_->answer(reply);
  farewell(handshake_->output());
}

}  // namespace nightlatch
