// Revocation lists: whom they name, whose word that is, and what then ends.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <memory>

#include "auth/device_proof.h"
#include "auth/revocation_list.h"
#include "base/certificate_number.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

using Name = std::unique_ptr<X509_NAME, void (*)(X509_NAME*)>;
using Serial = std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)>;

Name named(const std::string& text) {
  Name name(X509_NAME_new(), X509_NAME_free);
  X509_NAME_add_entry_by_txt(name.get(), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);  // NOLINT
  return name;
}
Serial numbered(long serial) {
  Serial number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
  ASN1_INTEGER_set(number.get(), serial);
  return number;
}
std::string key(const std::string& issuer, long serial) {
  return certificate_key(named(issuer).get(), numbered(serial).get());
}
std::string list_of(const std::string& issuer, long revoked) {
  const std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> list(X509_CRL_new(), X509_CRL_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> pair(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> now(ASN1_TIME_set(nullptr, 1'790'000'000),
                                                             ASN1_TIME_free);
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), named(issuer).get());
  X509_CRL_set1_lastUpdate(list.get(), now.get());
  X509_CRL_set1_nextUpdate(list.get(), now.get());
  X509_REVOKED* entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, numbered(revoked).get());
  X509_REVOKED_set_revocationDate(entry, now.get());
  X509_CRL_add0_revoked(list.get(), entry);
  X509_CRL_sign(list.get(), pair.get(), EVP_sha256());
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509_CRL(out.get(), list.get());
  char* text = nullptr;
  const auto length = static_cast<std::size_t>(BIO_get_mem_data(out.get(), &text));
  return {text, length};
}

class RevocationListTest : public TemporaryStore {
 protected:
  std::string file(const std::string& lists) {
    const std::string name = (folder() / "crl.pem").string();
    std::ofstream(name) << lists;
    return name;
  }
  // A machine that has proven itself by a certificate of that chain.
  void prove(const std::string& device, const std::string& chain) {
    NewDevice fresh;
    fresh.name = device;
    fresh.mac = Mac::parse(device == "nas" ? "02:00:00:00:00:05" : "02:00:00:00:00:06");
    ASSERT_TRUE(add_device(db(), fresh).ok());
    ShownCertificate shown;
    shown.subject = device + ".lan";
    shown.serial = "05";
    shown.chain = chain;
    shown.expires = from_ms(to_ms(wall_now())) + Seconds(5000);
    AuditWriter audit(path());
    const auto done = prove_device(db(), audit, {TokenId::none, shown},
                                   {fresh.mac, *IpAddress::parse("10.0.0.5")}, wall_now());
    ASSERT_TRUE(done.ok() && done->kind == ProofOutcome::Kind::proven) << done->reason;
  }
  std::size_t left_after(const std::string& lists) {
    AuditWriter audit(path());
    const Status done = withdraw_proofs(db(), audit, {false, file(lists)}, wall_now());
    EXPECT_EQ(done.ok(), lists != "damaged");
    return list_proofs(db())->size();
  }
};

TEST_F(RevocationListTest, AKeyIsAnIssuersOwnNumber) {
  EXPECT_EQ(key("above", 5).size(), std::string("00000000/05").size());
  EXPECT_TRUE(key("above", 5).ends_with("/05"));
  EXPECT_NE(key("above", 5), key("below", 5));
  EXPECT_EQ(key("above", 5), key("Above", 5)) << "names are compared in their canonical form";
}

TEST_F(RevocationListTest, NamesOnlyWhatItsIssuerHasIssued) {
  const std::string lists = file(list_of("above", 5) + list_of("below", 9));
  const auto revoked = [&](const std::string& chain) { return *is_revoked(lists, chain); };
  EXPECT_TRUE(revoked(key("above", 5)));
  EXPECT_FALSE(revoked(key("below", 5))) << "another CA's certificate of that number";
  EXPECT_TRUE(revoked(key("below", 5) + " " + key("above", 5))) << "but not below one that is";
  EXPECT_TRUE(revoked(key("below", 9) + " " + key("above", 2)));
  EXPECT_FALSE(revoked(key("below", 8) + " " + key("above", 2)));
  EXPECT_FALSE(*is_revoked("", key("above", 5))) << "there is no list";
  EXPECT_FALSE(is_revoked(file("damaged"), key("below", 1)).ok());
  EXPECT_FALSE(is_revoked(file(list_of("above", 5) + list_of("below", 9).substr(0, 100)), "x").ok());
}

TEST_F(RevocationListTest, EndsWhatItsCertificatesHaveProven) {
  prove("nas", key("below", 5) + " " + key("above", 2));
  prove("printer", key("below", 6) + " " + key("above", 3));
  EXPECT_EQ(left_after(list_of("above", 5) + list_of("below", 2)), 2U) << "numbers of the other CA";
  EXPECT_EQ(left_after("damaged"), 2U);
  EXPECT_EQ(left_after(list_of("below", 5)), 1U);
  EXPECT_EQ(left_after(list_of("above", 3)), 0U) << "a CA on the way";
}

TEST_F(RevocationListTest, GoesByTheNumberAloneWhereNothingElseIsKnown) {
  prove("nas", "");  // as an older release has written it down
  EXPECT_EQ(left_after(list_of("above", 6)), 1U);
  EXPECT_EQ(left_after(list_of("above", 5)), 0U);
}

}  // namespace
}  // namespace nightlatch
