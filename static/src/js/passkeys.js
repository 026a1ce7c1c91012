// Passkeys: a button asks the browser for one, puts its answer into the form and sends the form. No fetching. Where the
// browser has no passkeys the button stays hidden, and the form beside it does the same with a password.
import { whenReady } from "./ready.js";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const known = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

function opened(options) {
  const given = { ...options, challenge: bytes(options.challenge) };
  if (options.user) given.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) given.excludeCredentials = known(options.excludeCredentials);
  if (options.allowCredentials) given.allowCredentials = known(options.allowCredentials);
  return given;
}

function written(credential) {
  const { response } = credential;
  const parts = {};
  for (const name of [
    "clientDataJSON",
    "attestationObject",
    "authenticatorData",
    "signature",
    "userHandle",
  ]) {
    if (response[name]) parts[name] = text(response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response: parts,
  });
}

whenReady("form[data-passkey]", (form) => {
  if (!window.PublicKeyCredential) return;
  const button = form.querySelector("[type=submit]");
  const told = form.querySelector("[data-told]");
  const makes = form.dataset.passkey === "create";
  form.hidden = false;
  form.querySelector("[data-offer]")?.removeAttribute("hidden");
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value || form.elements.code?.value) return;
    if (!form.reportValidity()) {
      event.preventDefault();
      return;
    }
    event.preventDefault();
    button.disabled = true;
    told.textContent = "";
    try {
      const publicKey = opened(JSON.parse(form.dataset.options));
      const credential = makes
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      form.elements.credential.value = written(credential);
      button.disabled = false;
      form.requestSubmit();
    } catch (fault) {
      button.disabled = false;
      told.textContent = fault.name === "InvalidStateError" ? form.dataset.there : form.dataset.refused;
    }
  });
});
