// What htmx cannot do for every page: keep a form from being sent twice by a double tap,
// and open the crisis list when a link leads to it.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.dataset.sent) {
    if (form.dataset.sent) event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  form.setAttribute("aria-busy", "true");
  // The server is safe against repeats; a lost connection must not lock the form for good.
  setTimeout(() => { delete form.dataset.sent; form.removeAttribute("aria-busy"); }, 5000);
});

window.addEventListener("pageshow", () => {
  for (const form of document.forms) { delete form.dataset.sent; form.removeAttribute("aria-busy"); }
});

function openCrisis() {
  if (location.hash === "#crisis") document.getElementById("crisis").open = true;
}
window.addEventListener("hashchange", openCrisis);
openCrisis();
