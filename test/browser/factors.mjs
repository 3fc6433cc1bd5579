// The journeys of passkeys and of the second factor, with an authenticator of the browser's
// developer tools and an authenticator app in this file. Passkeys need JavaScript.
import { createHmac } from 'node:crypto';
import { assert, base, run } from './browser.mjs';
import { both, byKeyboard, person } from './person.mjs';

const password = 'a long sentence that nobody guesses';

// code returns the code of an app for the present time step, or for another one nearby.
function code(key, step = 0) {
  const bits = [...key].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

// signUp opens a browser as a person who has just signed up.
async function signUp(browser, way, email) {
  const who = await person(browser, way);
  const { context, page, open, fill, go } = who;
  await open('/signup');
  await fill('Your name', 'Mara Lindqvist');
  await fill('E-mail', email);
  await fill('Password', password);
  await go('button', 'Create account');
  who.isAt('/account');
  const signIn = async () => {
    await open('/signin?next=/account/profile');
    await fill('E-mail', email);
    await fill('Password', password);
    await go('button', 'Sign in');
  };
  const signOut = async () => {
    await open('/account/security');
    await go('button', 'Sign out');
  };
  const session = async () => (await context.cookies()).find((c) => c.name === 'account_session')?.value;
  return { ...who, signIn, signOut, session };
}

async function passkeys(browser) {
  const { context, page, open, fill, go, press, sees, signOut, session } = await signUp(browser, byKeyboard, 'mara.passkey@fjordlight.example');
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const device = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  // This authenticator answers a suggestion in the field of the address at once, as if the person
  // had chosen it. Only pages with "suggest" in the address suggest passkeys.
  await page.addInitScript(() => {
    if (!location.search.includes('suggest')) PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  const credentials = async () => (await devtools.send('WebAuthn.getCredentials', device)).credentials;

  // Add one, with a name. The authenticator keeps the member's id, not the address.
  await open('/account/security');
  await go('link', 'Add a passkey');
  const first = await session();
  await fill('Name', 'Work phone');
  await go('button', 'Add passkey');
  await sees('The passkey is added');
  assert.ok(await page.getByRole('heading', { name: 'Work phone' }).isVisible());
  assert.notEqual(await session(), first, 'the session keeps its id');
  const [kept] = await credentials();
  assert.ok(kept.isResidentCredential);
  assert.equal(kept.rpId, 'localhost');
  assert.match(Buffer.from(kept.userHandle, 'base64').toString(), /^mem_/);

  // A second one of the same authenticator is prevented, with a sentence.
  await open('/account/security/passkeys/new');
  await press('button', 'Add passkey');
  await sees('This device has a passkey for you already');

  // Sign in without a name.
  await signOut();
  await open('/signin?next=/account/profile');
  await go('button', 'Sign in with a passkey');
  assert.match(page.url(), /\/account\/profile$/);

  await signOut();
  await page.goto(`${base}/signin?suggest&next=/account/profile`, { waitUntil: 'commit' });
  await page.waitForURL((url) => url.pathname === '/account/profile');

  // A person whom the authenticator does not verify stays out, and can use another way.
  await signOut();
  await devtools.send('WebAuthn.setUserVerified', { ...device, isUserVerified: false });
  await open('/signin');
  await press('button', 'Sign in with a passkey');
  await sees('No passkey was used');
  await devtools.send('WebAuthn.setUserVerified', { ...device, isUserVerified: true });
  await go('button', 'Sign in with a passkey');
  assert.match(page.url(), /\/account$/);

  // Confirm with it: a new session.
  const before = await session();
  await open('/confirm?next=/account/security');
  await go('button', 'Use a passkey');
  assert.match(page.url(), /\/account\/security$/);
  assert.notEqual(await session(), before, 'the session keeps its id');

  // Remove it: it no longer signs in.
  await go('link', 'Change Work phone');
  await go('button', 'Remove passkey Work phone');
  await sees('The passkey is removed');
  await signOut();
  await go('button', 'Sign in with a passkey');
  await sees('This passkey is not known here');
  await context.close();
}

async function secondFactor(browser, way) {
  const { context, page, open, fill, go, sees, keyboard, signIn, signOut } = await signUp(browser, way, `mara.${way.name}@fjordlight.example`);
  await open('/account/security');
  await go('link', 'Set up an app');
  const key = (await page.locator('#secret').textContent()).trim();
  assert.match(key, /^[A-Z2-7]{32}$/);
  await fill('Code', '12345');
  await go('button', 'Turn on');
  await sees('Type the 6 digits');
  assert.equal((await page.locator('#secret').textContent()).trim(), key, 'the key changed');
  const used = code(key);
  await fill('Code', used);
  await go('button', 'Turn on');
  const codes = (await page.locator('#codes').textContent()).trim().split('\n');
  assert.equal(codes.length, 10);
  for (const c of codes) console.log(`secret ${c}`);
  await go('link', 'I have stored them');
  await sees('10 of 10 left');

  // The password alone does not sign in; a code does, once.
  await signOut();
  await signIn();
  assert.match(page.url(), /\/signin\/second-factor/);
  await fill('Code', used);
  await go('button', 'Sign in');
  assert.ok(await page.getByText('This code was used already').isVisible(), 'the code of the set-up is accepted again');
  await open('/account');
  assert.match(page.url(), /\/signin\?/);
  await signIn();
  await fill('Code', code(key, 1));
  await go('button', 'Sign in');
  assert.match(page.url(), /\/account\/profile$/);

  // A recovery code replaces the app, once.
  for (const [text, expected] of [[codes[0].toLowerCase(), /\/account\/profile$/], [codes[0], /\/signin\/second-factor/]]) {
    await signOut();
    await signIn();
    await fill('Code', text);
    await go('button', 'Sign in');
    assert.match(page.url(), expected);
  }
  await fill('Code', codes[1]);
  await go('button', 'Sign in');
  await open('/account/security');
  await sees('8 of 10 left');

  // Remove the app: the password signs in again.
  await go('link', 'Remove app');
  await go('button', 'Remove app');
  await sees('The authenticator app is removed');
  await signOut();
  await signIn();
  assert.match(page.url(), /\/account\/profile$/);

  if (!keyboard) {
    await open('/account/security/passkeys/new');
    await sees('This browser cannot make a passkey here');
    assert.ok(!(await page.getByRole('button', { name: 'Add passkey' }).isVisible()));
  }
  await context.close();
}

await run({
  'passkeys, by keyboard at 320 px': passkeys,
  ...both('second factor', secondFactor),
});
