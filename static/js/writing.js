// The reply box: it grows with the text, keeps the draft saved, and goes along with the help box where there is one.
"use strict";

(() => {
  const form = document.getElementById("writing");
  if (!form) return;
  const box = document.getElementById("id_text");
  const status = document.getElementById("save-state");
  const help = document.getElementById("help");

  // --- The box grows with its text ---------------------------------------------------------

  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    const top = window.scrollY;
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${box.scrollHeight + 4}px`);
    window.scrollTo({ top });
  }

  // --- Drafts ------------------------------------------------------------------------------
  // One save at a time, so that an older text never arrives after a newer one.

  const PAUSE = 1500;
  const RETRY = 5000;
  const draft = { saved: box.value, saving: null, timer: 0, refused: false, held: false };

  function say(text) {
    if (status && status.textContent !== text) status.textContent = text;
  }

  function schedule(wait) {
    clearTimeout(draft.timer);
    if (!draft.refused) draft.timer = setTimeout(save, wait);
  }

  function body() {
    const fields = new URLSearchParams();
    for (const name of ["csrfmiddlewaretoken", "position", "revision", "window", "text"]) {
      if (form.elements[name]) fields.set(name, form.elements[name].value);
    }
    return fields;
  }

  function post(keepalive) {
    return fetch(form.dataset.draftUrl, {
      method: "POST", body: body(), keepalive, redirect: "error",
      headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, Accept: "application/json" },
    });
  }

  async function save() {
    clearTimeout(draft.timer);
    if (draft.saving) await draft.saving;
    if (draft.saving || draft.held || draft.refused || form.dataset.sent || box.value === draft.saved) return;
    draft.saving = send(box.value);
    await draft.saving;
    draft.saving = null;
    if (box.value !== draft.saved && !draft.refused) schedule(PAUSE);
  }

  async function send(text) {
    say("Saving...");
    try {
      const answer = await post(false);
      const told = (answer.headers.get("Content-Type") || "").includes("json") ? await answer.json() : {};
      if (answer.ok) stored(text, told);
      else refuse(told.message || "Your draft could not be saved. Please copy your text before you leave this page.");
    } catch {
      say("Not saved yet: no connection. Your words are still here.");
      schedule(RETRY);
    }
  }

  function stored(text, told) {
    draft.saved = text;
    if (Number.isInteger(told.revision)) form.elements.revision.value = told.revision;
    say(box.value === text ? "Draft saved" : "");
    const support = document.getElementById("support");
    if (told.worried && support) support.hidden = false;
  }

  // The server will not take this draft as it is: say why, and try again only when it changes.
  function refuse(message) {
    draft.refused = true;
    say(message);
  }

  // A page that is left or reloaded at once may come back before its last save has arrived, so this tab
  // keeps the words until then; they are taken back for the same reply only.
  const KEPT = "draft";

  function keep() {
    try { sessionStorage.setItem(KEPT, JSON.stringify({ reply: form.dataset.reply, text: box.value })); } catch { /* full or forbidden */ }
  }

  function takeBack() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(KEPT));
      sessionStorage.removeItem(KEPT);
    } catch { return; }
    if (!kept || kept.reply !== form.dataset.reply || kept.text === box.value) return;
    box.value = kept.text;
    schedule(0);
  }

  function leave() {
    if (draft.refused || box.value === draft.saved || form.dataset.sent) return;
    keep();
    // Browsers carry at most 64 KiB past the end of a page.
    if (new Blob([body().toString()]).size < 60000) post(true).catch(() => {});
  }

  function typed() {
    draft.refused = false;
    grow();
    say("");
    schedule(PAUSE);
    refreshHelp();
  }

  box.addEventListener("input", typed);
  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => { if (document.hidden) save(); });
  window.addEventListener("online", save);
  takeBack();
  grow();

  // --- The help box ------------------------------------------------------------------------

  let asked = box.value; // the text that the answer on the page is about; null when it is an older one
  let sent = box.value; // the text of the last tap
  let patience = 0;
  let moveFocus = false;

  // What is offered depends on whether the text is still the one that the answer was about.
  function refreshHelp() {
    if (!help) return;
    const changed = box.value !== asked;
    for (const part of help.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "changed") !== changed;
  }

  if (!help) return;

  const source = (event) => event.detail.requestConfig?.elt ?? event.detail.elt;
  const isTap = (element) => element.matches("button[hx-post]");
  const isLook = (element) => element.matches("[data-look]");

  function compare() {
    const same = help.querySelector('[data-when="same"]');
    asked = same && same.hidden ? null : sent;
    refreshHelp();
  }

  // Never a spinner for ever: past the server's own limit the page itself says that nothing came.
  function watch() {
    clearTimeout(patience);
    const waiting = help.querySelector("[data-waiting]");
    if (waiting) patience = setTimeout(giveUp, Number(waiting.dataset.waiting) * 1000);
  }

  function giveUp() {
    const waiting = help.querySelector("[data-waiting]");
    const lost = help.querySelector("[data-lost]");
    if (!waiting || !lost) return;
    const focused = waiting.contains(document.activeElement);
    waiting.remove();
    lost.hidden = false;
    if (focused) lost.querySelector("[data-focus]").focus({ preventScroll: true });
  }

  function takeText() {
    const state = help.querySelector(".help-state");
    const given = help.querySelector("textarea.accepted");
    if (state) form.elements.revision.value = state.dataset.revision;
    if (!given) return;
    box.value = draft.saved = sent = given.value;
    given.remove();
    grow();
    say("Draft saved");
  }

  // A tap waits for a save under way, so that the two never overtake each other.
  document.addEventListener("htmx:confirm", (event) => {
    if (!isTap(event.target)) return;
    event.preventDefault();
    clearTimeout(draft.timer);
    Promise.resolve(draft.saving).then(() => { if (event.target.isConnected) event.detail.issueRequest(true); });
  });

  // What is typed while a suggestion is put in would be lost, so the box waits for that one moment.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = source(event);
    if (!isTap(element)) return;
    for (const note of form.querySelectorAll(".unreachable")) note.remove();
    sent = box.value;
    draft.held = true;
    box.readOnly = element.matches("[data-accept]");
  });

  // Only our own fragments go onto the page, whatever their status; an error or login page never does.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const element = source(event);
    if (event.detail.xhr.getResponseHeader("X-Fragment") !== "help") {
      event.detail.shouldSwap = false;
      if (isTap(element)) unreachable(element);
      else if (!event.detail.isError) giveUp();
      return;
    }
    event.detail.shouldSwap = true;
    event.detail.isError = false;
    const active = document.activeElement;
    moveFocus = event.detail.target.contains(active) || (isTap(element) && active === document.body);
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const { target } = event.detail;
    if (isLook(target)) return;
    if (target === help) { takeText(); compare(); watch(); }
    revealClose();
    const place = target === help ? help : document.getElementById("flag");
    if (moveFocus) place?.querySelector("[data-focus], summary")?.focus({ preventScroll: true });
    moveFocus = false;
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const element = source(event);
    if (!isTap(element)) return;
    box.readOnly = draft.held = false;
    if (event.detail.xhr.status === 200 && event.detail.successful) draft.saved = sent;
    if (box.value !== draft.saved) schedule(PAUSE);
    else say("Draft saved");
  });

  // A lost look is tried again until patience ends; a lost tap is told at once.
  function lost(event) {
    const element = source(event);
    if (isTap(element)) unreachable(element);
    else if (isLook(element)) setTimeout(() => { if (element.isConnected) htmx.trigger(element, "again"); }, 2000);
  }

  function unreachable(element) {
    if (form.querySelector(".unreachable")) return;
    const note = document.createElement("p");
    note.className = "unreachable notice warning";
    note.setAttribute("role", "alert");
    note.textContent = "That did not get through. Your words are safe here: carry on writing, or try again.";
    element.after(note);
  }

  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, lost);

  // --- Flag --------------------------------------------------------------------------------

  function revealClose() {
    for (const button of form.querySelectorAll("[data-close]")) button.hidden = false;
  }

  function close(details) {
    details.open = false;
    details.querySelector("summary").focus();
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-close]");
    if (button) close(button.closest("details"));
  });
  form.addEventListener("keydown", (event) => {
    const details = event.key === "Escape" && event.target.closest("#flag details[open]");
    if (details) close(details);
  });

  revealClose();
  compare();
  watch();
})();
