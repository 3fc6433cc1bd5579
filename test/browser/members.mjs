// The journeys of a team: an owner invites people by link, they join and create keys, the owner
// removes them, and their sessions end at once. They run with JavaScript and without it, also at
// the width of a phone.
import { assert, base, call, checkPage, operator, run } from './browser.mjs';

const password = 'a long sentence that nobody guesses';

// person opens a browser of its own. Each press of a button waits for the next page.
async function person(browser, { js, width }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', viewport: { width, height: 800 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  const go = (role, name) => Promise.all([page.waitForEvent('load'), page.getByRole(role, { name, exact: typeof name === 'string' }).first().click()]);
  const fill = (label, text) => page.getByLabel(label, { exact: true }).fill(text);
  const open = (path) => page.goto(base + path);
  const sees = async (text) => assert.ok(await page.getByText(text).first().isVisible(), `${text} is shown at ${page.url()}`);
  const lacks = async (role, name) => assert.equal(await page.getByRole(role, { name }).count(), 0, `${name} is shown at ${page.url()}`);
  const inspect = (name) => (js ? checkPage(page, name) : undefined);
  return { context, page, go, fill, open, sees, lacks, inspect };
}

// here returns the path of a link. Links start with the configured address, the tests with another one.
const here = (link) => new URL(link).pathname + new URL(link).search;

// signIn opens a page, which asks the person to sign in.
async function signIn(who, email, path = '/account') {
  await who.open(path);
  await who.fill('E-mail', email);
  await who.fill('Password', password);
  await who.go('button', 'Sign in');
}

// invite makes an invitation and returns its link.
async function invite(owner, email, role) {
  await owner.open('/account/members');
  await owner.go('link', 'Invite a person');
  await owner.inspect('invite');
  await owner.fill('E-mail', email);
  await owner.page.getByRole('radio', { name: new RegExp(`^${role}`) }).check();
  await owner.go('button', 'Invite');
  await owner.sees('Copy the link now');
  await owner.inspect('invited');
  return owner.page.getByLabel('Link', { exact: true }).inputValue();
}

// join opens the link of an invitation as a person without a sign-in, who signs up.
async function join(who, link, name) {
  await who.open(here(link));
  assert.ok(!who.page.url().includes('code'), 'the code stays in the address');
  await who.sees('Fjordlight Studio');
  await who.inspect('invitation');
  await who.go('link', 'I have no sign-in yet');
  await who.fill('Your name', name);
  await who.fill('Password', password);
  await who.go('button', 'Join');
  assert.match(who.page.url(), /\/account$/);
  await who.sees('Fjordlight Studio');
}

async function createKey(who, name) {
  await who.open('/account/keys/new');
  await who.fill('Name', name);
  await who.go('button', 'Create key');
  return who.page.getByLabel('Secret', { exact: true }).inputValue();
}

// remove removes a member with a choice about the keys.
async function remove(owner, name, choice) {
  await owner.open('/account/members');
  await owner.go('link', new RegExp(`^${name}`));
  await owner.inspect('member');
  await owner.go('link', `Remove ${name}`);
  await owner.inspect('remove');
  await owner.page.getByRole('radio', { name: choice }).check();
  await owner.go('button', `Remove ${name}`);
  await owner.sees(`${name} is removed`);
  await owner.inspect('removed');
}

const works = async (secret) => (await call(secret, 'POST', '/v1/creators/search')).status;

// isOut checks that a person is signed out of the account: no page shows it, and no form changes it.
async function isOut(who) {
  await who.open('/account');
  assert.match(who.page.url(), /\/signin/, 'the session of a removed member continues');
}

