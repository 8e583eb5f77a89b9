// What htmx cannot do for every page: keep one form from being sent twice by a double tap.
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
