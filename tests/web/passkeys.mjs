// Passkeys in chromium, with an authenticator inside it (CDP's WebAuthn domain): real ceremonies, and what must not
// come of them. Started by tests/web/run. Prints a line for each check, and `done` at the end.
import { execFileSync } from 'node:child_process';
import { ORIGIN, assert, check, context, host, judge, launch } from './browser.mjs';

const { STEP_UP_HOLD, AGE } = process.env;
const PASSWORD = 'carol has a password';
const browser = await launch('other.example', `evil.${host}`);

// An authenticator for this page. What it holds is reached by `session`.
async function authenticator(page, options = {}) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true, ...options,
    },
  });
  const send = (method, more = {}) => session.send(`WebAuthn.${method}`, { authenticatorId, ...more });
  return {
    send,
    credential: async () => (await send('getCredentials')).credentials[0],
    // The same key with another counter: a copy of it, or the real one again.
    put: async (credential, signCount) => {
      await send('clearCredentials');
      await send('addCredential', { credential: { ...credential, signCount } });
    },
  };
}
const heading = (page) => page.getByRole('heading', { level: 1 }).textContent();
const press = (page, name) => Promise.all([page.waitForNavigation(), page.getByRole('button', { name }).click()]);
async function signIn(page) {
  await page.goto(ORIGIN);
  await page.getByLabel('Name').fill('carol');
  await page.getByLabel('Password').fill(PASSWORD);
  await press(page, /^Sign in$/);
}
async function signOut(page) {
  await page.goto(`${ORIGIN}/me`);
  await press(page, 'Sign out');
}
const withPasskey = async (page) => {
  await page.goto(ORIGIN);
  await press(page, 'Sign in with a passkey');
};
const problem = async (page) => (await page.locator('[role=alert]:visible').textContent()).trim();

const tab = await context(browser, {});
const page = await tab.newPage();
const complaints = [];
page.on('console', (message) => /Content Security Policy/.test(message.text()) && complaints.push(message.text()));
const key = await authenticator(page);

