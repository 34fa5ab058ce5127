// The pages that offer a provider, and those by which a person confirms the login of another machine; started by
// tests/web/run, which says where in the environment. Prints a line for each check, and `done` at the end.
import { ORIGIN, assert, check, context as contextOf, judge, launch } from './browser.mjs';

const { HOLD, LOGINS } = process.env; // LOGINS: codes of logins that wait, one for each scheme and one more
const PASSWORD = 'correct horse battery';
const [refusedLogin, ...logins] = LOGINS.split(' ');

const browser = await launch();

for (const scheme of ['light', 'dark']) {
  const tab = await contextOf(browser, { colorScheme: scheme, bypassCSP: true });
  const page = await tab.newPage();
  const heading = () => page.getByRole('heading', { level: 1 }).textContent();
  const press = (name) => Promise.all([page.waitForNavigation(), page.getByRole('button', { name }).click()]);

  await page.goto(ORIGIN);
  await judge(page, 'sign-in-provider', scheme);
  await page.goto(`${ORIGIN}/k/${HOLD}`);
  await check(`the captive page offers the provider and the password, ${scheme}`, async () => {
    assert((await page.getByRole('button', { name: 'Sign in with corp' }).count()) === 1, 'the provider');
    assert((await page.getByLabel('Password').count()) === 1, 'the password');
  });
  await judge(page, 'captive-provider', scheme);
  await press('Sign in with corp');
  await check(`a provider that is down is named, and the password still offered, ${scheme}`, async () => {
    assert((await page.locator('main').textContent()).includes('corp'), await page.locator('main').textContent());
    assert((await page.locator('a[href], form').count()) > 0, 'a way on');
  });
  await judge(page, 'provider-down', scheme);

  await page.goto(`${ORIGIN}/login`);
  await judge(page, 'login-code', scheme);
  await page.getByLabel('Code').fill('0000-0000');
  await press('Continue');
  await judge(page, 'login-code-wrong', scheme);
  const code = logins.shift();
  await page.goto(`${ORIGIN}/l/${code}`);
  await judge(page, 'login-sign-in', scheme);
  await page.getByLabel('Name').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Sign in', exact: true }).click()]);
  await check(`what is to be confirmed is said, ${scheme}`, async () => {
    const said = await page.locator('main').textContent();
    assert(page.url() === `${ORIGIN}/l/${code}`, page.url());
    for (const word of ['payroll', code.slice(0, 4)]) assert(said.includes(word), `${word} in: ${said}`);
  });
  await judge(page, 'login-confirm', scheme);
  await press(/^(Confirm|Yes)/);
  await check(`and it is confirmed, ${scheme}`, async () => {
    await page.goto(`${ORIGIN}/l/${code}`);
    assert((await heading()) === 'This was confirmed', await heading());
  });
  await judge(page, 'login-confirmed', scheme);
  if (scheme === 'dark') {
    await page.goto(`${ORIGIN}/l/${refusedLogin}`);
    await press(/^(Refuse|No)/);
    await judge(page, 'login-refused', scheme);
  }
  await page.goto(`${ORIGIN}/me`);
  await press('Sign out');
  await tab.close();
}

await browser.close();
console.log('done');
