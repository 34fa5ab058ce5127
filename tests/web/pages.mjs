// The portal's pages in chromium; started by tests/web/run, which says where in the environment. Prints a line for each
// check, and `done` at the end.
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { ORIGIN, assert, check, context as contextOf, judge, launch } from './browser.mjs';

const { HOLD, STEP_UP_HOLD, AGE } = process.env;
const PASSWORD = 'correct horse battery';

const browser = await launch();
const context = (options) => contextOf(browser, options);

// What a person without any script does, by keyboard.
await check('signs in with JavaScript switched off, by keyboard alone', async () => {
  const plain = await context({ javaScriptEnabled: false });
  const page = await plain.newPage();
  await page.goto(`${ORIGIN}/k/${HOLD}`);
  assert((await page.getByRole('heading', { level: 1 }).textContent()) === 'Sign in to reach payroll', 'heading');
  await page.keyboard.type('alice'); // the first field has the focus
  await page.keyboard.press('Tab');
  await page.keyboard.type('not the password');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${ORIGIN}/sign-in`);
  const alert = page.getByRole('alert');
  assert((await alert.textContent()) === 'The name or the password is not right.', 'the error in words');
  const password = page.getByLabel('Password');
  assert((await password.getAttribute('aria-describedby')) === (await alert.getAttribute('id')), 'tied to the field');
  assert((await page.getByLabel('Name').inputValue()) === 'alice', 'the name is still there');
  await page.keyboard.type(PASSWORD); // and the password has the focus now
  await page.keyboard.press('Enter');
  await page.waitForURL(`${ORIGIN}/k/${HOLD}`);
  assert((await page.getByRole('heading', { level: 1 }).textContent()) === 'Connected', 'connected');
  const back = page.getByRole('link', { name: /^Go back to/ });
  assert((await back.getAttribute('href')) === 'http://10.88.0.2/report?month=11', 'the way back');
  await page.getByRole('link', { name: 'Your sessions' }).click();
  await page.waitForURL(`${ORIGIN}/me`);
  await page.getByRole('button', { name: 'Renew now' }).click();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Renew' }).click();
  await page.waitForURL(`${ORIGIN}/me`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert((await page.getByRole('heading', { level: 1 }).textContent()) === 'Signed out', 'signed out');
  await page.goto(`${ORIGIN}/me`);
  assert((await page.getByRole('heading', { level: 1 }).textContent()) === 'Sign in', 'and out it is');
  await plain.close();
});

// What an authenticator app shows (RFC 6238); `ahead` steps from now.
function oneTimeCode(key, ahead = 0) {
  const bits = [...key.replace(/\s/g, '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'));
  const secret = Buffer.from(bits.join('').match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + ahead));
  const mac = createHmac('sha1', secret).update(step).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0');
}

let key = ''; // of alice's authenticator, once she has one

async function secondFactors(page, scheme, fill) {
  const heading = () => page.getByRole('heading', { level: 1 }).textContent();
  const press = (name) => Promise.all([page.waitForNavigation(), page.getByRole('button', { name }).click()]);
  await page.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
  if (key === '') {
    await judge(page, 'no-factor', scheme);
    await page.getByRole('link', { name: 'Set up a second factor' }).click();
    await judge(page, 'factors-stale', scheme);
    await press('Sign in again');
    await fill(PASSWORD);
    await page.goto(`${ORIGIN}/me/factors`);
    await judge(page, 'factors-none', scheme);
    await press('Set up an authenticator');
    await judge(page, 'otp-setup', scheme);
    key = await page.locator('#key').textContent();
    await check('an authenticator is set up by its first code', async () => {
      await page.getByLabel('Code', { exact: true }).fill('000000');
      await press('Confirm');
      assert((await page.locator('#key').textContent()) === key, 'the same key after a wrong code');
      await page.getByLabel('Code', { exact: true }).fill(oneTimeCode(key));
      await press('Confirm');
      assert((await heading()) === 'Your authenticator is set up', await heading());
      assert((await page.locator('.codes li').count()) === 10, 'ten recovery codes');
    });
    await judge(page, 'recovery-codes', scheme);
    await page.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
    await check('and was a second factor already', async () => assert((await heading()) === 'Connected', await heading()));
    execFileSync(AGE, ['0', String(2 * 3600)]);
    await page.goto(`${ORIGIN}/k/${STEP_UP_HOLD}`);
  }
  await check(`one more step is asked for, ${scheme}`, async () => {
    assert((await heading()) === 'One more step to reach vault', await heading());
  });
  await judge(page, 'code', scheme);
  await page.getByLabel('Code from your authenticator').fill('12 34 56');
  await press('Confirm');
  await judge(page, 'code-error', scheme);
  if (scheme === 'light') {
    await check('the next code opens it', async () => {
      await page.getByLabel('Code from your authenticator').fill(oneTimeCode(key, 1));
      await press('Confirm');
      assert(page.url() === `${ORIGIN}/k/${STEP_UP_HOLD}` && (await heading()) === 'Connected', await heading());
    });
    await page.goto(`${ORIGIN}/me/factors`);
    await judge(page, 'factors', scheme);
    execFileSync(AGE, ['0', String(2 * 3600)]);
  }
}

for (const scheme of ['light', 'dark']) {
  const tab = await context({ colorScheme: scheme, bypassCSP: true });
  const page = await tab.newPage();
  const wrong = [];
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  const fill = async (password) => {
    await page.getByLabel('Name').fill('alice');
    await page.getByLabel('Password').fill(password);
    await Promise.all([page.waitForNavigation(), page.locator('main button').click()]);
  };
  await page.goto(ORIGIN);
  await judge(page, 'sign-in', scheme);
  await fill(PASSWORD);
  execFileSync(AGE, [String(9 * 3600 + 120)]); // a sign-in that is too old for the payroll
  await page.goto(`${ORIGIN}/k/${HOLD}`);
  await check(`the captive page says why, ${scheme}`, async () => {
    const why = await page.locator('.why').textContent();
    assert(why === 'payroll asks for a sign-in every 8 h; your last was 9 h 2 min ago on this device.', why);
  });
  await judge(page, 'captive', scheme);
  await fill('not the password');
  await judge(page, 'error', scheme);
  await fill(PASSWORD);
  await judge(page, 'connected', scheme);
  execFileSync(AGE, [String(40 * 60)]);
  await page.goto(`${ORIGIN}/me`);
  await judge(page, 'me', scheme);
  await secondFactors(page, scheme, fill);
  await page.goto(`${ORIGIN}/k/ZZZZZZ`);
  await judge(page, 'unknown', scheme);
  await page.goto(`${ORIGIN}/me`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await judge(page, 'signed-out', scheme);
  await check(`the pages load all they ask for, ${scheme}`, async () => {
    const real = wrong.filter((text) => !/status of (403|404)/.test(text));
    assert(real.length === 0, real.join('\n'));
  });
  await tab.close();
}

await check('the policy of the pages is enforced, and the style sheet passes it', async () => {
  const tab = await context({});
  const page = await tab.newPage();
  const refused = [];
  page.on('console', (message) => refused.push(message.text()));
  await page.goto(ORIGIN);
  const size = await page.evaluate(() => getComputedStyle(document.querySelector('main')).maxWidth);
  assert(size === '448px', `main is ${size} wide: the style sheet was not applied`);
  assert(refused.every((text) => !/Content Security Policy/.test(text)), refused.join('\n'));
  await tab.close();
});

await browser.close();
console.log('done');
