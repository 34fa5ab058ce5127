// A browser that a test drives, in a laptop's namespace: `browser.mjs CHROMIUM ARGUMENT...`, the arguments being Chromium's.
// Scripts in pages are off. Control: an object in JSON on a line of stdin, one on a line of stdout; `ready` comes first.
// {"open": URL}, {"sign_in": {label: text}}, {"fill": {label: text}} and {"press": BUTTON} give {"url", "status", "via",
// "heading", "text"} of the page that came of it, or {"error"}; so does {"press": {name, lands, fields}}, a button or link
// that leads, perhaps by way of other pages, to a URL like `lands`. It ends with its stdin.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { chromium } = createRequire(new URL('../web/run', import.meta.url))('playwright-core');
const [executablePath, ...args] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args],
});
const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' });
context.setDefaultTimeout(20000);
let page;

const actions = {
  open: async (url) => {
    await page?.close(); // with whatever it still shows: Chromium's own page for an error comes late
    page = await context.newPage();
    return page.goto(url);
  },
  sign_in: async (fields) => {
    for (const [label, text] of Object.entries(fields)) await page.getByLabel(label).fill(text);
    const [response] = await Promise.all([page.waitForNavigation(), page.locator('main button').click()]);
    return response;
  },
  fill: (fields) => actions.sign_in(fields),
  press: async (what) => {
    if (typeof what === 'string') {
      const [response] = await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: what }).click()]);
      return response;
    }
    const { name, lands, fields = {} } = what;
    for (const [label, text] of Object.entries(fields)) await page.getByLabel(label).fill(text);
    const there = page.getByRole('button', { name }).or(page.getByRole('link', { name }));
    const url = new RegExp(lands); // of a page to come, even if this one's is like it
    await Promise.all([page.waitForEvent('framenavigated', (frame) => url.test(frame.url())), there.first().click()]);
    await page.waitForLoadState();
    return undefined;
  },
};
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [[action, value]] = Object.entries(JSON.parse(line));
  try {
    const response = await actions[action](value);
    const heading = page.getByRole('heading', { level: 1 });
    say({
      url: page.url(), status: response?.status() ?? 0, via: response?.headers().via ?? '',
      heading: (await heading.count()) > 0 ? await heading.first().textContent() : '',
      text: await page.locator('body').textContent(),
    });
  } catch (error) {
    say({ error: String(error.message ?? error).split('\n')[0] });
  }
}
await browser.close();
