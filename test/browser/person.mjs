// A person at a browser, in one of two ways: by the keyboard, with JavaScript in a dark and narrow window,
// and without JavaScript, with a mouse in a light and wide one.
import { assert, base, violations } from './browser.mjs';

export const byKeyboard = { name: 'keyboard', keyboard: true, width: 320, colorScheme: 'dark' };
export const withoutScripts = { name: 'plain', javaScriptEnabled: false, width: 1280, colorScheme: 'light' };

// both returns a journey in each way, as journeys for run.
export const both = (name, journey) => ({
  [`${name}, by keyboard at 320 px`]: (browser) => journey(browser, byKeyboard),
  [`${name}, without JavaScript`]: (browser) => journey(browser, withoutScripts),
});

// forbid lets every use of a pointer on the page fail, also by a method that moves the focus or the text
// of a field without keys.
const withoutPointer = new WeakSet();
let patched = false;
function forbid(page) {
  withoutPointer.add(page);
  for (const object of [page.mouse, page.touchscreen]) {
    for (const name of ['click', 'dblclick', 'down', 'move', 'tap', 'wheel']) object[name] = () => assert.fail(`${name} in a journey by keyboard`);
  }
  if (patched) return;
  patched = true;
  const names = ['click', 'dblclick', 'tap', 'hover', 'check', 'uncheck', 'setChecked', 'selectOption', 'fill', 'clear', 'focus', 'press', 'pressSequentially', 'type', 'dragTo', 'dispatchEvent'];
  for (const prototype of [page, page.mainFrame(), page.locator('body')].map(Object.getPrototypeOf)) {
    const pageOf = (object) => (typeof object.page === 'function' ? object.page() : object);
    for (const name of names.filter((n) => prototype[n])) {
      const original = prototype[name];
      prototype[name] = function (...args) {
        assert.ok(!withoutPointer.has(pageOf(this)), `${name} in a journey by keyboard`);
        return original.apply(this, args);
      };
    }
  }
}

// atFocus runs in the page. It compares the focused element with the one that the person looks for, or with
// the radio buttons of its group, and returns the fault of the focused one, if it has any.
function atFocus(target, group) {
  const { body, activeElement: active } = target.ownerDocument;
  if (!target.ownerDocument.hasFocus()) return { key: 'Tab' };
  if (active === body) { // Shift+Tab from here leads to the end
    const stops = [...body.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, iframe')];
    return { start: true, key: stops.indexOf(target) > stops.length / 2 ? 'Shift+Tab' : 'Tab' };
  }
  const key = active.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_PRECEDING ? 'Shift+Tab' : 'Tab';
  if (active.tagName === 'IFRAME') return { key };
  const inGroup = group && active.type === 'radio' && active.name === target.name && active.form === target.form;
  const ring = (element, pseudo) => {
    const style = element && getComputedStyle(element, pseudo);
    return style && !(pseudo && style.content === 'none') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 && !/^transparent|[,/] ?0\)$/.test(style.outlineColor);
  };
  const faults = [];
  if (!ring(active) && !ring(active, '::before') && !ring(active.closest('label'))) faults.push('does not show that it has the focus');
  const rect = active.getClientRects()[0];
  if (!rect || rect.width < 8 || rect.height < 8) {
    faults.push('is too small to be seen');
  } else if (rect.height < innerHeight && active.tabIndex >= 0) {
    const hit = target.ownerDocument.elementFromPoint(rect.left + rect.width / 2, rect.top + rect.height / 2);
    if (!active.contains(hit) && hit?.closest('label')?.control !== active) faults.push(`is covered by ${hit?.tagName ?? 'the edge of the window'}`);
  }
  const name = active.getAttribute('aria-label') ?? active.labels?.[0]?.innerText ?? active.innerText;
  return { key, reached: active === target || inGroup, is: active === target, fault: active.tabIndex >= 0 && faults.length ? `${active.tagName} "${name}" ${faults.join(' and ')}` : '' };
}

// confirmed waits until the browser confirms keys. Chromium never confirms a key that arrives while the page of
// a frame is replaced, so the wait has an end: the next check of the page finds a key that was lost.
const confirmed = (keys) => Promise.race([keys, new Promise((end) => { setTimeout(end, 3_000); })]);

