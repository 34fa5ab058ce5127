#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "auth/office_ca.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
// What the openssl command says: an opinion that is not our own code's.
std::string openssl(const std::string& arguments) {
  std::FILE* pipe =
      popen(("openssl " + arguments + " 2>&1").c_str(), "re");  // NOLINT: fixed arguments of a test
  std::string out;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  pclose(pipe);
  return out;
}
mode_t mode_of(const std::string& path) {
  struct stat s{};
  return stat(path.c_str(), &s) == 0 ? s.st_mode & 0777 : 0;
}

using OfficeCaTest = TemporaryStore;

TEST_F(OfficeCaTest, SignsACertificateThatVerifies) {
  ASSERT_TRUE(ensure_office_ca(path(), "gate.office.example", wall_now()).ok());
  const TlsPaths paths = tls_paths(path());
  const std::string verified =
      openssl("verify -x509_strict -purpose sslserver -verify_hostname gate.office.example -CAfile " +
              paths.ca + " " + paths.certificate);
  EXPECT_NE(verified.find(": OK"), std::string::npos) << verified;
  EXPECT_NE(openssl("verify -verify_hostname other.example -CAfile " + paths.ca + " " + paths.certificate)
                .find("mismatch"),
            std::string::npos);
  const std::string ca = openssl("x509 -noout -text -in " + paths.ca);
  EXPECT_NE(ca.find("CA:TRUE, pathlen:0"), std::string::npos) << ca;
  EXPECT_NE(ca.find("Certificate Sign, CRL Sign"), std::string::npos);
  EXPECT_NE(ca.find("ASN1 OID: prime256v1"), std::string::npos);
  const std::string server = openssl("x509 -noout -text -in " + paths.certificate);
  EXPECT_NE(server.find("CA:FALSE"), std::string::npos);
  EXPECT_NE(server.find("DNS:gate.office.example"), std::string::npos);
  EXPECT_NE(server.find("TLS Web Server Authentication"), std::string::npos);
  EXPECT_EQ(mode_of(paths.ca_key), 0600U);
  EXPECT_EQ(mode_of(paths.key), 0640U);
  EXPECT_EQ(mode_of(paths.ca), 0644U);
}

TEST_F(OfficeCaTest, AddressesAreNamedAsAddresses) {
  for (const char* host : {"10.0.0.1", "fd00::1"}) {
    ASSERT_TRUE(ensure_office_ca(path(), host, wall_now()).ok());
    const TlsPaths paths = tls_paths(path());
    const std::string verified =
        openssl("verify -verify_ip " + std::string(host) + " -CAfile " + paths.ca + " " + paths.certificate);
    EXPECT_NE(verified.find(": OK"), std::string::npos) << verified;
  }
}

TEST_F(OfficeCaTest, KeepsWhatIsGoodAndRenewsWhatIsNot) {
  const WallTime now = wall_now();
  ASSERT_TRUE(ensure_office_ca(path(), "gate.test", now).ok());
  const TlsPaths paths = tls_paths(path());
  const std::string ca = read(paths.ca);
  const std::string key = read(paths.key);
  const std::string first = read(paths.certificate);
  ASSERT_TRUE(ensure_office_ca(path(), "gate.test", now + Seconds(300L * 86400)).ok());
  EXPECT_EQ(read(paths.certificate), first) << "it lasts";
  ASSERT_TRUE(ensure_office_ca(path(), "gate.test", now + Seconds(370L * 86400)).ok());
  const std::string renewed = read(paths.certificate);
  EXPECT_NE(renewed, first) << "27 days are left";
  ASSERT_TRUE(ensure_office_ca(path(), "other.test", now + Seconds(370L * 86400)).ok());
  EXPECT_NE(read(paths.certificate), renewed) << "another host";
  EXPECT_EQ(read(paths.ca), ca) << "which devices trust";
  EXPECT_EQ(read(paths.key), key);
}

TEST_F(OfficeCaTest, NeverReplacesACaThatDevicesTrust) {
  ASSERT_TRUE(ensure_office_ca(path(), "gate.test", wall_now()).ok());
  const TlsPaths paths = tls_paths(path());
  const std::string ca = read(paths.ca);
  std::filesystem::remove(paths.ca_key);
  EXPECT_FALSE(ensure_office_ca(path(), "gate.test", wall_now()).ok());
  EXPECT_EQ(read(paths.ca), ca);
  std::ofstream(paths.ca_key) << "damaged";
  EXPECT_FALSE(ensure_office_ca(path(), "gate.test", wall_now()).ok());
}

TEST_F(OfficeCaTest, RefusesHostsThatAreNone) {
  for (const char* host : {"", "a b", "a,DNS:evil.test", "a\nb", "*.test", "a/b"}) {
    EXPECT_FALSE(ensure_office_ca(path(), host, wall_now()).ok()) << host;
  }
}

}  // namespace
}  // namespace nightlatch
