// The journeys with mails: sign up with a link, replace a forgotten password, change the address and
// sign in by a link. The mails are read on the outbox page of the demo. They run with JavaScript,
// without it at the width of a small phone, and with the keyboard only.
import { assert, base, checkPage, run } from './browser.mjs';

const first = 'a long sentence that nobody guesses';
const second = 'another sentence, chosen after the mail';

// person opens a browser of its own. Each press of a button or a link waits for the next page.
async function person(browser, { js, width, keyboard }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', viewport: { width, height: 800 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const open = (path) => page.goto(base + path);
  const focus = async (target) => {
    await target.waitFor();
    const handle = await target.elementHandle();
    for (let i = 0; i < 60; i++) {
      if (await handle.evaluate((e) => e === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${target} cannot be reached with Tab`);
  };
  const fill = async (label, text) => {
    const field = page.getByLabel(label, { exact: true });
    if (!keyboard) return field.fill(text);
    await focus(field);
    await page.keyboard.press('Control+A');
    return page.keyboard.type(text);
  };
  const go = async (role, name) => {
    const target = page.getByRole(role, { name, exact: typeof name === 'string' }).first();
    if (keyboard) await focus(target);
    await Promise.all([page.waitForEvent('load'), keyboard ? page.keyboard.press('Enter') : target.click()]);
  };
  const sees = async (text) => assert.ok(await page.getByText(text).first().isVisible(), `${text} is shown at ${page.url()}`);
  const isAt = (path) => assert.equal(page.url(), base + path);
  // The variants show the same pages, and axe needs scripts.
  const inspect = (name) => (js && !keyboard ? checkPage(page, name) : undefined);
  return { context, page, open, fill, go, sees, isAt, inspect };
}

// readMail opens the newest mail to an address with a subject, which arrives in the background.
async function readMail(who, to, subject) {
  const newest = who.page.locator('.mails li').filter({ hasText: to }).filter({ hasText: subject }).first();
  for (let i = 0; i < 200; i++) {
    await who.open('/demo/mail');
    if (await newest.count()) break;
  }
  assert.ok(await newest.count(), `no mail ${subject} to ${to}`);
  await who.inspect('outbox');
  const link = newest.getByRole('link');
  await Promise.all([who.page.waitForEvent('load'), link.click()]);
  await who.inspect('mail');
}

// follow opens the link of the mail: in the text or, as a person does, in the HTML part.
async function follow(who, button, { html }) {
  if (!html) return who.go('link', /[?]code=/);
  const inMail = who.page.frameLocator('iframe').getByRole('link', { name: button, exact: true });
  return Promise.all([who.page.waitForEvent('load'), inMail.click()]);
}

async function journey(browser, options, variant) {
  const who = await person(browser, options);
  const email = `mara.${variant}@fjordlight.example`;
  const html = { html: options.js && !options.keyboard };

  // Sign up: the address, the mail, the rest.
  await who.open('/account');
  await who.go('link', 'Create one');
  await who.inspect('signup-mail');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await who.sees('Check your mail');
  await who.inspect('sent');
  await readMail(who, email, /confirm/i);
  await follow(who, 'Confirm address', html);
  who.isAt('/signup/verify');
  await who.sees('Your address is confirmed');
  await who.inspect('signup-proved');
  await who.fill('Your name', 'Mara Lindqvist');
  await who.fill('Password', 'short');
  await who.go('button', 'Create account');
  await who.sees('at least 12 characters');
  assert.equal(await who.page.getByLabel('Your name').inputValue(), 'Mara Lindqvist');
  await who.fill('Password', first);
  await who.go('button', 'Create account');
  who.isAt('/account');
  await who.open('/account/security');
  await who.go('button', 'Sign out');

  // The same address again: the page is the same, the mail says that there is an account.
  await who.open('/signup');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await who.sees('Check your mail');
  await readMail(who, email, /already/);

  // A new password. The link works once.
  await who.open('/signin');
  await who.go('link', 'Forgot your password?');
  await who.inspect('forgot');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await readMail(who, email, /new password/);
  const used = who.page.url();
  await follow(who, 'Choose a new password', html);
  who.isAt('/signin/reset');
  await who.inspect('reset');
  await who.fill('New password', second);
  await who.go('button', 'Set password');
  await who.sees('Your password is set');
  await who.inspect('signin-reset');
  await who.fill('E-mail', email);
  await who.fill('Password', second);
  await who.go('button', 'Sign in');
  who.isAt('/account');
  await who.page.goto(used);
  await follow(who, 'Choose a new password', html);
  await who.sees('This link does not work');
  await who.inspect('link-ended');

  // A new address.
  const moved = `mara.lindqvist.${variant}@fjordlight.example`;
  await who.open('/account/profile');
  await who.fill('E-mail', moved);
  await who.go('button', 'Save profile');
  await who.sees('on its way to the new address');
  await readMail(who, moved, /new e-mail address/);
  await follow(who, 'Confirm new address', html);
  who.isAt('/account/profile/address');
  await who.inspect('address');
  await who.go('button', 'Change address');
  assert.equal(await who.page.getByLabel('E-mail').inputValue(), moved);

  // Sign in by a link, in the browser that asked for it and in no other one.
  await who.open('/account/security');
  await who.go('button', 'Sign out');
  await who.open('/signin?next=/account/profile');
  await who.go('link', 'Mail me a link instead');
  await who.inspect('signin-mail');
  await who.fill('E-mail', moved);
  await who.go('button', 'Mail me a link');
  await readMail(who, moved, /sign in/);
  const other = await person(browser, options);
  await other.page.goto(who.page.url());
  await follow(other, 'Sign in', html);
  await other.sees('in the browser in which you asked');
  await other.context.close();
  await follow(who, 'Sign in', html);
  who.isAt('/signin/link/open');
  await who.inspect('signin-link');
  await who.go('button', 'Sign in');
  who.isAt('/account/profile');
  await who.context.close();
}

await run({
  'mails with JavaScript': (b) => journey(b, { js: true, width: 1280 }, 'mouse'),
  'mails without JavaScript on a phone': (b) => journey(b, { js: false, width: 320 }, 'plain'),
  'mails with the keyboard only': (b) => journey(b, { js: true, width: 1280, keyboard: true }, 'keyboard'),
});
