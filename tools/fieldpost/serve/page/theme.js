// Before the page is drawn, so that it does not flash: dark, light, or as the system has it.
"use strict";
(() => {
  const kept = localStorage.getItem("fieldpost.theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
})();
