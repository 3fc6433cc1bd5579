// The journeys with mails: sign up with a link, replace a forgotten password, change the address and
// sign in by a link. The mails are read on the outbox page of the demo.
import { assert, run } from './browser.mjs';
import { both, person } from './person.mjs';

const first = 'a long sentence that nobody guesses';
const second = 'another sentence, chosen after the mail';

// readMail opens the newest mail to an address with a subject, which arrives in the background.
async function readMail(who, to, subject) {
  const newest = who.page.locator('.mails li').filter({ hasText: to }).filter({ hasText: subject }).first();
  for (let i = 0; i < 200; i++) {
    await who.open('/demo/mail');
    if (await newest.count()) break;
  }
  assert.ok(await newest.count(), `no mail ${subject} to ${to}`);
  await who.go('link', subject, newest);
}

// follow opens the link of the mail: in the text, or by the button of the HTML part, which is in a frame.
async function follow(who, button) {
  if (!who.keyboard) return who.go('link', /[?]code=/);
  return who.go('link', button, who.page.frameLocator('iframe'));
}

async function journey(browser, way) {
  const who = await person(browser, way);
  const email = `mara.${way.name}@fjordlight.example`;

  // Sign up: the address, the mail, the rest.
  await who.open('/account');
  await who.go('link', 'Create one');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await who.sees('Check your mail');
  await readMail(who, email, /confirm/i);
  await follow(who, 'Confirm address');
  who.isAt('/signup/verify');
  await who.sees('Your address is confirmed');
  await who.fill('Your name', 'Mara Lindqvist');
  await who.fill('Password', 'short');
  await who.go('button', 'Create account');
  await who.sees('at least 12 characters');
  assert.equal(await who.page.getByLabel('Your name').inputValue(), 'Mara Lindqvist');
  await who.fill('Password', first);
  if (who.keyboard) { // the button needs JavaScript
    await who.press('button', 'Show Password');
    assert.equal(await who.page.getByLabel('Password', { exact: true }).getAttribute('type'), 'text');
  } else {
    await who.lacks('button', 'Show Password');
  }
  await who.go('button', 'Create account');
  who.isAt('/account');
  await who.open('/account/security');
  await who.go('button', 'Sign out');

  // The same address again: the page is the same, the mail says that there is an account.
  await who.open('/signup');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await who.sees('Check your mail');
  await who.go('button', 'Send again');
  await who.sees('Another mail was asked for');
  await readMail(who, email, /already/);

  // A new password. The link works once.
  await who.open('/signin');
  await who.go('link', 'Forgot your password?');
  await who.fill('E-mail', email);
  await who.go('button', 'Mail me a link');
  await readMail(who, email, /new password/);
  const used = who.page.url();
  await follow(who, 'Choose a new password');
  who.isAt('/signin/reset');
  await who.fill('New password', second);
  await who.go('button', 'Set password');
  await who.sees('Your password is set');
  await who.fill('E-mail', email);
  await who.fill('Password', second);
  await who.go('button', 'Sign in');
  who.isAt('/account');
  await who.page.goto(used);
  await follow(who, 'Choose a new password');
  await who.sees('This link does not work');

  // A new address.
  const moved = `mara.lindqvist.${way.name}@fjordlight.example`;
  await who.open('/account/profile');
  await who.fill('E-mail', moved);
  await who.go('button', 'Save profile');
  await who.sees('on its way to the new address');
  await readMail(who, moved, /new e-mail address/);
  await follow(who, 'Confirm new address');
  who.isAt('/account/profile/address');
  await who.go('button', 'Change address');
  assert.equal(await who.page.getByLabel('E-mail').inputValue(), moved);

  // Sign in by a link, in the browser that asked for it and in no other one.
  await who.open('/account/security');
  await who.go('button', 'Sign out');
  await who.open('/signin?next=/account/profile');
  await who.go('link', 'Mail me a link instead');
  await who.fill('E-mail', moved);
  await who.go('button', 'Mail me a link');
  await readMail(who, moved, /sign in/);
  const other = await person(browser, way);
  await other.page.goto(who.page.url());
  await follow(other, 'Sign in');
  await other.sees('in the browser in which you asked');
  await other.context.close();
  await follow(who, 'Sign in');
  who.isAt('/signin/link/open');
  await who.go('button', 'Sign in');
  who.isAt('/account/profile');
  await who.context.close();
}

await run(both('mails', journey));
