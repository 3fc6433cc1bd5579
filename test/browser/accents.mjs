// Checks the contrast of the storybook's pages with axe, for accents around the color wheel and the
// extremes, in light and dark mode.
//   node accents.mjs PAGES
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, checkPage, run } from './browser.mjs';
import { serve, stories } from './storybook.mjs';

const pages = process.argv[2];
const accents = Object.entries(JSON.parse(await readFile(join(pages, 'accents.json'), 'utf8')));
assert.ok(accents.length >= 24, `${accents.length} accents`);
const { base } = await serve(pages);

// These pages have every use of the accent: buttons, links, bars, charts, notices, checked
// controls and badges.
const shown = ['account', 'account-free', 'key-new'];
const known = await stories(pages);
for (const name of shown) assert.ok(known.includes(name), `no story ${name}`);

await run({
  [`${accents.length} accents on ${shown.length} pages`]: async (browser) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
    const page = await context.newPage();
    for (const name of shown) {
      await page.goto(`${base}/${name}.html`);
      await page.evaluate(() => document.head.append(document.createElement('style')));
      for (const [accent, declarations] of accents) {
        await page.evaluate((css) => { document.head.querySelector('style').textContent = css; }, `:root { ${declarations} } * { transition: none !important; }`);
        await checkPage(page, `${name} with ${accent}`, ['color-contrast']);
      }
    }
    await context.close();
  },
});
