"use strict";
// Passkeys: what the server asks is given to the browser, and the browser's answer goes back in the form.
(() => {
  const words = (error) => {
    if (error.name === "NotAllowedError") return "Nothing came of it: it was cancelled, or took too long.";
    if (error.name === "InvalidStateError") return "This device has a passkey of yours already.";
    return error.message || "It did not work.";
  };
  const answer = async (how, address, form) => {
    if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) throw new Error("This browser knows no passkeys, or is too old for them.");
    const body = new URLSearchParams({ csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const asked = await fetch(address, { method: "POST", body, redirect: "manual" });
    const options = await asked.json();
    if (!asked.ok) throw new Error(options.problem);
    const publicKey = how === "get" ? PublicKeyCredential.parseRequestOptionsFromJSON(options) : PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const made = await navigator.credentials[how]({ publicKey });
    return JSON.stringify(made.toJSON());
  };
  const keep = (form, name, value) => {
    let input = form.elements[name];
    if (!input) {
      input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      form.append(input);
    }
    input.value = value;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey]");
    if (!button) return;
    const form = button.form;
    const told = button.parentElement.querySelector("[role=status]");
    button.disabled = true;
    told.textContent = "Waiting for your device …";
    try {
      keep(form, "passkey", await answer("get", button.dataset.passkey, form));
      told.textContent = "Your passkey has answered.";
      form.elements.code.required = false;
      form.elements.code.disabled = true;
      if (button.dataset.then === "submit") form.submit();
    } catch (error) {
      told.textContent = words(error);
      button.disabled = false;
    }
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.passkeyMake) return;
    event.preventDefault();
    const told = form.querySelector("[data-made]");
    told.textContent = "Waiting for your device …";
    try {
      keep(form, "made", await answer("create", form.dataset.passkeyMake, form));
      form.submit();
    } catch (error) { told.textContent = words(error); }
  });
})();
