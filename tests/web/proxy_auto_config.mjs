// The proxy auto-configuration file in a JavaScript engine, with the functions around it that browsers give it. Started by
// tests/web/run as `proxy_auto_config.mjs FILE`, FILE being what the portal serves. Prints a line for each check, and `done`
// at the end.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
// The very text that tests/unit/web_proxy_auto_config_test.cc holds the generator to.
const office = `${read('office.pac')}\n${read('../../web/assets/proxy_auto_config.js')}`;
const served = readFileSync(process.argv[2], 'utf8');
const GATE = 'PROXY gate.office.example:3128; SOCKS5 gate.office.example:1080; SOCKS gate.office.example:1080';
const DIRECT = 'DIRECT';

// What the laptop's resolver would find.
const DNS = {
  'printer.lan': ['10.88.0.9'], 'console': ['10.90.0.7'], 'six.lan': ['fd88::7'], 'both.lan': ['192.0.2.1', 'fd88::8'],
  'second.lan': ['192.0.2.1', '10.88.0.3'], 'news.lan': ['192.0.2.80'], 'wiki.lan': ['192.0.2.81'],
  'gate.office.example': ['10.88.0.1'], 'mapped.lan': ['::ffff:10.88.0.3'], 'trap.lan': ['127.0.0.1'],
};

// Netscape's functions: dnsResolve() knows one IPv4 address, in Mozilla's words "null if it can not be resolved"; Chromium
// and Windows have Microsoft's dnsResolveEx() too, which gives all addresses, or an empty text.
function engine(script, microsoft) {
  const asked = [];
  const found = (host) => (Object.hasOwn(DNS, host) ? DNS[host] : []);
  const globals = {
    dnsResolve: (host) => {
      asked.push(host);
      return found(host).find((address) => !address.includes(':')) ?? null;
    },
  };
  if (microsoft) {
    globals.dnsResolveEx = (host) => {
      asked.push(host);
      return found(host).join(';');
    };
  }
  vm.createContext(globals);
  vm.runInContext(script, globals, { timeout: 5000 });
  return { asked, find: (url, host) => globals.FindProxyForURL(url, host) };
}

function check(name, test) {
  try {
    test();
    console.log(`ok    ${name}`);
  } catch (error) {
    console.log(`FAIL  ${name}`);
    for (const line of String(error.stack ?? error).split('\n').slice(0, 12)) console.log(`      ${line}`);
  }
}
function equal(got, want, what) {
  const [is, should] = [got, want].map((value) => String(JSON.stringify(value)));
  if (is !== should) throw new Error(`${what}: ${is}, not ${should}`);
}

