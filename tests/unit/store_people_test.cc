// Users, groups, devices, resources, policies and settings in a real store.
#include <gtest/gtest.h>

#include "policy/parse.h"
#include "store/access.h"
#include "store/office_store.h"
#include "store/people.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

using StoreTest = TemporaryStore;

TEST_F(StoreTest, NamesAreUniqueInAnyCaseAndChecked) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  const auto again = add_user(db(), "ALICE", std::nullopt, {});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  for (const std::string& bad : {std::string(), std::string("a\nb"), std::string("-a"), std::string(300, 'a'),
                                 std::string("a\x1b[31m"), std::string("a b"), std::string("a\0b", 3)}) {
    const auto before = office_version(db());
    const auto made = add_user(db(), bad, std::nullopt, {});
    ASSERT_FALSE(made.ok()) << bad;
    EXPECT_EQ(made.error().kind, ErrorKind::usage);
    EXPECT_EQ(*office_version(db()), *before) << "a refused name must leave the store as it was";
  }
}

TEST_F(StoreTest, AnAbsentNameProposesTheNearest) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  const auto missing = find_user(db(), "alcie");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_EQ(missing.error().hint, "did you mean 'alice'?");
}

TEST_F(StoreTest, AGroupLivesWhileItHasAMemberOrAPolicy) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {"staff"}).ok());
  ASSERT_TRUE(add_resource(db(), "wiki", {*parse_target("10.1.0.1:443/tcp", "to")}).ok());
  NewPolicy p;
  p.name = "wiki";
  p.groups = {"staff"};
  p.resources = {"wiki"};
  ASSERT_TRUE(add_policy(db(), p).ok());
  ASSERT_TRUE(leave_group(db(), "alice", "staff").ok());
  EXPECT_EQ(*list_groups(db()), std::vector<std::string>{"staff"}) << "the policy still names it";
  ASSERT_TRUE(remove_policy(db(), "wiki").ok());
  ASSERT_TRUE(join_group(db(), "alice", "others").ok());
  ASSERT_TRUE(leave_group(db(), "alice", "others").ok());
  EXPECT_TRUE(list_groups(db())->empty());
}

TEST_F(StoreTest, WhatAPolicyNamesCannotBeRemoved) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  ASSERT_TRUE(add_resource(db(), "wiki", {*parse_target("10.1.0.1:443/tcp", "to")}).ok());
  NewPolicy p;
  p.name = "wiki-staff";
  p.users = {"alice"};
  p.resources = {"wiki"};
  ASSERT_TRUE(add_policy(db(), p).ok());
  EXPECT_EQ(remove_user(db(), "alice").error().kind, ErrorKind::conflict);
  EXPECT_EQ(remove_resource(db(), "wiki").error().kind, ErrorKind::conflict);
  ASSERT_TRUE(remove_policy(db(), "wiki-staff").ok());
  EXPECT_TRUE(remove_user(db(), "alice").ok());
  EXPECT_TRUE(remove_resource(db(), "wiki").ok());
}

TEST_F(StoreTest, APolicyNamingSomethingAbsentChangesNothing) {
  ASSERT_TRUE(add_resource(db(), "wiki", {*parse_target("10.1.0.1:443/tcp", "to")}).ok());
  const auto before = *office_version(db());
  NewPolicy p;
  p.name = "wiki";
  p.resources = {"wiki", "wkii"};
  p.anyone = true;
  const auto made = add_policy(db(), p);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::not_found);
  EXPECT_EQ(*office_version(db()), before);
  EXPECT_TRUE(load_office(db())->policies.empty());
}

TEST_F(StoreTest, PoliciesKeepTheirOrder) {
  ASSERT_TRUE(add_resource(db(), "r", {*parse_target("10.1.0.1:443/tcp", "to")}).ok());
  const auto add = [&](const char* name, const char* before) {
    NewPolicy p;
    p.name = name;
    p.anyone = true;
    p.resources = {"r"};
    p.before = before;
    return add_policy(db(), p).ok();
  };
  ASSERT_TRUE(add("a", "") && add("b", "") && add("c", "a"));
  const auto order = [&] {
    std::string names;
    const auto office = load_office(db());
    for (const Policy& p : office->policies) names += p.name;
    return names;
  };
  EXPECT_EQ(order(), "cab");
  ASSERT_TRUE(move_policy(db(), "c", "").ok());
  EXPECT_EQ(order(), "abc");
  ASSERT_TRUE(move_policy(db(), "c", "b").ok());
  EXPECT_EQ(order(), "acb");
  EXPECT_FALSE(move_policy(db(), "a", "a").ok());
}

