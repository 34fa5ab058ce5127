// TLS over real sockets: the server against OpenSSL's own client, and what it refuses.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "certificate_maker.h"
#include "http_client.h"
#include "loopback.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace nightlatch {
namespace {

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nl-tls-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write_certificate(certificate(), key(), "IP:127.0.0.1", "first");
  }
  void TearDown() override {
    if (thread_.joinable()) {
      stop_();
      thread_.join();
    }
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string certificate() const { return folder_ / "c.pem"; }
  [[nodiscard]] std::string key() const { return folder_ / "k.pem"; }

  void start() {
    std::atomic<bool> up{false};
    thread_ = std::thread([&] {
      Loop loop;
      {
        auto tls = TlsContext::load(certificate(), key());
        ASSERT_TRUE(tls.ok()) << tls.error().message;
        HttpServer server(loop, {});
        auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
        port_ = port_of(fd->get());
        server.serve(std::move(*fd), *tls, [](const HttpRequest& request, const HttpResponder& responder) {
          HttpResponse response;
          response.body = request.over_tls ? request.body : "in the clear";
          responder.respond(response);
        });
        Wakeup reload(loop, [&] { reloaded_ = (*tls)->reload().ok() ? 1 : 2; });
        Wakeup stop(loop, [&] { loop.stop(); });
        reload_ = [&] { reload.wake(); };
        stop_ = [&] {
          const std::lock_guard lock(waking_);
          stop.wake();
        };
        up = true;
        loop.run();
        const std::lock_guard lock(waking_);  // whoever stops it has done so
      }
      EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    });
    while (!up) std::this_thread::yield();
  }

  struct Session {
    std::string subject, body, protocol;
    bool connected = false;
  };
  Session ask(const std::string& request, int most = TLS1_3_VERSION, const std::string& alpn = {}) {
    Session session;
    Wire wire(port_);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, most);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");  // what is refused is refused by the server
    SSL* ssl = SSL_new(context);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),  // NOLINT
                          static_cast<unsigned>(alpn.size()));
    }
    SSL_set_fd(ssl, wire.fd());
    session.connected = SSL_connect(ssl) == 1;
    if (session.connected) {
      X509* peer = SSL_get_peer_certificate(ssl);
      char name[256];
      X509_NAME_oneline(X509_get_subject_name(peer), name, sizeof name);
      session.subject = name;
      X509_free(peer);
      const unsigned char* protocol = nullptr;
      unsigned length = 0;
      SSL_get0_alpn_selected(ssl, &protocol, &length);
      if (length > 0) session.protocol.assign(reinterpret_cast<const char*>(protocol), length);  // NOLINT
      std::size_t n = 0;
      SSL_write_ex(ssl, request.data(), request.size(), &n);
      char buffer[16384];
      while (SSL_read_ex(ssl, buffer, sizeof buffer, &n) == 1) session.body.append(buffer, n);
      EXPECT_EQ(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN) << "it ends with close_notify";
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return session;
  }

  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  std::atomic<int> reloaded_{0};
  std::mutex waking_;
  std::function<void()> stop_, reload_;

 private:
  std::thread thread_;
};

const std::string kClose = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

TEST_F(TlsTest, CarriesRequestsWithTls12And13AndNothingOlder) {
  start();
  const std::string big(60'000, 'x');
  const Session modern =
      ask("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n" + big);
  ASSERT_TRUE(modern.connected);
  EXPECT_NE(modern.body.find(big), std::string::npos) << "more than one record each way";
  EXPECT_TRUE(ask(kClose, TLS1_2_VERSION).connected);
  EXPECT_FALSE(ask(kClose, TLS1_1_VERSION).connected);
}

TEST_F(TlsTest, SpeaksHttp11Only) {
  start();
  EXPECT_EQ(ask(kClose, TLS1_3_VERSION, std::string("\2h2\10http/1.1")).protocol, "http/1.1");
  EXPECT_FALSE(ask(kClose, TLS1_3_VERSION, std::string("\2h2")).connected);
}

TEST_F(TlsTest, TellsPlainHttpWhereItIs) {
  start();
  Wire wire(port_);
  wire.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(wire.read().status, 400);
  EXPECT_TRUE(wire.at_end());
  Wire noise(port_);
  noise.send(std::string(2000, '\x80'));
  while (noise.more()) {
  }
  EXPECT_TRUE(ask(kClose).connected) << "and goes on";
}

TEST_F(TlsTest, TakesUpANewCertificateAndKeepsTheOldWhenTheNewIsBad) {
  start();
  EXPECT_EQ(ask(kClose).subject, "/CN=first");
  write_certificate(certificate(), key(), "IP:127.0.0.1", "second");
  reload_();
  while (reloaded_ != 1) std::this_thread::yield();
  EXPECT_EQ(ask(kClose).subject, "/CN=second");
  std::ofstream(certificate()) << "damaged";
  reload_();
  while (reloaded_ != 2) std::this_thread::yield();
  EXPECT_EQ(ask(kClose).subject, "/CN=second");
}

TEST_F(TlsTest, ErrorsNameTheFile) {
  const auto absent = TlsContext::load(folder_ / "absent.pem", key());
  ASSERT_FALSE(absent.ok());
  EXPECT_NE(absent.error().message.find("absent.pem"), std::string::npos);
  write_certificate(folder_ / "other.pem", folder_ / "other.key", "IP:127.0.0.1", "other");
  const auto mismatch = TlsContext::load(certificate(), folder_ / "other.key");
  ASSERT_FALSE(mismatch.ok());
  EXPECT_EQ(mismatch.error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace nightlatch