await check('a passkey is made on /me/factors', async () => {
  await signIn(page);
  await page.goto(`${ORIGIN}/me/factors`);
  await press(page, 'Add a passkey');
  assert(!(await page.locator('#passkey-needs').isVisible()), 'the note for browsers without is gone');
  await page.getByLabel('Name').fill('blue key');
  await press(page, 'Make the passkey');
  assert((await heading(page)) === 'Your passkey is set up', await heading(page));
  assert((await page.locator('.codes li').count()) === 10, 'ten recovery codes, for she had none');
  const made = await key.credential();
  assert(made.rpId === host && made.isResidentCredential, JSON.stringify(made));
  assert(Buffer.from(made.userHandle, 'base64').length === 32, 'the handle says nothing about her');
});
await check('and not twice on the same authenticator', async () => {
  await page.goto(`${ORIGIN}/me/factors`);
  await press(page, 'Add a passkey');
  await page.getByRole('button', { name: 'Make the passkey' }).click();
  await page.locator('form[data-passkey] [role=alert]').waitFor();
  assert((await problem(page)) === 'This passkey is set up already.', await problem(page));
});
await check('it signs in without a name, and is the second factor too', async () => {
  await signOut(page);
  await withPasskey(page);
  assert(page.url() === `${ORIGIN}/me` && /carol/.test(await page.textContent('main')), page.url());
  await page.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
  assert((await heading(page)) === 'Connected', await heading(page));
});
await check('it is the second factor that a policy asks for', async () => {
  execFileSync(AGE, ['0', String(2 * 3600)]);
  await page.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
  assert((await heading(page)) === 'One more step to reach vault', await heading(page));
  await press(page, 'Use your passkey');
  assert(page.url() === `${ORIGIN}/k/${STEP_UP_HOLD}` && (await heading(page)) === 'Connected', await heading(page));
});
await check('an authenticator that does not verify its user does not sign in', async () => {
  await signOut(page);
  await key.send('setUserVerified', { isUserVerified: false });
  await page.goto(ORIGIN);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.locator('form[data-passkey] [role=alert]').waitFor();
  assert((await problem(page)) === 'No passkey was used. You can try again.', await problem(page));
  await key.send('setUserVerified', { isUserVerified: true });
});
await check('a copy whose counter is behind is refused, and the real one goes on', async () => {
  const real = await key.credential();
  await key.put(real, real.signCount - 2);
  await withPasskey(page);
  assert(/there may be a copy/.test(await problem(page)), await problem(page));
  await key.put(real, real.signCount);
  await withPasskey(page);
  assert(page.url() === `${ORIGIN}/me`, page.url());
  await signOut(page);
});
await check('a page that stood open for long gets a fresh challenge by itself', async () => {
  await page.clock.install();
  await page.goto(ORIGIN);
  await page.clock.fastForward('04:50');
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.waitForURL(`${ORIGIN}/me`);
  await page.clock.resume();
  await signOut(page);
});
await check('another site cannot ask for it', async () => {
  const evil = await tab.newPage();
  const its = await authenticator(evil);
  await its.put(await key.credential(), 1000);
  await evil.goto('https://other.example/');
  const outcome = await evil.evaluate((rpId) => navigator.credentials.get({
    publicKey: { challenge: new Uint8Array(32), rpId, userVerification: 'required' },
  }).then(() => 'given', (error) => error.name), host);
  assert(outcome === 'SecurityError', outcome);
  await evil.close();
});
await check('and what a host below the portal gets of it, the portal refuses', async () => {
  await page.goto(ORIGIN);
  const challenge = await page.locator('form[data-passkey]').getAttribute('data-challenge');
  const evil = await tab.newPage();
  const its = await authenticator(evil);
  await its.put(await key.credential(), 1000);
  await evil.goto(`https://evil.${host}/`);
  const answer = await evil.evaluate(async ([rpId, text]) => {
    const bytes = (t) => Uint8Array.from(atob(t.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const encoded = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
    const { rawId, response } = await navigator.credentials.get({
      publicKey: { challenge: bytes(text), rpId, userVerification: 'required' },
    });
    return {
      credential: encoded(rawId), client_data: encoded(response.clientDataJSON), signature: encoded(response.signature),
      authenticator_data: encoded(response.authenticatorData), user_handle: encoded(response.userHandle),
    };
  }, [host, challenge]);
  await evil.close();
  await Promise.all([page.waitForNavigation(), page.evaluate((fields) => {
    const form = document.querySelector('form[data-passkey]');
    for (const [name, value] of Object.entries(fields)) form.elements.namedItem(name).value = value;
    form.submit();
  }, answer)]);
  assert((await problem(page)) === 'That passkey was not accepted.', await problem(page));
});
await check('without JavaScript its button is not there, and everything else is', async () => {
  const plain = await context(browser, { javaScriptEnabled: false });
  const bare = await plain.newPage();
  await bare.goto(ORIGIN);
  assert((await bare.locator('form[data-passkey]').count()) === 1, 'the form is in the page');
  assert(!(await bare.getByRole('button', { name: 'Sign in with a passkey' }).isVisible()), 'and hidden');
  await signIn(bare);
  assert(bare.url() === `${ORIGIN}/me`, bare.url());
  await plain.close();
});
await check('all of it within the policy of the pages', async () => assert(complaints.length === 0, complaints.join('\n')));

// How the pages look. Scripts of the test are let in; the portal's own have shown above that they need no exception.
for (const scheme of ['light', 'dark']) {
  const look = await context(browser, { colorScheme: scheme, bypassCSP: true });
  const shown = await look.newPage();
  const its = await authenticator(shown);
  await shown.goto(ORIGIN);
  await judge(shown, 'sign-in-passkey', scheme);
  await signIn(shown);
  execFileSync(AGE, ['0', String(2 * 3600)]);
  await shown.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
  await judge(shown, 'code-passkey', scheme);
  await its.put(await key.credential(), scheme === 'light' ? 2000 : 3000);
  await press(shown, 'Use your passkey');
  await shown.goto(`${ORIGIN}/me/factors`);
  await judge(shown, 'factors-passkey', scheme);
  await its.send('clearCredentials');
  await press(shown, 'Add a passkey');
  await judge(shown, 'passkey-setup', scheme);
  await its.send('setUserVerified', { isUserVerified: false });
  await its.send('setAutomaticPresenceSimulation', { enabled: false });
  await look.close();
}

await check('a removed passkey is refused, and the session that it began is over', async () => {
  await signOut(page).catch(() => {});
  await key.put(await key.credential(), 4000);
  await withPasskey(page);
  const waiting = await (await context(browser, {})).newPage();
  const its = await authenticator(waiting);
  await its.put(await key.credential(), 5000);
  await waiting.goto(ORIGIN); // with the form, which nobody is offered any more once the last passkey is gone
  await page.goto(`${ORIGIN}/me/factors`);
  await press(page, 'Remove blue key');
  assert((await heading(page)) === 'Sign in', await heading(page));
  await press(waiting, 'Sign in with a passkey');
  assert((await problem(waiting)) === 'That passkey is not known here: it may have been removed.', await problem(waiting));
  await waiting.goto(ORIGIN);
  assert((await waiting.locator('script').count()) === 0, 'and no page has the script now');
});

await browser.close();
console.log('done');
