// Made by nightlatch from the office's resources as they are now.
var nightlatchPortal = "gate.office.example";
var nightlatchProxies = "PROXY gate.office.example:3128; SOCKS5 gate.office.example:1080; SOCKS gate.office.example:1080";
var nightlatchHosts = [
  [".corp.example", 443, 443],
  [".corp.example", 8000, 8010],
  ["any.lan", 1, 65535],
  ["constructor", 80, 80],
  ["wiki.lan", 80, 80],
  ["wiki.lan", 443, 443],
  ["xn--bcher-kva.example", 443, 443]
];
var nightlatchPrefixes = [
  ["::", 0, 8889, 8889],
  ["0.0.0.0", 0, 8888, 8888],
  ["10.88.0.0", 24, 80, 80],
  ["10.90.0.7", 32, 5000, 5999],
  ["10.96.0.0", 11, 8443, 8443],
  ["2001:db8:0:8000::", 49, 443, 443],
  ["fd88::", 64, 80, 80],
  ["fd88::2", 128, 443, 443]
];
