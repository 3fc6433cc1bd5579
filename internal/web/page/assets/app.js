// Makes the pages easier; all of them work without it. Nothing here stores,
// sends or logs a secret.

const find = (sel, root = document) => [...root.querySelectorAll(sel)];

// say announces a sentence to those who listen instead of looking.
function say(text) {
  let box = document.querySelector("[data-said]");
  if (!box) {
    box = document.createElement("p");
    box.className = "vh";
    box.dataset.said = "";
    box.setAttribute("role", "status");
    box.setAttribute("aria-live", "polite");
    document.body.append(box);
  }
  box.textContent = "";
  setTimeout(() => { box.textContent = text; }, 50);
}

async function toClipboard(source) {
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if ("select" in source) source.select();
    else getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// swap draws a check mark and "Copied" for two seconds.
function swap(button) {
  const word = button.querySelector("[data-word]");
  const paths = button.querySelector("svg");
  if (button.dataset.was) return;
  button.dataset.was = word.textContent;
  const old = [...paths.childNodes];
  const tick = document.createElementNS("http://www.w3.org/2000/svg", "path");
  tick.setAttribute("d", "m3.25 8.5 3.25 3.25 6.25-7.25");
  paths.replaceChildren(tick);
  word.textContent = "Copied";
  setTimeout(() => {
    paths.replaceChildren(...old);
    word.textContent = button.dataset.was;
    delete button.dataset.was;
  }, 2000);
}

function copying(onSecret) {
  for (const button of find("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      if (!source) return;
      if (!await toClipboard(source)) {
        say("Copying is not allowed here. The text is selected.");
        return;
      }
      swap(button);
      say("Copied");
      if (source.matches("[data-secret]")) onSecret(button);
    });
  }
}

// reveal keeps a secret from being lost by a slip, and from staying behind.
function reveal(page) {
  const stored = page.querySelector("[data-stored]");
  let safe = false;
  const guard = (event) => { if (!safe) event.preventDefault(); };
  const clear = () => {
    for (const el of find("[data-secret]")) {
      if ("value" in el) { el.value = ""; el.defaultValue = ""; }
      el.textContent = "";
    }
  };
  addEventListener("beforeunload", guard);
  addEventListener("pagehide", clear);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    clear();
    safe = true;
    location.replace(stored.href);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") event.preventDefault(); });
  stored.addEventListener("click", () => { safe = true; });
  page.querySelector("textarea").addEventListener("focus", (event) => event.target.select());
  return () => {
    safe = true;
    stored.classList.replace("quiet", "primary");
    page.querySelector("[data-main]").classList.replace("primary", "quiet");
  };
}

// once ignores a second click on the button of a form. The second request would still have the
// cookie of a session that the first one replaces, and the browser drops the first response. A form
// without a response can be sent again after ten seconds.
function once(form) {
  let sent = 0;
  let late = 0;
  const release = () => {
    clearTimeout(sent);
    clearTimeout(late);
    sent = 0;
    for (const b of find("[aria-busy]", form)) b.removeAttribute("aria-busy");
  };
  form.addEventListener("submit", (event) => {
    if (sent) { event.preventDefault(); return; }
    sent = setTimeout(() => say(form.dataset.once || "Waiting for the nodes"), 400);
    late = setTimeout(release, 10_000);
    event.submitter?.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", release);
}

// shown shows or hides the password in a field. It is hidden when the form is sent, so that no
// browser stores it as an ordinary text.
function shown(button) {
  const field = document.getElementById(button.dataset.show);
  const word = button.querySelector("[data-word]");
  const set = (visible) => {
    field.type = visible ? "text" : "password";
    word.textContent = visible ? "Hide" : "Show";
  };
  button.hidden = false;
  button.addEventListener("click", () => set(field.type === "password"));
  field.form.addEventListener("submit", () => set(false));
}

// families ticks "Only these families" when one of them is chosen.
function families(form) {
  const only = form.querySelector("[name=scope][value=only]");
  for (const box of find("[name=family]", form)) {
    box.addEventListener("change", () => { if (box.checked) only.checked = true; });
  }
}

// lastDay chooses "At the end of a day" when a day is given.
function lastDay(day) {
  const expires = day.form.querySelector("[name=expires]");
  day.addEventListener("change", () => { if (day.value) expires.value = "day"; });
}

// search shows the result of a search while it is typed: the server makes the same page as
// for the form, and the list of this page is replaced by that of the result.
function search(form) {
  const field = form.querySelector("[type=search]");
  const list = form.closest(".card");
  let pending, request;
  const show = async () => {
    request?.abort();
    request = new AbortController();
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form));
    try {
      const response = await fetch(url, { signal: request.signal });
      if (!response.ok || new URL(response.url).pathname !== url.pathname) return;
      const result = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#api-keys > .card");
      const shown = [...list.children].filter((e) => e !== form && !e.matches(".strip"));
      shown.forEach((e) => e.remove());
      form.after(...[...result.children].filter((e) => !e.matches(".strip, [data-search]")));
      history.replaceState(null, "", response.url);
      say(list.querySelector(".list-foot span, .none")?.textContent ?? "");
    } catch (error) {
      if (error.name !== "AbortError") form.submit();
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(show, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pending);
    show();
  });
}

// filterEndpoints shows the endpoints that contain every word of the field, while it is typed.
function filterEndpoints(field) {
  const found = document.querySelector("[data-found]");
  const texts = find("[data-op]").map((op) => [op, op.textContent.toLowerCase()]);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [op, text] of texts) {
      op.hidden = !words.every((w) => text.includes(w));
      if (!op.hidden) shown++;
    }
    for (const group of find("[data-group]")) group.hidden = !group.querySelector("[data-op]:not([hidden])");
    found.textContent = words.length ? `${shown} of ${texts.length} endpoints` : "";
  });
}

// openTarget opens the endpoint that the address names.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) target.open = true;
}

// tellHeight tells the page around a frame how high the frame's content is, and that the session
// has ended. It replies only to that page, which a header of the response limits to the vendor's,
// and only at the page's own origin.
function tellHeight(body) {
  let origin = "";
  const post = (message) => { if (origin) parent.postMessage(message, origin); };
  const height = () => post({ embed: "height", height: Math.ceil(body.getBoundingClientRect().height) });
  addEventListener("message", (event) => {
    if (event.source !== parent || event.data?.embed !== "hello") return;
    origin = event.origin;
    height();
    if (body.querySelector("[data-ended]")) post({ embed: "ended" });
  });
  new ResizeObserver(height).observe(body);
}

const page = document.querySelector("[data-reveal]");
copying(page ? reveal(page) : () => {});
find("form[data-once]").forEach(once);
find("[data-show]").forEach(shown);
find("form:has([name=scope])").forEach(families);
find("[name=day]").forEach(lastDay);
find("form[data-search]").forEach(search);
for (const line of find("[data-retry]")) {
  line.hidden = false;
  setTimeout(() => location.reload(), Number(line.dataset.retry) * 1000);
}
find("[data-find]").forEach(filterEndpoints);
if (parent !== window) find("body[data-embed]").forEach(tellHeight);
// Browsers ignore autofocus in a frame of another site. A person who has just used the frame gets it.
if (parent !== window && document.hasFocus()) document.querySelector("[autofocus]")?.focus();
addEventListener("hashchange", openTarget);
openTarget();
if (find("form[data-passkey]").length) import("./passkey.js");
