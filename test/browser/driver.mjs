// The driver of the journeys by keyboard finds the faults that they look for.
import { assert, run } from './browser.mjs';
import { byKeyboard, person } from './person.mjs';

const origin = 'http://pages.example';
const page = (main) => `<!doctype html><title>Page</title><main>${main}</main>`;
const form = (label) => `<form method="post"><button>${label}</button></form>`;

// pages has the pages of a site, by method and path.
const pages = {
  'GET /unreachable': page('<a href="/">First</a> <button tabindex="-1">Save</button>'),
  'GET /invisible': page('<style>a { outline: none }</style><a href="/">First</a> <button>Save</button>'),
  'GET /covered': page('<style>p { position: fixed; inset: 0; background: red }</style><button>Save</button><p>'),
  'GET /outside': page('<style>a { position: absolute; left: -99px }</style><a href="/">First</a> <button>Save</button>'),
  'GET /message': page(form('Save')),
  'POST /message': page('<p class="notice ok" role="status">Saved.</p>'),
  'GET /again': page(form('Save')),
  'POST /again': page(form('Save')),
  'GET /good': page(`<a href="/">First</a> ${form('Save')}`),
  'POST /good': page('<p class="notice ok" role="status" tabindex="-1" autofocus>Saved.</p>'),
};

const faults = {
  unreachable: /cannot be reached with Tab/,
  invisible: /"First" does not show that it has the focus/,
  covered: /"Save" is covered by P/,
  outside: /"First" is covered by the edge of the window/,
  message: /the focus is not at the message/,
  again: /the focus is lost/,
};

await run({
  async 'the driver'(browser) {
    const who = await person(browser, byKeyboard);
    await who.context.route(`${origin}/**`, (route, request) => {
      const body = pages[`${request.method()} ${new URL(request.url()).pathname}`];
      return route.fulfill({ contentType: 'text/html', body });
    });
    for (const [path, message] of Object.entries(faults)) {
      await who.open(`${origin}/${path}`);
      await assert.rejects(who.go('button', 'Save'), { message }, path);
    }
    await who.open(`${origin}/good`);
    await who.go('button', 'Save');

    await who.page.setContent('<label>Name <input></label>');
    const field = who.page.getByLabel('Name');
    for (const use of [() => field.click(), () => field.fill('a'), () => field.focus(), () => who.page.click('input'), () => who.page.mouse.click(1, 1)]) {
      await assert.rejects(async () => use(), /in a journey by keyboard/);
    }
    await who.fill('Name', 'Mara');
    assert.equal(await field.inputValue(), 'Mara');
    await who.context.close();
  },
});
