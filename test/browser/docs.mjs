// The documentation pages: of the vendor's API, and of the operator API. axe finds no
// violation, nothing is wider than the window, and nothing is loaded from another origin. On a phone,
// they are read by keyboard.
import { assert, base, checkPage, run } from './browser.mjs';
import { byKeyboard, person } from './person.mjs';

const words = { 'API docs': '{id}', 'Operator API docs': 'rotate' };
const pages = { 'API docs': `${base}/docs`, 'Operator API docs': `${process.env.TOKSTA_OPERATOR}/operator/v1/docs` };

// open shows the parts of the page that are closed.
const open = (page) => page.evaluate(() => {
  for (const e of document.querySelectorAll('details')) { e.removeAttribute('name'); e.open = true; }
});

async function read(browser, name, url, width) {
  const who = await person(browser, width === byKeyboard.width ? byKeyboard : { width });
  const { context, page } = who;
  const elsewhere = [];
  page.on('request', (r) => { if (new URL(r.url()).origin !== new URL(url).origin) elsewhere.push(r.url()); });
  page.on('pageerror', (e) => elsewhere.push(String(e)));
  await who.open(url);
  await page.getByRole('heading', { level: 1 }).waitFor();
  const all = await page.locator('details.op').count();
  assert.ok(all > 15, `${all} operations on ${name}`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, `${name} scrolls sideways`);

  const first = page.locator('details.op').first();
  await who.use(first.locator('summary').first());
  assert.ok(await first.getByRole('heading', { name: 'Example call' }).isVisible());
  await who.fill(page.getByRole('searchbox'), await first.locator('.op-path').textContent());
  assert.ok(await first.isVisible());
  assert.ok(await page.locator('details.op:visible').count() < all, 'the search hides other operations');

  // The results of the search have all parts of the page, with few operations, so that axe is quick.
  await who.open(`${url}?q=${encodeURIComponent(words[name])}`);
  const found = await page.locator('details.op').count();
  assert.ok(found > 0 && found < all, `the search of the server finds ${found} operations`);
  await open(page);
  await checkPage(page, `${name}-open-${width}`);
  assert.deepEqual(elsewhere, [], `${name} loads from other origins`);
  await context.close();
}

const journeys = {};
for (const [name, url] of Object.entries(pages)) {
  for (const width of [320, 1280]) journeys[`${name} at ${width} px`] = (browser) => read(browser, name, url, width);
}
await run(journeys);
