// Takes the pictures in docs/screenshots from the storybook's pages: desktop
// and phone, light and dark.  node screenshots.mjs PAGES PICTURES
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { launch } from './browser.mjs';

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
const types = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', woff2: 'font/woff2', html: 'text/html; charset=utf-8' };

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://localhost').pathname);
  try {
    const body = await readFile(join(pages, path));
    response.setHeader('Content-Type', types[path.split('.').pop()] ?? 'application/octet-stream').end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const base = `http://127.0.0.1:${server.address().port}`;

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
server.close();
