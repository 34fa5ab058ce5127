// Passkeys: asks the browser for what a form's attributes say, puts the answer into the form's hidden fields and sends
// it. All decisions are the portal's. Without this script, or in a browser without passkeys, the form stays hidden.
(() => {
  'use strict';
  const FRESH = 4.5 * 60 * 1000; // a challenge lasts five minutes, and a person needs some of it
  const began = performance.now();
  const form = document.querySelector('form[data-passkey]');
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;
  const { passkey: kind, again, challenge, rp, verification, credentials, user, userName } = form.dataset;
  const button = form.querySelector('button');
  const problem = form.querySelector('[role=alert]');

  // That the button was pressed on the page before this one. Not in the address: a link must not press it.
  const pressed = {
    note() { try { sessionStorage.setItem('pressed', '1'); } catch { /* the person presses once more */ } },
    take() {
      try {
        const was = sessionStorage.getItem('pressed');
        sessionStorage.removeItem('pressed');
        return was !== null;
      } catch {
        return false;
      }
    },
  };

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer || []), (b) => String.fromCharCode(b)).join(''))
      .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const known = credentials.split(' ').filter(Boolean).map((id) => ({ type: 'public-key', id: bytes(id) }));

  const make = () => navigator.credentials.create({
    publicKey: {
      challenge: bytes(challenge),
      rp: { id: rp, name: rp },
      user: { id: bytes(user), name: userName, displayName: userName },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: known,
      authenticatorSelection: { residentKey: 'preferred', userVerification: verification },
      attestation: 'none',
    },
  });
  const get = () => navigator.credentials.get({
    publicKey: { challenge: bytes(challenge), rpId: rp, allowCredentials: known, userVerification: verification },
  });

  function send(credential) {
    const { response } = credential;
    const put = (name, buffer) => { form.elements.namedItem(name).value = text(buffer); };
    put('client_data', response.clientDataJSON);
    if (kind === 'create') {
      put('attestation', response.attestationObject);
    } else {
      put('credential', credential.rawId);
      put('authenticator_data', response.authenticatorData);
      put('signature', response.signature);
      put('user_handle', response.userHandle);
    }
    form.submit(); // does not come back to the listener below
  }

  function tell(error) {
    const words = {
      InvalidStateError: 'This passkey is set up already.',
      NotAllowedError: 'No passkey was used. You can try again.',
      NotSupportedError: 'That is not a passkey that can be used here.',
      SecurityError: 'Passkeys cannot be used at this address.',
    };
    problem.textContent = words[error.name] || `The browser could not use a passkey (${error.name}).`;
    problem.hidden = false;
    button.disabled = false;
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (performance.now() - began > FRESH) {
      // Another query, so that the page is fetched even where it is the one that is shown.
      pressed.note();
      location.replace(`${again}?${Date.now().toString(36)}`);
      return;
    }
    button.disabled = true;
    problem.hidden = true;
    try {
      send(await (kind === 'create' ? make() : get()));
    } catch (error) {
      tell(error);
    }
  });

  const needs = document.getElementById('passkey-needs');
  if (needs) needs.hidden = true;
  form.hidden = false;
  if (pressed.take()) form.requestSubmit();
})();
