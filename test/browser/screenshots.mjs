// Takes the pictures in docs/screenshots from the storybook's pages: desktop
// and phone, light and dark.  node screenshots.mjs PAGES PICTURES
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { serve } from './storybook.mjs';

const [pages, pictures] = process.argv.slice(2);
const devices = {
  '': {
    shown: ['account', 'key-new', 'key-reveal', 'key-show', 'key-rotate', 'key-revoked', 'signin'],
    options: { viewport: { width: 1280, height: 800 } },
  },
  '-phone': {
    shown: ['account', 'key-new', 'key-reveal', 'signin'],
    options: { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  },
};
const { base, close } = await serve(pages);

const browser = await launch();
for (const [device, { shown, options }] of Object.entries(devices)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ ...options, colorScheme, reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC' });
    const page = await context.newPage();
    for (const name of shown) {
      await page.goto(`${base}/${name}.html`);
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: join(pictures, `${name}${device}${colorScheme === 'dark' ? '-dark' : ''}.png`), fullPage: true });
    }
    await context.close();
  }
}
await browser.close();
close();