TEST_F(StoreTest, WhatIsWrittenIsWhatIsRead) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {"staff"}).ok());
  ASSERT_TRUE(add_resource(db(), "db",
                           {*parse_target("10.1.0.0/24:5432/tcp", "to"),
                            *parse_target("[2001:db8::1]:8000-8010/udp", "to")})
                  .ok());
  NewPolicy p;
  p.name = "db";
  p.groups = {"STAFF"};
  p.resources = {"DB"};
  p.terms.session = Seconds(3600);
  p.terms.mfa = Seconds(60);
  p.terms.on_expiry = *parse_expiry("keep=12h", "x");
  p.terms.hours = *parse_hours("mon-fri 07:00-19:00", "x");
  p.terms.idle = Seconds(900);
  p.terms.min_binding = Binding::mac;
  ASSERT_TRUE(add_policy(db(), p).ok());
  const auto office = load_office(db());
  ASSERT_TRUE(office.ok());
  ASSERT_EQ(office->policies.size(), 1U);
  const Policy& read = office->policies[0];
  EXPECT_EQ(read.terms.session, p.terms.session);
  EXPECT_EQ(read.terms.mfa, p.terms.mfa);
  EXPECT_EQ(read.terms.on_expiry, p.terms.on_expiry);
  ASSERT_TRUE(read.terms.hours.has_value());
  EXPECT_EQ(read.terms.hours->spans, p.terms.hours->spans);
  EXPECT_EQ(read.terms.idle, p.terms.idle);
  EXPECT_EQ(read.terms.min_binding, Binding::mac);
  EXPECT_EQ(read.groups, office->users[0].groups);
  EXPECT_EQ(office->resources[0].targets.size(), 2U);
}

TEST_F(StoreTest, DevicesAreKnownByOneMacAndOneAddressEach) {
  NewDevice d;
  d.mac = Mac::parse("AA-BB-CC-00-00-01");
  const auto first = add_device(db(), d);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(list_devices(db())->at(0).name, "pc-0001") << "a name is made from the MAC";
  d.name = "other";
  EXPECT_EQ(add_device(db(), d).error().kind, ErrorKind::conflict);
  NewDevice off;
  off.addresses = {*IpAddress::parse("10.9.0.1")};
  ASSERT_TRUE(add_device(db(), off).ok());
  EXPECT_EQ(add_device(db(), off).error().kind, ErrorKind::conflict);
  EXPECT_EQ(add_device(db(), NewDevice{}).error().kind, ErrorKind::usage);
}

TEST_F(StoreTest, SettingsHaveDefaultsAndChecks) {
  EXPECT_EQ(*get_setting(db(), "enrol"), "open");
  ASSERT_TRUE(set_setting(db(), "enrol", "approve").ok());
  EXPECT_EQ(*get_setting(db(), "enrol"), "approve");
  EXPECT_EQ(load_office(db())->enrol, Enrol::approve);
  const auto before = *office_version(db());
  for (const auto& [key, value] :
       {std::pair{"enrol", "sometimes"}, std::pair{"session.max", "8"}, std::pair{"unprotected", "maybe"},
        std::pair{"portal.url", "http://x"}, std::pair{"lan", "a b"}, std::pair{"flows.max", "0"},
        std::pair{"audit.keep", "1s"}, std::pair{"mark", "0x0"}, std::pair{"portal.https", "10.0.0.1:0"}}) {
    EXPECT_FALSE(set_setting(db(), key, value).ok()) << key;
  }
  EXPECT_EQ(set_setting(db(), "enroll", "open").error().kind, ErrorKind::not_found);
  EXPECT_EQ(*office_version(db()), before);
  ASSERT_TRUE(unset_setting(db(), "enrol").ok());
  EXPECT_EQ(*get_setting(db(), "enrol"), "open");
}

TEST_F(StoreTest, WhatAnAdministratorMarkedItsOwnerCannotForget) {
  const UserId mallory = *add_user(db(), "mallory", std::nullopt, {});
  NewDevice d;
  d.name = "terminal-server";
  d.mac = Mac::parse("02:00:00:00:00:77");
  d.owner = mallory;
  const DeviceId id = *add_device(db(), d);
  ASSERT_TRUE(set_device_shared(db(), "terminal-server", true).ok());
  EXPECT_FALSE(remove_own_device(db(), id, mallory)->has_value()) << "it would come back, and not be shared";
  EXPECT_TRUE(devices_of(db(), mallory)->front().marked);
  ASSERT_TRUE(set_device_shared(db(), "terminal-server", false).ok());
  EXPECT_TRUE(remove_own_device(db(), id, mallory)->has_value());
}

}  // namespace
}  // namespace nightlatch
