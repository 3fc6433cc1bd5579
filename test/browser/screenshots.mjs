// Takes pictures of every page of the storybook, in every state: desktop and phone, light
// and dark, and printed. The pictures of the documentation are also copied to a second directory.
//   node screenshots.mjs PAGES PICTURES DOCUMENTATION
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { serve, stories } from './storybook.mjs';

const [pages, pictures, documentation] = process.argv.slice(2);
const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const devices = {
  '': {
    documented: ['account', 'key-new', 'key-reveal', 'key-show', 'key-rotate', 'key-revoked', 'signin'],
    options: { viewport: { width: 1280, height: 800 } },
  },
  '-phone': { documented: ['account', 'key-new', 'key-reveal', 'signin'], options: phone },
};
const { base, close } = await serve(pages);
const names = await stories(pages);
await mkdir(pictures, { recursive: true });

const browser = await launch();
const take = async (page, name, file) => {
  await page.goto(`${base}/${name}.html`);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(pictures, file), fullPage: true });
};
const settings = { reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC' };
for (const [device, { documented, options }] of Object.entries(devices)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ ...options, ...settings, colorScheme });
    const page = await context.newPage();
    page.on('dialog', (d) => d.accept());
    for (const name of names) {
      const file = `${name}${device}${colorScheme === 'dark' ? '-dark' : ''}.png`;
      await take(page, name, file);
      if (documented.includes(name)) await copyFile(join(pictures, file), join(documentation, file));
    }
    await context.close();
  }
}

// The paper is as wide as A4 at 96 px per inch, without its margins.
const context = await browser.newContext({ viewport: { width: 718, height: 1000 }, ...settings });
const page = await context.newPage();
page.on('dialog', (d) => d.accept());
await page.emulateMedia({ media: 'print' });
for (const name of names) await take(page, name, `${name}-print.png`);
await browser.close();
close();
