// The journeys of a team: an owner invites people by link, they join and create keys, the owner
// removes them, and their sessions end at once.
import { assert, base, call, operator, run } from './browser.mjs';
import { both, person } from './person.mjs';

const password = 'a long sentence that nobody guesses';

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
  await owner.fill('E-mail', email);
  await owner.check(new RegExp(`^${role}`));
  await owner.go('button', 'Invite');
  await owner.sees('Copy the link now');
  return owner.page.getByLabel('Link', { exact: true }).inputValue();
}

// join opens the link of an invitation as a person without a sign-in, who signs up.
async function join(who, link, name) {
  await who.open(here(link));
  assert.ok(!who.page.url().includes('code'), 'the code stays in the address');
  await who.sees('Fjordlight Studio');
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
  await owner.go('link', `Remove ${name}`);
  await owner.check(choice);
  await owner.go('button', `Remove ${name}`);
  await owner.sees(`${name} is removed`);
}

const works = async (secret) => (await call(secret, 'POST', '/v1/creators/search')).status;

// isOut checks that a person is signed out of the account: no page shows it, and no form changes it.
async function isOut(who) {
  await who.open('/account');
  assert.match(who.page.url(), /\/signin/, 'the session of a removed member continues');
}

async function team(browser, way) {
  const id = way.name;
  const account = operator('accounts', 'create', 'Fjordlight Studio', '--plan', 'API_SCALE');
  const accountID = (account.account ?? account).id;
  const mara = `mara.${id}@fjordlight.example`;
  const owner = await person(browser, way);
  await join(owner, operator('accounts', 'invite', '--account', accountID, '--email', mara).url, 'Mara');
  await owner.go('link', 'Members');
  await owner.sees('1 of 100 members');

  // A developer joins, creates a key, and is removed with it.
  const olga = await person(browser, way);
  const link = await invite(owner, `olga.${id}@fjordlight.example`, 'Developer');
  await join(olga, link, 'Olga');
  const first = await createKey(olga, 'Worker');
  assert.equal(await works(first), 200);
  await olga.open('/account/members');
  await olga.lacks('link', 'Invite a person');
  const late = await person(browser, way);
  await late.open(here(link));
  await late.sees('This invitation cannot be used');
  await remove(owner, 'Olga', /^Revoke them/);
  assert.equal(await works(first), 401);
  await isOut(olga);

  // Another developer is removed, and the key is kept and rotated.
  const tomas = await person(browser, way);
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
  await tomas.open(here(await invite(owner, `tomas.${id}@fjordlight.example`, 'Viewer')));
  await tomas.go('button', 'Join Fjordlight Studio');
  await tomas.sees('Your role in this account, viewer, does not allow you to change keys');
  await tomas.lacks('link', /^Rotate/);
  await tomas.lacks('link', /^Revoke/);
  assert.equal((await tomas.open('/account/keys/new')).status(), 403);

  // A link for another address: sign out, and the page of the invitation is still there.
  await signIn(olga, `olga.${id}@fjordlight.example`);
  await olga.open(here(await invite(owner, `ines.${id}@fjordlight.example`, 'Billing')));
  await olga.sees('You are signed in with another address');
  await olga.go('button', 'Sign out');
  assert.match(olga.page.url(), /\/invitation$/);
  await olga.sees(`ines.${id}@fjordlight.example`);

  // A person switches between accounts.
  await owner.open('/account');
  await owner.go('link', 'Switch account, now Fjordlight Studio');
  await owner.fill('Account name', 'Second studio');
  await owner.go('button', 'Create account');
  await owner.sees('Second studio');
  await owner.go('link', 'Switch account, now Second studio');
  await owner.go('button', 'Switch to Fjordlight Studio');
  await owner.go('link', 'Members');
  await owner.sees('2 of 100 members');

  // The last owner cannot leave, and hands the ownership over first.
  await owner.lacks('link', 'Leave account');
  await owner.sees('You are the only owner');
  await owner.open('/account/leave');
  await owner.lacks('button', 'Leave Fjordlight Studio');
  await owner.go('link', 'Choose a member');
  await owner.go('link', /^Tomas/);
  await owner.go('link', 'Transfer ownership to Tomas');
  await owner.go('button', 'Transfer ownership to Tomas');
  await owner.sees('The ownership is handed over');
  await owner.go('link', 'Leave account');
  await owner.go('button', 'Leave Fjordlight Studio');
  await owner.sees('Second studio');
  await owner.lacks('button', /Fjordlight Studio/);
  for (const who of [owner, olga, tomas, late]) await who.context.close();
}

await run(both('a team', team));