async function team(browser, variant) {
  const id = variant.js ? 'js' : 'nojs';
  const account = operator('accounts', 'create', 'Fjordlight Studio', '--plan', 'API_SCALE');
  const accountID = (account.account ?? account).id;
  const mara = `mara.${id}@fjordlight.example`;
  const owner = await person(browser, variant);
  await join(owner, operator('accounts', 'invite', '--account', accountID, '--email', mara).url, 'Mara');
  await owner.go('link', 'Members');
  await owner.sees('1 of 100 members');
  await owner.inspect('members');

  // A developer joins, creates a key, and is removed with it.
  const olga = await person(browser, variant);
  const link = await invite(owner, `olga.${id}@fjordlight.example`, 'Developer');
  await join(olga, link, 'Olga');
  const first = await createKey(olga, 'Worker');
  assert.equal(await works(first), 200);
  await olga.open('/account/members');
  await olga.lacks('link', 'Invite a person');
  const late = await person(browser, variant);
  await late.open(here(link));
  await late.sees('This invitation cannot be used');
  await late.inspect('used');
  await remove(owner, 'Olga', /^Revoke them/);
  assert.equal(await works(first), 401);
  await isOut(olga);

  // Another developer is removed, and the key is kept and rotated.
  const tomas = await person(browser, variant);
  await join(tomas, await invite(owner, `tomas.${id}@fjordlight.example`, 'Developer'), 'Tomas');
  const second = await createKey(tomas, 'CRM sync');
  await remove(owner, 'Tomas', /^Keep them, and rotate/);
  await isOut(tomas);
  assert.equal(await works(second), 200, 'a kept key is revoked');
  await owner.go('link', 'Rotate CRM sync');
  await owner.go('button', 'Rotate now CRM sync');
  assert.equal(await works(second), 401);

  // The removed person signs in, belongs to no account, and joins again, with the role of the invitation.
  await signIn(tomas, `tomas.${id}@fjordlight.example`);
  await tomas.sees('You belong to no account');
  await tomas.inspect('no-account');
  await tomas.open(here(await invite(owner, `tomas.${id}@fjordlight.example`, 'Viewer')));
  await tomas.inspect('join');
  await tomas.go('button', 'Join Fjordlight Studio');
  await tomas.sees('Your role in this account, viewer, does not allow you to change keys');
  await tomas.inspect('viewer');
  await tomas.lacks('link', /^Rotate/);
  await tomas.lacks('link', /^Revoke/);
  assert.equal((await tomas.open('/account/keys/new')).status(), 403);
  await tomas.inspect('denied');

  // A link for another address: sign out, and the page of the invitation is still there.
  await signIn(olga, `olga.${id}@fjordlight.example`);
  await olga.open(here(await invite(owner, `ines.${id}@fjordlight.example`, 'Billing')));
  await olga.sees('You are signed in with another address');
  await olga.inspect('other-address');
  await olga.go('button', 'Sign out');
  assert.match(olga.page.url(), /\/invitation$/);
  await olga.sees(`ines.${id}@fjordlight.example`);

  // A person switches between accounts.
  await owner.open('/account');
  await owner.go('link', 'Switch account, now Fjordlight Studio');
  await owner.inspect('switch');
  await owner.fill('Account name', 'Second studio');
  await owner.go('button', 'Create account');
  await owner.sees('Second studio');
  await owner.go('link', 'Switch account, now Second studio');
  await owner.go('button', 'Switch to Fjordlight Studio');
  await owner.go('link', 'Members');
  await owner.sees('2 of 100 members');

  // The last owner cannot leave, and hands the ownership over first.
  await owner.go('link', 'Leave account');
  await owner.inspect('leave');
  await owner.go('button', 'Leave Fjordlight Studio');
  await owner.sees('The account would have no owner');
  await owner.open('/account/members');
  await owner.go('link', /^Tomas/);
  await owner.go('link', 'Transfer ownership to Tomas');
  await owner.inspect('transfer');
  await owner.go('button', 'Transfer ownership to Tomas');
  await owner.sees('The ownership is handed over');
  await owner.go('link', 'Leave account');
  await owner.go('button', 'Leave Fjordlight Studio');
  await owner.sees('Second studio');
  await owner.lacks('button', /Fjordlight Studio/);
  for (const who of [owner, olga, tomas, late]) await who.context.close();
}

await run({
  'a team, with JavaScript on a phone': (b) => team(b, { js: true, width: 390 }),
  'a team, without JavaScript': (b) => team(b, { js: false, width: 1280 }),
});