// [what, URL, host, answer, looked up in the DNS?]. Where the host is null it is the URL's. `six`: only where that can find
// an address of IPv6, for with this port there is no other.
const NAMES = [
  ['a host by name', 'https://wiki.lan/', null, GATE, false],
  ['and on its other port', 'http://wiki.lan/a?b=http://x:1/', null, GATE, false],
  ['whatever the case and the dot', 'https://WIKI.Lan./', 'WIKI.Lan.', GATE, false],
  ['with a port that is the default', 'https://wiki.lan:443/', null, GATE, false],
  ['WebSocket', 'ws://wiki.lan/socket', null, GATE, false],
  ['WebSocket over TLS', 'wss://wiki.lan/socket', null, GATE, false],
  ['a user and a password with colons', 'http://alice:p:81@wiki.lan/', 'wiki.lan', GATE, false],
  ['another port', 'http://wiki.lan:8080/', null, DIRECT, false],
  ['a scheme without a port', 'gopher://wiki.lan/', 'wiki.lan', DIRECT, false],
  ['a scheme with one', 'other://wiki.lan:443', 'wiki.lan', GATE, false],
  ['a name below it', 'https://a.wiki.lan/', null, DIRECT, 'six'],
  ['a name that ends like it', 'https://notwiki.lan/', null, DIRECT, 'six'],
  ['a name that begins like it', 'https://wiki.lan.evil.example/', null, DIRECT, 'six'],
  ['below a wildcard', 'https://a.corp.example/', null, GATE, false],
  ['far below it', 'https://a.b.c.corp.example/', null, GATE, false],
  ['its range of ports', 'http://a.corp.example:8010/', null, GATE, false],
  ['outside of its range', 'http://a.corp.example:8011/', null, DIRECT, false],
  ['its top', 'https://corp.example/', null, DIRECT, 'six'],
  ['only its suffix', 'https://evilcorp.example/', null, DIRECT, 'six'],
  ['an A-label', 'https://xn--bcher-kva.example/', null, GATE, false],
  ['a single label', 'http://constructor/', null, GATE, false],
  ['what every object has', 'http://hasownproperty/', 'hasOwnProperty', DIRECT, true],
  ['what every object inherits', 'http://__proto__/', '__proto__', DIRECT, true],
  ['the portal', 'https://gate.office.example/k/7QF4', null, DIRECT, false],
  ['the portal, whose address is in a prefix', 'http://gate.office.example/', null, DIRECT, false],
  ['the portal with a dot', 'http://GATE.office.example./', null, DIRECT, false],
  ['localhost', 'http://localhost/', null, DIRECT, false],
  ['below localhost', 'http://app.localhost/', null, DIRECT, false],
  ['resolved: in a prefix', 'http://printer.lan/', null, GATE, true],
  ['resolved: not with this port', 'https://printer.lan/', null, DIRECT, 'six'],
  ['any port', 'http://any.lan:1/', null, GATE, false],
  ['resolved: a range of ports', 'http://console:5432/', null, GATE, true],
  ['resolved: elsewhere', 'http://news.lan/', null, DIRECT, true],
  ['resolved: nowhere', 'http://nowhere.lan/', null, DIRECT, true],
  ['resolved: to loopback', 'http://trap.lan:8888/', null, DIRECT, true],
  ['resolved: to any other', 'http://news.lan:8888/', null, GATE, true],
];
const ADDRESSES = [
  ['an address in a prefix', 'http://10.88.0.2/', GATE],
  ['the last of it', 'http://10.88.0.255/', GATE],
  ['the first beyond', 'http://10.88.1.0/', DIRECT],
  ['not with this port', 'http://10.88.0.2:81/', DIRECT],
  ['a single address', 'http://10.90.0.7:5999/', GATE],
  ['the one beside it', 'http://10.90.0.6:5999/', DIRECT],
  ['an odd length, inside', 'https://10.127.255.255:8443/', GATE],
  ['an odd length, outside', 'https://10.128.0.0:8443/', DIRECT],
  ['every IPv4 address', 'http://192.0.2.1:8888/', GATE],
  ['but no loopback', 'http://127.1.2.3:8888/', DIRECT],
  ['and no IPv6', 'http://[2001:db8::1]:8888/', DIRECT],
  ['IPv6 in a prefix', 'http://[fd88::2]/', GATE],
  ['IPv6 in full', 'http://[FD88:0:0:0:1:2:3:4]/', GATE],
  ['IPv6 outside', 'http://[fd88:0:0:1::2]/', DIRECT],
  ['a single IPv6 address', 'https://[fd88::2]/', GATE],
  ['the IPv6 one beside it', 'https://[fd88::3]/', DIRECT],
  ['IPv6, an odd length, inside', 'https://[2001:db8:0:ffff::1]/', GATE],
  ['IPv6, an odd length, outside', 'https://[2001:db8:0:7fff::1]/', DIRECT],
  ['IPv4 in IPv6', 'http://[::ffff:10.88.0.2]/', GATE],
  ['IPv4 in IPv6, in hexadecimal', 'http://[::ffff:a58:2]/', GATE],
  ['every IPv6 address', 'http://[1::2:3]:8889/', GATE],
  ['nearly IPv4', 'http://[::1:102:304]:8889/', GATE],
  ['but no IPv6 loopback', 'http://[::1]:8889/', DIRECT],
  ['and no IPv4', 'http://192.0.2.1:8889/', DIRECT],
];
// Hosts and URLs that no browser should pass: an answer, never an exception, and never the gate.
const HOSTILE = ['', '.', '..', '"; return "PROXY evil.example:1', "'+alert(1)+'", '\\', '\n', '\u2028wiki.lan',
  'wiki.lan\0', ' wiki.lan', '.corp.example', '10.88.0.256', '010.88.0.2', '10.88.0', '10.88.0.2.5', '1e1.88.0.2', ':', ':::', '1::2::3',
  '1:2:3:4::5:6:7:8', '1:2:3:4::5:6:7:8::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '[', ']', '[]', 'fd88::g', 'fd88:::1',
  '::ffff:10.88.0.256', '::1.2.3.256', 'fd88::1%eth0', 'a'.repeat(100000), '.'.repeat(100000), ':'.repeat(100000),
  '0'.repeat(100000), 'constructor.constructor', 'valueOf', 'toString'];

