// Passkeys: asks the server for a challenge and the authenticator for a response, and sends the
// response with the form. The form works like any other: the server responds with a page.

const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const withBytes = (list) => list?.map((c) => ({ ...c, id: decode(c.id) }));

// challenge returns the options of the server for navigator.credentials.
async function challenge(form) {
  const response = await fetch(form.dataset.options, { method: "POST" });
  if (response.redirected) { // the session has ended: the page leads to the sign-in
    location.reload();
    throw new DOMException("", "AbortError");
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  const options = await response.json();
  options.challenge = decode(options.challenge);
  if (options.user) options.user.id = decode(options.user.id);
  options.excludeCredentials = withBytes(options.excludeCredentials);
  options.allowCredentials = withBytes(options.allowCredentials);
  return options;
}

// send puts the response of the authenticator into the form and sends it. It leaves out the
// outputs of extensions, since the server asks for none.
function send(form, credential) {
  const { response } = credential;
  const parts = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) parts[name] = encode(response[name]);
  }
  if (response.getTransports) parts.transports = response.getTransports();
  form.elements.response.value = JSON.stringify({
    id: credential.id, rawId: encode(credential.rawId), type: credential.type, clientExtensionResults: {}, response: parts,
  });
  form.submit();
}

const sentences = {
  NotAllowedError: "No passkey was used. Try again, or use another way.",
  InvalidStateError: "This device has a passkey for you already.",
  SecurityError: "Passkeys do not work at this address of the pages.",
};

function show(form, error) {
  const line = form.querySelector("[data-problem]");
  line.lastElementChild.textContent = sentences[error.name] || (error.name === "Error" && error.message) || "The passkey could not be used. Try again, or use another way.";
  line.hidden = false;
}

let offer = new AbortController();

// start runs one ceremony after the button was pressed.
async function start(form) {
  offer.abort();
  form.querySelector("[data-problem]").hidden = true;
  try {
    const publicKey = await challenge(form);
    send(form, await (form.dataset.passkey === "create" ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })));
  } catch (error) {
    if (error.name === "AbortError") return;
    show(form, error);
    form.querySelector("[data-ready]").removeAttribute("aria-busy");
  }
}

// suggest lets the browser offer passkeys in the field of the address, where it can.
async function suggest(form) {
  if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
  try {
    const publicKey = await challenge(form);
    send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: offer.signal }));
  } catch {
    // The person did not choose a passkey there. The button and the other ways remain.
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    for (const part of form.querySelectorAll("[data-ready]")) part.hidden = false;
    for (const part of form.querySelectorAll("[data-missing]")) part.hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = form.querySelector("[data-ready]");
      if (button.hasAttribute("aria-busy")) return;
      button.setAttribute("aria-busy", "true");
      start(form);
    });
    addEventListener("pageshow", () => form.querySelector("[data-ready]").removeAttribute("aria-busy"));
    if (form.dataset.passkey === "suggest") suggest(form);
  }
}
