// What the scripts that drive chromium share: the browser itself, a line for each check, and what every page must be.
// tests/web/run says where everything is in the environment.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

export const { ORIGIN, ADDRESS, SPKI, SHOTS, CHROMIUM } = process.env;
export const host = new URL(ORIGIN).host;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function check(name, test) {
  try {
    await test();
    console.log(`ok    ${name}`);
  } catch (error) {
    console.log(`FAIL  ${name}`);
    for (const line of String(error.message ?? error).split('\n').slice(0, 12)) console.log(`      ${line}`);
  }
}
export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

// `names`: more of them that lead to the portal's address.
export const launch = (...names) => chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu',
         `--host-resolver-rules=${[host, ...names].map((name) => `MAP ${name} ${ADDRESS}`).join(', ')}`,
         `--ignore-certificate-errors-spki-list=${SPKI}`],
});
export const context = (browser, options) => browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });

// Every page, in both schemes and at both widths: nothing to scroll sideways, nothing that axe objects to.
export async function judge(page, name, scheme) {
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: width === 320 ? 640 : 800 });
    await check(`${name}, ${scheme}, ${width} px: fits and is accessible`, async () => {
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(sideways <= 0, `${sideways} px stick out`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      assert(violations.length === 0, violations.map((v) => `${v.id}: ${v.help}\n${v.nodes[0].html}`).join('\n'));
    });
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `${SHOTS}/${name}-${width}-${scheme}.png`, fullPage: true });
  }
}
