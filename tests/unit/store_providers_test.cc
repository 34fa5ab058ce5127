// Providers, who their people are here, and their groups.
#include "store/access.h"
#include "store/identities.h"
#include "store/people.h"
#include "store/providers.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class ProvidersTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {"staff"}).ok());
    add("corp", false);
  }
  Provider add(const std::string& name, bool create) {
    NewProvider p;
    p.name = name;
    p.issuer = "https://" + name + ".example";
    p.client_id = "gate";
    p.algorithms = {"RS256", "ES256"};
    p.scopes = {"email"};
    p.create_users = create;
    EXPECT_TRUE(
        add_provider(db(), p, [](ProviderId id) -> Result<std::string> { return secret_purpose(id); }).ok());
    return *find_provider(db(), name);
  }
  ArrivedPerson arrive(const Provider& p, const std::string& subject, const std::string& wanted = "",
                       std::optional<std::vector<std::string>> groups = {}, const std::string& session = "") {
    auto person = person_of(
        db(), p, {subject, wanted, session, std::move(groups), from_ms(900), from_ms(950)}, from_ms(1'000));
    EXPECT_TRUE(person.ok());
    return person ? *person : ArrivedPerson();
  }
  std::vector<std::string> groups(const char* user) { return find_user(db(), user)->groups; }
};

TEST_F(ProvidersTest, AreKeptAsTheyWereGiven) {
  const Provider p = *find_provider(db(), "CORP");
  EXPECT_EQ(p.name, "corp");
  EXPECT_EQ(p.algorithms, std::vector<std::string>({"RS256", "ES256"}));
  EXPECT_TRUE(p.enabled && p.has_secret && p.mfa_acr.empty());
  EXPECT_EQ(**sealed_secret(db(), p.id), secret_purpose(p.id));
  NewProvider again = static_cast<const NewProvider&>(p);
  again.name = "other";
  EXPECT_EQ(add_provider(db(), again, {}).error().kind, ErrorKind::conflict) << "one provider an issuer";
  again.issuer = "https://other.example";
  for (const char* name : {"corp", "local", "a@b", ""}) {
    again.name = name;
    EXPECT_FALSE(add_provider(db(), again, {}).ok()) << name;
  }
  ASSERT_TRUE(join_group(db(), "alice", "it@later").ok());
  again.name = "later";
  EXPECT_EQ(add_provider(db(), again, {}).error().kind, ErrorKind::conflict)
      << "its groups have members already";
}

TEST_F(ProvidersTest, ASubjectIsNobodyUntilItIsLinked) {
  const Provider corp = *find_provider(db(), "corp");
  EXPECT_EQ(arrive(corp, "s-1", "alice").kind, ArrivedPerson::Kind::unknown) << "a name is no proof";
  ASSERT_TRUE(link_identity(db(), "corp", "s-1", "alice", from_ms(1)).ok());
  EXPECT_EQ(link_identity(db(), "corp", "s-1", "alice", from_ms(1)).error().kind, ErrorKind::conflict);
  EXPECT_EQ(link_identity(db(), "corp", "s-2", "nobody", from_ms(1)).error().kind, ErrorKind::not_found);
  EXPECT_FALSE(link_identity(db(), "corp", "", "alice", from_ms(1)).ok());
  EXPECT_EQ(arrive(corp, "s-1").name, "alice");
  EXPECT_EQ(arrive(corp, "S-1").kind, ArrivedPerson::Kind::unknown) << "subjects are exact";
  EXPECT_EQ(arrive(add("other", false), "s-1").kind, ArrivedPerson::Kind::unknown)
      << "another issuer's subject";
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_EQ(arrive(corp, "s-1").kind, ArrivedPerson::Kind::disabled);
  ASSERT_TRUE(unlink_identity(db(), "corp", "s-1").ok());
  EXPECT_EQ(unlink_identity(db(), "corp", "s-1").error().kind, ErrorKind::not_found);
  EXPECT_EQ(arrive(corp, "s-1").kind, ArrivedPerson::Kind::unknown);
}

TEST_F(ProvidersTest, WhoIsUnlinkedLosesWhatTheProviderSaid) {
  const Provider corp = *find_provider(db(), "corp");
  for (const char* subject : {"s-1", "s-2"})
    ASSERT_TRUE(link_identity(db(), "corp", subject, "alice", from_ms(1)).ok());
  (void)arrive(corp, "s-1", "", std::vector<std::string>{"finance"}, "session-1");
  ASSERT_EQ(groups("alice"), std::vector<std::string>({"finance@corp", "staff"}));
  ASSERT_TRUE(unlink_identity(db(), "corp", "s-2").ok());
  EXPECT_EQ(groups("alice").size(), 2U) << "she is still somebody there";
  ASSERT_TRUE(unlink_identity(db(), "CORP", "s-1").ok());
  EXPECT_EQ(groups("alice"), std::vector<std::string>({"staff"}));
  EXPECT_EQ(**db().integer("SELECT count(*) FROM provider_session"), 0);
}

TEST_F(ProvidersTest, ANewUserNeverTakesOverAName) {
  const Provider made = add("made", true);
  for (const char* name : {"alice", "ALICE"})
    EXPECT_EQ(arrive(made, "s-1", name).kind, ArrivedPerson::Kind::name_taken);
  for (const char* name : {"", "a b", "-x"})
    EXPECT_EQ(arrive(made, "s-1", name).kind, ArrivedPerson::Kind::no_name);
  const ArrivedPerson carol = arrive(made, "s-1", "carol");
  EXPECT_EQ(carol.kind, ArrivedPerson::Kind::created);
  EXPECT_EQ(arrive(made, "s-1", "somebody-else").name, "carol") << "a changed claim changes nobody";
  EXPECT_EQ(arrive(made, "s-2", "carol").kind, ArrivedPerson::Kind::name_taken);
  EXPECT_FALSE(find_user(db(), "carol")->has_password);
  ASSERT_TRUE(set_provider_enabled(db(), "made", false).ok());
  EXPECT_FALSE(person_of(db(), made, {"s-1", "", "", {}, {}, {}}, from_ms(1)).ok())
      << "disabled in the meantime";
}

TEST_F(ProvidersTest, GroupsOfTheProviderAreItsOwn) {
  const Provider corp = *find_provider(db(), "corp");
  ASSERT_TRUE(link_identity(db(), "corp", "s-1", "alice", from_ms(1)).ok());
  const ArrivedPerson first = arrive(corp, "s-1", "", {{"Finance", "/ops", "with blank", "staff"}});
  EXPECT_EQ(first.groups_left_out, 1U);
  EXPECT_EQ(groups("alice"), std::vector<std::string>({"finance@corp", "ops@corp", "staff", "staff@corp"}));
  arrive(corp, "s-1");
  EXPECT_EQ(groups("alice").size(), 4U) << "not asked";
  arrive(corp, "s-1", "", {{"ops"}});
  EXPECT_EQ(groups("alice"), std::vector<std::string>({"ops@corp", "staff"}));
  EXPECT_FALSE(join_group(db(), "alice", "boss@corp").ok()) << "by hand nobody gets in";
  EXPECT_FALSE(join_group(db(), "alice", "boss@CORP").ok());
  ASSERT_TRUE(add_resource(db(), "wiki", {Target{*Prefix::parse("10.88.0.2/32"), PortRange{80, 80}}}).ok());
  NewPolicy policy;
  policy.name = "p";
  policy.resources = {"wiki"};
  policy.groups = {"Boss@corp"};
  EXPECT_TRUE(add_policy(db(), policy).ok()) << "a policy may name it before anybody is in it";
  arrive(corp, "s-1", "", {{"boss"}});
  EXPECT_EQ(groups("alice"), std::vector<std::string>({"boss@corp", "staff"}));
  ASSERT_TRUE(remove_provider(db(), "corp").ok());
  EXPECT_EQ(groups("alice"), std::vector<std::string>({"staff"}));
}

TEST_F(ProvidersTest, ALogoutTokenIsGoodOnce) {
  const Provider corp = *find_provider(db(), "corp");
  ASSERT_TRUE(link_identity(db(), "corp", "s-1", "alice", from_ms(1)).ok());
  arrive(corp, "s-1", "", {}, "sid-1");
  const auto use = [&](const LogoutNotice& notice) {
    auto used = use_logout_token(db(), corp.id, notice, from_ms(5'000));
    EXPECT_TRUE(used.ok());
    return !*used ? std::string("used") : (*used)->empty() ? std::string("nobody") : (**used)[0].name;
  };
  EXPECT_EQ(use({"s-1", "", "j1"}), "alice");
  EXPECT_EQ(use({"s-1", "", "j1"}), "used");
  EXPECT_EQ(use({"", "sid-1", "j2"}), "alice");
  EXPECT_EQ(use({"", "sid-2", "j3"}), "nobody");
  EXPECT_EQ(use({"s-2", "sid-1", "j4"}), "nobody") << "the subject counts where there is one";
}

// The browser was sent there at 10'000; whoever is let in then was still signed in there.
TEST_F(ProvidersTest, WhoSignedOutThereMeanwhileIsNotLetIn) {
  const Provider corp = *find_provider(db(), "corp");
  ASSERT_TRUE(link_identity(db(), "corp", "s-1", "alice", from_ms(1)).ok());
  const auto comes = [&](const LogoutNotice& notice, std::int64_t logout, std::int64_t authenticated) {
    EXPECT_TRUE(use_logout_token(db(), corp.id, notice, from_ms(logout))->has_value());
    const auto person =
        person_of(db(), corp, {"s-1", "", "sid-1", {{"boss"}}, from_ms(authenticated), from_ms(10'000)},
                  from_ms(20'000));
    EXPECT_TRUE(person.ok());
    EXPECT_TRUE(db().run("DELETE FROM logout_token").ok());
    const bool in = person->kind == ArrivedPerson::Kind::known;
    EXPECT_TRUE(in || (person->kind == ArrivedPerson::Kind::logged_out && groups("alice").size() == 1));
    arrive(corp, "s-1", "", std::vector<std::string>{});
    return in;
  };
  EXPECT_FALSE(comes({"s-1", "", "a"}, 15'000, 5'000)) << "all that she had shown ended with it";
  EXPECT_FALSE(comes({"s-1", "", "b"}, 10'000, 10'000)) << "when one cannot tell";
  EXPECT_TRUE(comes({"s-1", "", "c"}, 9'999, 5'000)) << "she was sent there after that";
  EXPECT_FALSE(comes({"s-1", "", "d"}, 15'000, 44'000)) << "nor when their clock is ahead";
  EXPECT_TRUE(comes({"s-1", "", "D"}, 15'000, 45'001)) << "she has signed in anew since";
  EXPECT_FALSE(comes({"s-1", "sid-1", "e"}, 15'000, 45'001)) << "but not of the very session that ended";
  EXPECT_FALSE(comes({"", "sid-1", "f"}, 15'000, 5'000));
  EXPECT_TRUE(comes({"", "sid-2", "g"}, 15'000, 5'000)) << "another session's";
  EXPECT_TRUE(comes({"s-2", "", "h"}, 15'000, 5'000)) << "another person's";
  EXPECT_TRUE(use_logout_token(db(), corp.id, {"s-2", "", "i"}, from_ms(15'000))->has_value());
  const auto unsaid =
      person_of(db(), corp, {"s-1", "", "", {}, from_ms(5'000), from_ms(10'000)}, from_ms(20'000));
  EXPECT_EQ(unsaid->kind, ArrivedPerson::Kind::known) << "nor where no session is named";
}

TEST_F(ProvidersTest, HostsAreThoseOfEnabledOnes) {
  const Provider corp = *find_provider(db(), "corp");
  EXPECT_EQ(*set_provider_hosts(db(), corp.id, {{"a.example", 443}, {"b.example", 443}}), true);
  EXPECT_EQ(*set_provider_hosts(db(), corp.id, {{"b.example", 443}, {"c.example", 8443}}), true);
  EXPECT_EQ(*set_provider_hosts(db(), corp.id, {{"b.example", 443}, {"c.example", 8443}}), false);
  EXPECT_EQ(*list_provider_hosts(db()), std::vector<ProviderHost>({{"b.example", 443}, {"c.example", 8443}}));
  // What an admin has said of one is not the documents' to change.
  ASSERT_TRUE(set_provider_inside(db(), corp.id, {{"b.example", 443}}).ok());
  EXPECT_EQ(*set_provider_hosts(db(), corp.id, {{"b.example", 443}, {"d.example", 443, true}}), true);
  const std::vector<ProviderHost> told{{"b.example", 443, true}, {"d.example", 443}};
  EXPECT_EQ(*list_provider_hosts(db()), told);
  EXPECT_EQ(*hosts_of_provider(db(), corp.id), told);
  EXPECT_EQ(*set_provider_hosts(db(), corp.id, {{"d.example", 443}}), false) << "it stays";
  EXPECT_EQ(*list_provider_hosts(db()), told);
  add("same", false);
  EXPECT_EQ(*set_provider_hosts(db(), find_provider(db(), "same")->id, {{"b.example", 443}}), true);
  EXPECT_EQ(*list_provider_hosts(db()), told) << "once, and inside if it is for one of them";
  ASSERT_TRUE(set_provider_inside(db(), corp.id, {}).ok());
  EXPECT_EQ(*list_provider_hosts(db()), std::vector<ProviderHost>({{"b.example", 443}, {"d.example", 443}}));
  ASSERT_TRUE(set_provider_enabled(db(), "same", false).ok());
  ASSERT_TRUE(set_provider_enabled(db(), "corp", false).ok());
  EXPECT_TRUE(list_provider_hosts(db())->empty());
}

}  // namespace
}  // namespace nightlatch
