// npm's oidc-provider over TLS: `real_provider.mjs ISSUER ADDRESS CERT KEY PORTAL`. Whoever types a name is that person,
// authenticated so many seconds ago as the name says after a '-' ("alice-600"); "+mfa" behind it is a second factor. Orders
// on stdin, a word a line: `rotate` (new keys, the old ones gone), `lenient` (max_age is not looked at), `post` (the client's
// secret comes in the form and no other way). Each is answered.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../../web/run', import.meta.url));
const { default: Provider, interactionPolicy } = await import(pathToFileURL(require.resolve('oidc-provider')));
const [issuer, address, cert, key, portal] = process.argv.slice(2);
const kept = `${key}.signing`; // whoever starts it again finds its keys as they were
let number = 0;
let lenient = false;
let secretComes = 'client_secret_basic';

function make() {
  number += 1;
  const privateKey = number === 1 && fs.existsSync(kept) ? crypto.createPrivateKey(fs.readFileSync(kept))
    : crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  if (number === 1) fs.writeFileSync(kept, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const { prompts } = interactionPolicy.base ? { prompts: interactionPolicy.base() } : {};
  const login = prompts.get('login');
  if (lenient) login.checks.remove('max_age');
  login.checks.add(new interactionPolicy.Check('step_up', 'a second factor is asked for', 'login_required', (ctx) => {
    const wanted = (ctx.oidc.params.acr_values ?? '').split(' ');
    return wanted.includes('gold') && ctx.oidc.acr !== 'gold' && !ctx.oidc.result?.login;
  }));
  return new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: `key-${number}`, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['only for tests'] },
    clients: [{
      client_id: 'gate', client_secret: 'a secret of the client', redirect_uris: [`${portal}/oidc/corp/callback`],
      response_types: ['code'], grant_types: ['authorization_code'], token_endpoint_auth_method: secretComes,
      post_logout_redirect_uris: [`${portal}/`], backchannel_logout_uri: `${portal}/oidc/corp/logout`,
      backchannel_logout_session_required: true, require_auth_time: true,
    }],
    acrValues: ['gold'],
    clientAuthMethods: [secretComes],
    scopes: ['openid', 'groups'],
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'], acr: null, amr: null, auth_time: null, sid: null, iss: null,
              profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { policy: prompts, url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({
      accountId: id,
      // Who begins with "mail" has no name there but an address; that of "mailunproven" has never been verified.
      claims: () => ({ sub: id, ...(id.startsWith('mail') ? {} : { preferred_username: id }), email: `${id}@corp.example`,
                       email_verified: id !== 'mailunproven', groups: ['staff', `only ${id}`] }),
    }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
    ttl: { Session: 86400, Interaction: 600, Grant: 600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
  });
}

let provider = make();
let serve = provider.callback();
const page = (uid) => `<!doctype html><html lang="en"><title>corp</title><main><h1>corp</h1>
<form method="post" action="/interaction/${uid}"><label for="n">Account</label><input id="n" name="account">
<button>Log in</button></form></main></html>`;

async function interaction(request, response, uid) {
  if (request.method === 'GET') return response.writeHead(200, { 'content-type': 'text/html' }).end(page(uid));
  let body = '';
  for await (const chunk of request) body += chunk;
  const [, name, age, mfa] = /^([a-z]+)(?:-(\d+))?(\+mfa)?$/.exec(new URLSearchParams(body).get('account'));
  const ts = Math.floor(Date.now() / 1000) - Number(age ?? 0);
  const result = { login: { accountId: name, ts, amr: mfa ? ['pwd', 'otp', 'mfa'] : ['pwd'], ...(mfa ? { acr: 'gold' } : {}) } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => {
  const found = /^\/interaction\/([\w-]+)$/.exec(request.url);
  if (!found) return serve(request, response);
  return interaction(request, response, found[1]).catch((error) => response.writeHead(500).end(String(error)));
}).listen(443, address, () => process.stdout.write('"ready"\n'));

createInterface({ input: process.stdin }).on('line', (word) => {
  if (word === 'lenient') lenient = true;
  if (word === 'post') secretComes = 'client_secret_post';
  provider = make(); // what is stored belongs to the module: sessions and codes stay
  serve = provider.callback();
  process.stdout.write(`"${word}"\n`);
}).on('close', () => process.exit(0));
