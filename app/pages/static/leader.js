// The meeting sheet: the keyboard moves down the amounts, totals live. The page works without.
"use strict";
(() => {
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  const form = document.querySelector("form[data-sheet]");
  if (!form) return;
  const decimals = Number(form.dataset.decimals);
  const amounts = [...form.querySelectorAll("input[data-amount]")];
  const counted = form.querySelector("[data-counted]");
  const difference = form.querySelector("[data-difference]");
  let changed = false;

  // Whole minor units, exactly; null for what is no amount.
  const minor = (text) => {
    const found = text.replace(/[,，\s]/g, "").match(/^(\d*)(?:\.(\d*))?$/);
    if (!found || (found[2] || "").length > decimals) return null;
    return BigInt((found[1] || "0") + (found[2] || "").padEnd(decimals, "0"));
  };
  const show = (value) => {
    const sign = value < 0n ? "−" : "";
    const digits = String(value < 0n ? -value : value).padStart(decimals + 1, "0");
    const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
    return sign + whole + (decimals ? "." + digits.slice(-decimals) : "");
  };
  const put = (name, text) => { form.querySelector(`[data-sum="${name}"]`).textContent = text; };
  const total = () => {
    const sums = { paid: 0n, saved: 0n };
    for (const input of amounts) sums[input.dataset.amount] += minor(input.value) ?? 0n;
    const all = sums.paid + sums.saved;
    put("paid", show(sums.paid));
    put("saved", show(sums.saved));
    put("all", show(all));
    const here = [...form.querySelectorAll("[data-attendance]")];
    put("there", here.filter((x) => x.value === "present" || x.value.startsWith("proxy")).length);
    if (!counted) return;
    const given = counted.value.trim() ? minor(counted.value) : null;
    if (given === null) difference.textContent = "";
    else if (given === all) difference.textContent = "✓ " + counted.dataset.right;
    else difference.textContent = "! " + counted.dataset.wrong + " " + show(given - all);
  };
  const touched = () => { changed = true; total(); };
  const fill = (input) => { input.value = input.dataset.full; touched(); };
  const step = (input, by) => {
    const stops = counted ? [...amounts, counted] : amounts;
    const next = stops[stops.indexOf(input) + by];
    if (next) { next.focus(); next.select(); }
  };

  form.addEventListener("input", touched);
  form.addEventListener("change", touched);
  form.addEventListener("keydown", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || event.isComposing) return;
    if (!("amount" in input.dataset) && input !== counted) return;
    const by = { ArrowDown: 1, ArrowUp: -1, Enter: event.shiftKey ? -1 : 1 }[event.key];
    if (by) {
      event.preventDefault();
      step(input, by);
    } else if (event.key === "=" || event.key === "＝") {
      event.preventDefault();
      if (input.dataset.full) fill(input);
    }
  });
  for (const button of form.querySelectorAll("[data-fill]")) {
    button.hidden = false;
    button.tabIndex = -1;
    button.addEventListener("click", () => {
      const input = document.getElementById(button.dataset.fill);
      fill(input);
      input.focus();
    });
  }
  const every = form.querySelector("[data-fill-all]");
  every.addEventListener("click", (event) => {
    event.preventDefault();
    for (const input of amounts) if (input.dataset.due && !input.value) input.value = input.dataset.due;
    touched();
  });
  form.querySelector("[data-keys]").hidden = false;
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  total();
})();
