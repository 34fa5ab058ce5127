// A provider that lies as it is told: `rogue_provider.cjs ISSUER ADDRESS CERT KEY`. Orders come as JSON objects, one a
// line, on stdin; each is answered with a line on stdout; `ready` comes first. An order replaces the one before it:
//   {nonce, claims: {name: value, or null to leave it out}, header: {...}, alg, key, sign, at_hash, userinfo, metadata,
//    token: "huge" | "drip" | "status", discovery: ...}
// `now` in claims is written as "+N" or "-N" seconds. Nothing but node itself is used.
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const readline = require('node:readline');

const [issuer, address, certFile, keyFile] = process.argv.slice(2);
const rsa = (bits) => crypto.generateKeyPairSync('rsa', { modulusLength: bits });
const ec = (curve) => crypto.generateKeyPairSync('ec', { namedCurve: curve });
const make = { main: () => rsa(2048), weak: () => rsa(1024), other: () => rsa(2048), p256: () => ec('P-256'), otherec: () => ec('P-256') };
// Whoever starts it again finds its keys as they were.
const kept = (name) => `${keyFile}.${new URL(issuer).host}.${name}`;
const keys = Object.fromEntries(Object.entries(make).map(([name, pair]) => {
  if (!fs.existsSync(kept(name))) fs.writeFileSync(kept(name), pair().privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const privateKey = crypto.createPrivateKey(fs.readFileSync(kept(name)));
  return [name, { privateKey, publicKey: crypto.createPublicKey(privateKey) }];
}));
const published = ['main', 'weak', 'p256'];
const jwk = (kid) => ({ ...keys[kid].publicKey.export({ format: 'jwk' }), kid, use: 'sig' });
const b64 = (data) => Buffer.from(data).toString('base64url');
const hashed = (alg) => `sha${alg.slice(2)}`;

let order = {};
let hits = {};
const silent = [];  // answers that wait for the next order

function sign(alg, key, input) {
  if (alg === 'none') return '';
  if (alg.startsWith('HS')) {
    const pem = keys.main.publicKey.export({ type: 'spki', format: 'pem' });
    return crypto.createHmac(hashed(alg), pem).update(input).digest('base64url');
  }
  const options = { key: keys[key].privateKey };
  if (alg.startsWith('PS')) Object.assign(options, { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  if (alg.startsWith('ES')) options.dsaEncoding = 'ieee-p1363';
  return crypto.sign(hashed(alg), Buffer.from(input), options).toString('base64url');
}

function token(claims, typ) {
  const alg = order.alg ?? 'RS256';
  const key = order.key ?? 'main';
  const now = Math.floor(Date.now() / 1000);
  const full = {};
  for (const [name, value] of Object.entries({ ...claims, ...(order.claims ?? {}) })) {
    if (value === null) continue;
    full[name] = typeof value === 'string' && /^[+-]\d+$/.test(value) ? now + Number(value) : value;
  }
  const header = { alg, kid: key, typ, ...(order.header ?? {}) };
  const input = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(full))}`;
  return `${input}.${sign(alg === 'none' ? 'none' : alg, order.sign ?? key, input)}`;
}

function idToken() {
  const access = 'access-1';
  const half = crypto.createHash('sha256').update(access).digest().subarray(0, 16);
  return { id_token: token({ iss: issuer, aud: 'gate', exp: '+300', iat: '+0', sub: 'alice-1', auth_time: '-10',
                             nonce: order.nonce, at_hash: b64(half), amr: ['pwd'] }, 'JWT'),
           access_token: access, token_type: 'Bearer' };
}

// More than anybody would read, or a byte now and then for ever.
function pour(response, kind) {
  response.writeHead(200, { 'content-type': 'application/json' });
  if (kind === 'huge') {
    let left = 100;
    const more = () => {
      while (left-- > 0) if (!response.write(Buffer.alloc(1 << 20, 0x20))) return response.once('drain', more);
      return response.end();
    };
    return more();
  }
  const timer = setInterval(() => response.write(' '), 200);
  return response.on('close', () => clearInterval(timer));
}

const paths = {
  '/.well-known/openid-configuration': () => ({
    issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`, authorization_response_iss_parameter_supported: true, ...(order.metadata ?? {}),
  }),
  '/jwks': () => ({ keys: published.map(jwk) }),
  '/token': idToken,
  '/userinfo': () => ({ sub: 'alice-1', groups: ['staff'], ...(order.userinfo ?? {}) }),
};

const server = https.createServer({ cert: fs.readFileSync(certFile), key: fs.readFileSync(keyFile) }, (request, response) => {
  const path = request.url.split('?')[0];
  hits[path] = (hits[path] ?? 0) + 1;
  request.resume();
  const how = order.at?.[path];
  if (how === 'huge' || how === 'drip') return pour(response, how);
  if (how === 'silent') return silent.push(response);
  if (typeof how === 'number') return response.writeHead(how, { location: `${issuer}/elsewhere` }).end('{}');
  if (typeof how === 'string') return response.writeHead(200).end(how);
  if (!paths[path]) return response.writeHead(404).end();
  return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(paths[path]()));
});
server.on('clientError', (_, socket) => socket.destroy());
server.listen(443, address, () => process.stdout.write('"ready"\n'));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const said = JSON.parse(line);
  if (said.hits) {
    process.stdout.write(`${JSON.stringify(hits)}\n`);
    hits = {};
    return;
  }
  order = said;
  for (const response of silent.splice(0)) response.writeHead(500).end('{}');
  const answer = said.logout ? token({ iss: issuer, aud: 'gate', iat: '+0', exp: '+120', jti: said.logout, sub: 'alice-1',
                                       events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'logout+jwt')
                             : 'ok';
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}).on('close', () => process.exit(0));
