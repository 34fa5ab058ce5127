// cert: client certificates, by which machines prove themselves.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <ostream>

#include "auth/device_ca.h"
#include "base/crypto.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/access.h"
#include "store/certificates.h"
#include "store/people.h"

namespace nightlatch::cli {

namespace {

namespace fs = std::filesystem;

constexpr Seconds kUsualLifetime{365 * 86400};

std::string_view state_of(const CertificateRow& c, WallTime now) {
  if (c.revoked) return "revoked";
  return c.expires && now >= *c.expires ? "expired" : "active";
}

Record record_of(const CertificateRow& c, WallTime now) {
  Record record;
  record.add("id", static_cast<std::int64_t>(c.id))
      .add("name", c.name)
      .add("device", c.device)
      .add("ca", c.own ? "own" : "given")
      .add("subject", c.own ? Record::Value() : Record::Value(c.subject))
      .add("sha256", c.own ? Record::Value(c.sha256) : Record::Value())
      .add("serial", c.serial.empty() ? Record::Value() : Record::Value(c.serial))
      .add("state", state_of(c, now))
      .add_time("created", c.created)
      .add_time("expires", c.expires.value_or(kNever))
      .add_time("last_shown", c.last_shown.value_or(kNever))
      .add_time("revoked", c.revoked.value_or(kNever));
  return record;
}

Error cannot_write(const fs::path& path) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread
  return Error::failure(fmt::format("--out: {}: {}", path.string(), std::strerror(errno)));
}

// A file that was not there before; a key is its owner's alone.
Status write_new(const fs::path& path, std::string_view text, mode_t mode) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd.valid()) return cannot_write(path);
  if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(fd.get()) != 0)
    return cannot_write(path);
  return Done{};
}

Result<Seconds> lifetime(const Context& context) {
  if (!context.given("for")) return kUsualLifetime;
  Result<Seconds> d = parse_duration(context.value("for"), "--for");
  if (!d) return Error{d.error().kind, printable(d.error().message), d.error().hint};
  if (d->count() == 0) {
    return Error::usage("--for: 0 would be over at once", "write a number with its unit, such as 90d");
  }
  return *d;
}

Result<NewCertificate> read_certificate(const Context& context) {
  NewCertificate c;
  c.device = context.value("device");
  if (c.device.empty()) {
    return Error::usage("--device is missing", "say --device DEVICE, which machine proves itself with it");
  }
  NL_TRY(check_name(c.device, "--device"));
  if (context.given("name")) {
    c.name = context.value("name");
    NL_TRY(check_name(c.name, "--name"));
  }
  return c;
}

Result<int> run_issue(Context& context) {
  Result<NewCertificate> wanted = read_certificate(context);
  if (!wanted) return wanted.error();
  if (!context.given("out")) {
    return Error::usage("--out is missing",
                        "say --out FOLDER, where the certificate and its key are written");
  }
  Result<Seconds> time = lifetime(context);
  if (!time) return time.error();
  const fs::path folder = context.value("out");
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) {
    return Error::usage(fmt::format("--out: there is no folder '{}'", printable(folder.string())),
                        "make it first; the key that is written there is the machine's secret");
  }
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<DeviceRow> device = find_device(*db, wanted->device);
  if (!device) return device.error();
  wanted->device = device->name;
  Result<std::string> name = certificate_name(*db, *wanted);
  if (!name) return name.error();
  wanted->name = *name;
  const fs::path certificate_file = folder / (*name + ".pem"), key_file = folder / (*name + ".key");
  for (const fs::path& file : {certificate_file, key_file}) {
    if (fs::exists(file, ec)) {
      return Error::conflict(fmt::format("--out: there is already a file {}", file.string()),
                             "move it away, or choose another folder or --name");
    }
  }
  const WallTime now = wall_now();
  Result<IssuedCertificate> issued = issue_device_certificate(db->path(), device->name, *time, now);
  if (!issued) return issued.error();
  const Status key_written = write_new(key_file, issued->key_pem, 0600);
  wipe(issued->key_pem);
  NL_TRY(key_written);
  NL_TRY(write_new(certificate_file, issued->certificate_pem, 0644));
  wanted->sha256 = issued->sha256;
  wanted->serial = issued->serial;
  wanted->expires = issued->expires;
  Result<AddedCertificate> added = add_certificate(*db, *wanted, now);
  if (!added) return added.error();
  if (context.json()) {
    Record record;
    record.add("id", static_cast<std::int64_t>(added->id))
        .add("name", added->name)
        .add("device", device->name)
        .add("certificate", certificate_file.string())
        .add("key", key_file.string())
        .add("sha256", hex(issued->sha256))
        .add_time("expires", issued->expires);
    print_record(context, record);
  } else {
    context.io.out << certificate_file.string() << '\n' << key_file.string() << '\n';
  }
  NL_TRY(context.audit(fmt::format("{} (certificate {})", context.words(), added->name)));
  context.say("issued certificate {} for {}; the key is in no other place", added->name, device->name);
  return 0;
}

