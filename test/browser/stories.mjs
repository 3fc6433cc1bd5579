// Checks every page of the storybook with axe, in light and dark mode, and for sideways
// scrolling, at the widths of phones and desktops.
//   node stories.mjs PAGES
import { assert, checkPage, run } from './browser.mjs';
import { serve, stories } from './storybook.mjs';

const pages = process.argv[2];
const { base } = await serve(pages);
const names = await stories(pages);
assert.ok(names.length > 20, `${names.length} stories in ${pages}`);

const journeys = {};
for (const width of [320, 1280]) {
  journeys[`${names.length} pages at ${width} px`] = async (browser) => {
    const context = await browser.newContext({ viewport: { width, height: 800 }, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.on('dialog', (d) => d.accept());
    for (const name of names) {
      await page.goto(`${base}/${name}.html`);
      await checkPage(page, `${name}-${width}`);
    }
    await context.close();
  };
}
await run(journeys);