for (const microsoft of [false, true]) {
  const kind = microsoft ? 'with dnsResolveEx' : 'with dnsResolve';
  check(`proxy.pac sends names where they belong, ${kind}`, () => {
    const { asked, find } = engine(office, microsoft);
    for (const [what, url, host, answer, looked] of NAMES) {
      asked.length = 0;
      equal(find(url, host ?? new URL(url).hostname), answer, `${what}: ${url}`);
      equal(asked.length > 0, looked === 'six' ? microsoft : looked, `${what}: looked up`);
    }
  });
  check(`proxy.pac sends addresses where they belong, and looks none up, ${kind}`, () => {
    const { asked, find } = engine(office, microsoft);
    for (const [what, url, answer] of ADDRESSES) {
      const host = /\/\/(\[[^\]]*\]|[^/:]*)/.exec(url)[1];
      equal(find(url, host), answer, `${what}: ${url}`);
      equal(find(url, host.replace(/[[\]]/g, '')), answer, `${what}, without brackets: ${url}`);
    }
    equal(asked, [], 'looked up');
  });
  check(`proxy.pac bears with any host and any URL, ${kind}`, () => {
    const { find } = engine(office, microsoft);
    for (const text of HOSTILE) {
      for (const url of [`http://${text}/`, `https://${text}/`, `http://${text}:8888/`, 'http://x:8889/', text,
        'http://x:99999999999/', 'http://x:0/', 'http://x:-1/', '']) {
        equal(find(url, text), DIRECT, `${JSON.stringify(url).slice(0, 80)} for ${JSON.stringify(text).slice(0, 80)}`);
      }
    }
  });
}
check('proxy.pac looks at every address of a name where it can', () => {
  const old = engine(office, false), newer = engine(office, true);
  for (const host of ['six.lan', 'both.lan', 'second.lan', 'mapped.lan']) {
    equal([old.find(`http://${host}/`, host), newer.find(`http://${host}/`, host)], [DIRECT, GATE], host);
  }
});
check('proxy.pac is written for old engines', () => {
  const code = office.replace(/\/\/.*$/gm, '');
  for (const word of [/\b(let|const|class|of)\b/, /=>/, /`/, /,\s*[\])}]/, /\.(startsWith|endsWith|includes|padStart)\b/]) {
    equal(word.exec(code)?.[0], undefined, String(word));
  }
  equal(/[^\n -~]/.exec(office)?.[0], undefined, 'ASCII');
});
check('proxy.pac with ten thousand lines answers quickly enough to wait for', () => {
  const hosts = [], prefixes = [];
  for (let i = 0; i < 5000; i++) {
    hosts.push(`["h${i}.corp.example", 443, 443]`);
    prefixes.push(`["10.${i >> 8}.${i & 255}.0", 24, 443, 443]`);
  }
  const tables = `var nightlatchPortal = "", nightlatchProxies = "PROXY x:1";\nvar nightlatchHosts = [${hosts}];\n`
    + `var nightlatchPrefixes = [${prefixes}];\n`;
  const began = performance.now();
  const { find } = engine(tables + read('../../web/assets/proxy_auto_config.js'), true);
  const loaded = performance.now();
  for (let i = 0; i < 100; i++) equal(find('https://nowhere.example/', 'nowhere.example'), DIRECT, 'the worst case');
  const each = (performance.now() - loaded) / 100;
  console.log(`      read in ${(loaded - began).toFixed(1)} ms, then ${each.toFixed(2)} ms for a URL`);
  if (each > 50) throw new Error(`${each} ms for a URL`);
});
check('the portal serves what its store holds', () => {
  const { find } = engine(served, true);
  const gate = 'PROXY gate.office.example:3128';
  for (const [url, answer] of [['http://10.88.0.2:5432/', gate], ['https://10.88.0.2/', gate], ['http://10.88.0.2/', DIRECT],
    ['http://10.88.0.3:5432/', DIRECT], ['https://gate.office.example/', DIRECT]]) {
    equal(find(url, new URL(url).hostname), answer, url);
  }
});
console.log('done');
