// The journeys of passkeys and of the second factor, with an authenticator of the browser's
// developer tools and an authenticator app in this file.
import { createHmac } from 'node:crypto';
import { assert, base, checkPage, run } from './browser.mjs';

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

async function open(browser, options, email) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(`${base}/signup`);
  await page.getByLabel('Your name').fill('Mara Lindqvist');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  const go = async (role, name) => {
    await Promise.all([page.waitForEvent('load'), page.getByRole(role, { name, exact: true }).first().click()]);
  };
  await go('button', 'Create account');
  assert.match(page.url(), /\/account$/);
  const signIn = async () => {
    await page.goto(`${base}/signin?next=/account/profile`);
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await go('button', 'Sign in');
  };
  const signOut = async () => {
    await page.goto(`${base}/account/security`);
    await go('button', 'Sign out');
  };
  const session = async () => (await context.cookies()).find((c) => c.name === 'account_session')?.value;
  return { context, page, go, signIn, signOut, session };
}

async function passkeys(browser) {
  const { context, page, go, signOut, session } = await open(browser, { viewport: { width: 320, height: 700 } }, 'mara.passkey@fjordlight.example');
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
  await page.goto(`${base}/account/security`);
  await go('link', 'Add a passkey');
  await checkPage(page, 'passkey-new');
  const first = await session();
  await page.getByLabel('Name').fill('Work phone');
  await go('button', 'Add passkey');
  assert.ok(await page.getByText('The passkey is added').isVisible());
  assert.ok(await page.getByRole('heading', { name: 'Work phone' }).isVisible());
  assert.notEqual(await session(), first, 'the session keeps its id');
  const [kept] = await credentials();
  assert.ok(kept.isResidentCredential);
  assert.equal(kept.rpId, 'localhost');
  assert.match(Buffer.from(kept.userHandle, 'base64').toString(), /^mem_/);
  await checkPage(page, 'security');

  // A second one of the same authenticator is prevented, with a sentence.
  await page.goto(`${base}/account/security/passkeys/new`);
  await page.getByRole('button', { name: 'Add passkey' }).click();
  await page.getByText('This device has a passkey for you already').waitFor();

  // Sign in without a name.
  await signOut();
  await checkPage(page, 'signin');
  await page.goto(`${base}/signin?next=/account/profile`);
  await go('button', 'Sign in with a passkey');
  assert.match(page.url(), /\/account\/profile$/);

  await signOut();
  await page.goto(`${base}/signin?suggest&next=/account/profile`, { waitUntil: 'commit' });
  await page.waitForURL((url) => url.pathname === '/account/profile');

  // A person whom the authenticator does not verify stays out, and can use another way.
  await signOut();
  await devtools.send('WebAuthn.setUserVerified', { ...device, isUserVerified: false });
  await page.goto(`${base}/signin`);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByText('No passkey was used').waitFor();
  await devtools.send('WebAuthn.setUserVerified', { ...device, isUserVerified: true });
  await go('button', 'Sign in with a passkey');
  assert.match(page.url(), /\/account$/);

  // Confirm with it: a new session.
  const before = await session();
  await page.goto(`${base}/confirm?next=/account/security`);
  await checkPage(page, 'confirm');
  await go('button', 'Use a passkey');
  assert.match(page.url(), /\/account\/security$/);
  assert.notEqual(await session(), before, 'the session keeps its id');

  // Remove it: it no longer signs in.
  await go('link', 'Change Work phone');
  await checkPage(page, 'passkey-edit');
  await go('button', 'Remove passkey Work phone');
  assert.ok(await page.getByText('The passkey is removed').isVisible());
  await signOut();
  await go('button', 'Sign in with a passkey');
  assert.ok(await page.getByText('This passkey is not known here').isVisible());
  await context.close();
}

async function secondFactor(browser, variant, options) {
  const { context, page, go, signIn, signOut } = await open(browser, options, `mara.${variant}@fjordlight.example`);
  const inspect = (name) => (options.javaScriptEnabled === false ? undefined : checkPage(page, `${variant}-${name}`));
  await page.goto(`${base}/account/security`);
  await go('link', 'Set up an app');
  await inspect('app-setup');
  const key = (await page.locator('#secret').textContent()).trim();
  assert.match(key, /^[A-Z2-7]{32}$/);
  await page.getByLabel('Code', { exact: true }).fill('12345');
  await go('button', 'Turn on');
  assert.ok(await page.getByText('Type the 6 digits').first().isVisible());
  assert.equal((await page.locator('#secret').textContent()).trim(), key, 'the key changed');
  const used = code(key);
  await page.getByLabel('Code', { exact: true }).fill(used);
  await go('button', 'Turn on');
  const codes = (await page.locator('#codes').textContent()).trim().split('\n');
  assert.equal(codes.length, 10);
  for (const c of codes) console.log(`secret ${c}`);
  await inspect('codes');
  await go('link', 'I have stored them');
  assert.ok(await page.getByText('10 of 10 left').isVisible());

  // The password alone does not sign in; a code does, once.
  await signOut();
  await signIn();
  assert.match(page.url(), /\/signin\/second-factor/);
  await inspect('second-factor');
  await page.getByLabel('Code').fill(used);
  await go('button', 'Sign in');
  assert.ok(await page.getByText('This code was used already').isVisible(), 'the code of the set-up is accepted again');
  await page.goto(`${base}/account`);
  assert.match(page.url(), /\/signin\?/);
  await signIn();
  await page.getByLabel('Code').fill(code(key, 1));
  await go('button', 'Sign in');
  assert.match(page.url(), /\/account\/profile$/);

  // A recovery code replaces the app, once.
  for (const [text, expected] of [[codes[0].toLowerCase(), /\/account\/profile$/], [codes[0], /\/signin\/second-factor/]]) {
    await signOut();
    await signIn();
    await page.getByLabel('Code').fill(text);
    await go('button', 'Sign in');
    assert.match(page.url(), expected);
  }
  await page.getByLabel('Code').fill(codes[1]);
  await go('button', 'Sign in');
  await page.goto(`${base}/account/security`);
  assert.ok(await page.getByText('8 of 10 left').isVisible());

  // Remove the app: the password signs in again.
  await go('link', 'Remove app');
  await inspect('app-remove');
  await go('button', 'Remove app');
  assert.ok(await page.getByText('The authenticator app is removed').isVisible());
  await signOut();
  await signIn();
  assert.match(page.url(), /\/account\/profile$/);

  if (options.javaScriptEnabled === false) {
    await page.goto(`${base}/account/security/passkeys/new`);
    assert.ok(await page.getByText('This browser cannot make a passkey here').isVisible());
    assert.ok(!(await page.getByRole('button', { name: 'Add passkey' }).isVisible()));
  }
  await context.close();
}

await run({
  passkeys,
  'second factor': (b) => secondFactor(b, 'app', { viewport: { width: 320, height: 700 } }),
  'second factor without scripts': (b) => secondFactor(b, 'plain', { javaScriptEnabled: false }),
});