// reach presses Tab or Shift+Tab until the target has the focus, or a radio button of its group. It fails if the
// keys do not lead there, and if an element on the way does not show its focus.
async function reach(page, target, group) {
  await target.waitFor();
  const handle = await target.elementHandle();
  for (let i = 0, starts = 0; i < 120 && starts < 3; i++) {
    const at = await handle.evaluate(atFocus, group);
    assert.ok(!at.fault, `${at.fault} at ${page.url()}`);
    if (at.reached) return at;
    if (at.start) starts++;
    await confirmed(page.keyboard.press(at.key));
  }
  return assert.fail(`${target} cannot be reached with Tab at ${page.url()}`);
}

const keyboardHands = (page) => ({
  async fill(target, text) {
    await reach(page, target);
    await page.keyboard.press('Control+A');
    if (text.length > 60) return page.keyboard.insertText(text); // as if it was pasted
    return page.keyboard.type(text);
  },
  async check(target) {
    const radio = await target.getAttribute('type') === 'radio';
    let at = await reach(page, target, radio);
    for (let i = 0; radio && !at.is && i < 9; i++) {
      await page.keyboard.press('ArrowDown');
      at = await reach(page, target, true);
    }
    if (!await target.isChecked()) await page.keyboard.press('Space');
    assert.ok(await target.isChecked(), `${target} is not checked by keys`);
  },
  async press(target) {
    await reach(page, target);
    const [button, framed] = await target.evaluate((e) => [e.tagName === 'BUTTON', e.ownerDocument.defaultView.parent !== e.ownerDocument.defaultView]);
    if (button || !framed) return confirmed(page.keyboard.press(button ? 'Space' : 'Enter'));
    // In a frame, the key is held until the link has led to its page.
    await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.down('Enter')]);
    return confirmed(page.keyboard.up('Enter'));
  },
});

const mouseHands = { fill: (target, text) => target.fill(text), check: (target) => target.check(), press: (target) => target.click() };

// settle waits until the element that a page focuses when it has loaded has the focus.
export async function settle(page) {
  if (await page.locator('[autofocus]').count()) await page.waitForFunction(() => document.activeElement !== document.body);
}

// checkFocus fails if the focus is at the start of a page that a form led to, although the page shows its result
// or still has the pressed button. With a fragment in the address, Tab goes on from there, which is no loss.
async function checkFocus(page, button) {
  const atStart = await page.evaluate(() => document.activeElement === document.body && !location.hash);
  if (!atStart) return;
  const messages = await page.locator('main :is(.notice[role], .err)').filter({ visible: true }).allInnerTexts();
  assert.deepEqual(messages, [], `the focus is not at the message at ${page.url()}`);
  assert.equal(await button.count(), 0, `the focus is lost after ${button} at ${page.url()}`);
}

// person opens a browser of its own.
export async function person(browser, { name, keyboard, width = 1280, ...settings }) {
  const context = await browser.newContext({ reducedMotion: 'reduce', viewport: { width, height: 700 }, ...settings });
  return personIn(context, { name, keyboard, ...settings });
}

// personIn opens a page in a browser. Each press of a button or a link by go waits for the next page.
export async function personIn(context, { name, keyboard, javaScriptEnabled = true, colorScheme = 'light' }) {
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  if (keyboard) forbid(page);
  const hands = keyboard ? keyboardHands(page) : mouseHands;
  const find = (role, label, root = page) => root.getByRole(role, { name: label, exact: typeof label === 'string' }).first();
  const field = (label, root = page) => (label.waitFor ? label : root.getByLabel(label, { exact: typeof label === 'string' }));
  const open = async (path) => {
    const response = await page.goto(path.startsWith('http') ? path : base + path);
    if (keyboard) await settle(page);
    return response;
  };
  const go = async (role, label, root) => {
    const target = find(role, label, root);
    await Promise.all([page.waitForEvent('load', { timeout: 30_000 }), hands.press(target)]);
    if (!keyboard) return;
    await settle(page);
    if (role === 'button') await checkFocus(page, target);
  };
  return {
    context, page, open, go, keyboard, name,
    fill: (label, text, root) => hands.fill(field(label, root), text),
    check: (label, root) => hands.check(field(label, root)),
    press: (role, label, root) => hands.press(find(role, label, root)),
    use: (target) => hands.press(target),
    sees: (text, root = page) => root.getByText(text).first().waitFor(),
    lacks: async (role, label) => assert.equal(await page.getByRole(role, { name: label }).count(), 0, `${label} is shown at ${page.url()}`),
    isAt: (path) => assert.equal(page.url(), base + path),
    // inspect checks the page as it is shown now with axe, which needs JavaScript.
    inspect: async (label) => {
      if (!javaScriptEnabled) return;
      assert.deepEqual(await violations(page, colorScheme), [], `axe on ${label}`);
    },
  };
}