Result<int> run_accept(Context& context) {
  Result<NewCertificate> wanted = read_certificate(context);
  if (!wanted) return wanted.error();
  wanted->subject = context.argument(0);
  NL_TRY(check_name(wanted->subject, "SUBJECT"));
  if (wanted->name.empty()) wanted->name = wanted->subject;
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<AddedCertificate> added = add_certificate(*db, *wanted, wall_now());
  if (!added) return added.error();
  NL_TRY(context.audit(context.words()));
  context.say("a certificate of the given CA for {} proves {}", wanted->subject, wanted->device);
  Result<std::string> ca = get_setting(*db, "mtls.ca");
  if (ca && ca->empty()) context.say("no CA is given yet: nightlatch set mtls.ca FILE");
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<std::vector<CertificateRow>> certificates = list_certificates(*db);
  if (!certificates) return certificates.error();
  const WallTime now = wall_now();
  std::vector<Record> rows;
  for (const CertificateRow& c : *certificates) rows.push_back(record_of(c, now));
  print_rows(context, rows,
             {{"ID", "id"},
              {"NAME", "name"},
              {"DEVICE", "device"},
              {"CA", "ca"},
              {"SUBJECT", "subject"},
              {"STATE", "state"},
              {"EXPIRES", "expires"},
              {"LAST SHOWN", "last_shown"}},
             "there are no certificates; issue one: nightlatch cert issue --device DEVICE --out FOLDER");
  return 0;
}

Result<int> run_revoke(Context& context) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<CertificateRow> revoked = revoke_certificate(*db, context.argument(0), wall_now());
  if (!revoked) return revoked.error();
  NL_TRY(context.audit(context.words()));
  context.say("revoked certificate {} of {}; what it let through has ended", revoked->name, revoked->device);
  return 0;
}

Option text(const std::string& name, const std::string& value, const std::string& help,
            Words words = Words::none) {
  return {.name = name, .kind = Option::Kind::text, .value = value, .help = help, .words = words};
}

}  // namespace

std::vector<Command> cert_commands() {
  const Option device = text("device", "DEVICE", "which machine proves itself with it", Words::device);
  const Option name = text("name", "NAME", "what it is called in lists and policies; else one is made");
  return {
      {.noun = "cert",
       .verb = "issue",
       .summary = "make a key and a client certificate for a machine, of the office's own device CA",
       .details = "Writes NAME.pem, with the CA's certificate behind it, and NAME.key, which only its owner "
                  "may read, "
                  "into the folder. The device CA is made with the first certificate; its key is beside the "
                  "store, and "
                  "only root can read it.\n\n"
                  "The machine proves itself by showing the certificate where the setting portal.mtls says: "
                  "curl --cert NAME.pem --key NAME.key -X POST https://HOST:PORT/enrol. Then its flows are "
                  "tied to it "
                  "by a certificate, for as long as cert.fresh says, and a policy with --cert lets it in.",
       .options = {device, text("out", "FOLDER", "where the two files are written"), name,
                   text("for", "DURATION", "how long, such as 90d; else 365d")},
       .examples = {{"cert issue --device nas --out /root/nas"},
                    {"cert issue --device nas --out . --for 90d --json"}},
       .json = true,
       .run = run_issue},
      {.noun = "cert",
       .verb = "accept",
       .summary = "say which machine a certificate of the given CA belongs to",
       .details =
           "With the setting mtls.ca, certificates of that CA are taken instead of our own. Such a one is "
           "known "
           "by its first DNS name, or by its common name, and so is the one that renews it. Without this "
           "command, a certificate that is shown for the first time belongs to the device that shows it, as "
           "the "
           "setting 'enrol' says.",
       .arguments = {{.name = "SUBJECT", .help = "the DNS name or common name in it"}},
       .options = {device, name},
       .examples = {{"cert accept nas.office.example --device nas"}},
       .run = run_accept},
      {.noun = "cert",
       .verb = "list",
       .summary = "list the client certificates, revoked ones too",
       .examples = {{"cert list"}, {"cert list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "cert",
       .verb = "revoke",
       .summary = "end a certificate, and the live flows that it let through, at once",
       .arguments = {{.name = "NAME",
                      .help = "the certificate's name, or its id",
                      .words = Words::certificate}},
       .examples = {{"cert revoke nas-1"}, {"cert revoke 7"}},
       .run = run_revoke},
  };
}

}  // namespace nightlatch::cli
