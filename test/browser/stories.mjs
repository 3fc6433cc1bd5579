// Checks every page of the storybook: with axe, in light and dark mode, for sideways
// scrolling at the widths of phones and desktops, with text of twice the size, for the
// focus after an error, and in print.
//   node stories.mjs PAGES [PART OF A NAME]
import { assert, run, violations } from './browser.mjs';
import { settle } from './person.mjs';
import { serve, stories } from './storybook.mjs';

const pages = process.argv[2];
const { base } = await serve(pages);
const names = await stories(pages);
assert.ok(names.length > 20, `${names.length} stories in ${pages}`);

// The checks of one page run in the page. Each returns its findings as lines.
const checks = {
  // misplaced returns controls that reach over the edge of their card or of the window.
  misplaced() {
    const found = [];
    const shown = (e) => { const r = e.getBoundingClientRect(); return r.width > 1 && r.height > 1; };
    for (const e of [...document.querySelectorAll('a, button, input:not([type=hidden], .vh), select, .badge')].filter(shown)) {
      const box = (e.closest('.card, .sheet-card, .sheet') ?? document.documentElement).getBoundingClientRect();
      const r = e.getBoundingClientRect();
      if (r.left < box.left - 1 || r.right > box.right + 1) found.push(`${e.textContent.trim() || e.name} leaves its card by ${Math.max(box.left - r.left, r.right - box.right)} px`);
    }
    if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push('the page scrolls sideways');
    return found;
  },
  // crowded returns boxes that touch the next one, and labels of facts that are broken inside of a word.
  crowded() {
    const found = [];
    for (const e of document.querySelectorAll('main :is(.notice, .card:not(.top), .facts, .choices)')) {
      const next = e.nextElementSibling?.matches('form:not([class])') ? null : e.nextElementSibling?.getBoundingClientRect();
      const gap = next?.height > 1 ? next.top - e.getBoundingClientRect().bottom : NaN;
      if (gap > -1 && gap < 6) found.push(`${e.className} touches ${e.nextElementSibling.className || e.nextElementSibling.tagName}`);
    }
    for (const e of document.querySelectorAll('.facts dt')) {
      const text = document.createRange();
      text.selectNodeContents(e);
      if (!e.textContent.includes(' ') && text.getClientRects().length > 1) found.push(`${e.textContent} is broken`);
    }
    return found;
  },
  // overlaps returns pairs of labels of a chart that overlap.
  overlaps() {
    const found = [];
    for (const chart of document.querySelectorAll('.chart')) {
      const labels = [...chart.querySelectorAll('.ticks text, .wk')].map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.width > 0);
      if (labels.length < 4) found.push('the chart lacks labels');
      labels.forEach(([a, p], i) => labels.slice(i + 1).forEach(([b, q]) => {
        if (p.left < q.right && q.left < p.right && p.top < q.bottom - 2 && q.top < p.bottom - 2) found.push(`${a} overlaps ${b}`);
      }));
    }
    return found;
  },
  // unfocused returns the first invalid field if another element has the focus, and the message about a
  // form if the focus is at the start of the page.
  unfocused() {
    const { activeElement, body } = document;
    const first = document.querySelector('[aria-invalid=true], .choices.wrong input');
    if (first) return first === activeElement ? [] : [`${activeElement.name || activeElement.tagName} has the focus, not ${first.name}`];
    const message = document.querySelector('main :is(.notice.bad, .notice.ok, .err)[role]:not([hidden])');
    return message && activeElement === body ? [`the focus is at the start, not at "${message.textContent.trim()}"`] : [];
  },
  // printed returns controls that are printed, and bars that are not.
  printed() {
    const shown = (e) => e.getClientRects().length > 0;
    const found = [...document.querySelectorAll('button, .button, .plain, nav')].filter(shown).map((e) => `${e.textContent.trim()} is printed`);
    for (const bar of [...document.querySelectorAll('svg.bar, svg.plot')].filter((e) => !shown(e))) found.push(`${bar.getAttribute('class')} is not printed`);
    return found;
  },
};

// axe checks each page in light mode at 1280 px and in dark mode at 320 px, with all rules. The contrasts
// of the colors, which are the same at each width, have a test of their own.
const windows = [{ width: 1280, colorScheme: 'light' }, { width: 390 }, { width: 320, colorScheme: 'dark' }];

// checkStory loads a page once, and returns its findings at each width, with large text, and in print.
async function checkStory(page, name) {
  const found = [];
  const check = async (names, where) => {
    for (const check of names) for (const line of await page.evaluate(checks[check])) found.push(`${name} ${where}, ${check}: ${line}`);
  };
  const resize = (width) => page.setViewportSize({ width, height: 800 });
  await resize(windows[0].width);
  await page.emulateMedia({ media: 'screen', colorScheme: 'light' });
  await page.goto(`${base}/${name}.html`);
  await settle(page);
  await check(['unfocused'], 'after loading');
  for (const { width, colorScheme } of windows) {
    await resize(width);
    await check(['misplaced', 'crowded', 'overlaps'], `at ${width} px`);
    if (colorScheme) found.push(...(await violations(page, colorScheme)).map((line) => `${name} at ${width} px, axe, ${colorScheme}: ${line}`));
  }
  await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
  for (const width of [390, 1280]) {
    await resize(width);
    await check(['misplaced', 'overlaps'], `at ${width} px with text of twice the size`);
  }
  await page.evaluate(() => { document.documentElement.style.fontSize = ''; });
  await resize(718);
  await page.emulateMedia({ media: 'print' });
  await check(['printed'], 'in print');
  return found;
}

const only = process.argv[3];
await run({
  async [`${names.length} pages`](browser) {
    const page = await (await browser.newContext({ reducedMotion: 'reduce' })).newPage();
    page.on('dialog', (d) => d.accept());
    const found = [];
    for (const name of names.filter((n) => !only || n.includes(only))) found.push(...await checkStory(page, name));
    assert.deepEqual(found, []);
  },
});
