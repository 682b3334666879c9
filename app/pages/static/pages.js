// Pan and zoom of network drawings, the focus on what is wrong with a form, and where one is in a
// row of links. Pages work without.
"use strict";
(() => {
  const wrong = document.getElementById("wrong");
  if (wrong) wrong.focus();

  // Of a row that is moved sideways, the place where one is.
  for (const here of document.querySelectorAll(":is(.entries, .tabs) [aria-current]")) {
    const row = here.closest(".tabs") || here.closest("ul");
    row.scrollLeft = here.getBoundingClientRect().left - row.getBoundingClientRect().left
      + row.scrollLeft - (row.clientWidth - here.offsetWidth) / 2;
  }

  // A slider says where it stands.
  for (const slider of document.querySelectorAll("input[data-says]")) {
    const says = document.getElementById(slider.dataset.says);
    slider.addEventListener("input", () => { says.textContent = Number(slider.value).toFixed((slider.max.split(".")[1] || "").length); });
  }

  for (const figure of document.querySelectorAll("figure[data-zoom]")) {
    const svg = figure.querySelector("svg");
    const whole = svg.viewBox.baseVal;
    const start = [whole.x, whole.y, whole.width, whole.height];
    let view = [...start];
    const show = () => svg.setAttribute("viewBox", view.join(" "));
    const zoom = (factor, x = view[0] + view[2] / 2, y = view[1] + view[3] / 2) => {
      const width = Math.min(start[2], Math.max(start[2] / 20, view[2] * factor));
      const real = width / view[2];
      view = [x - (x - view[0]) * real, y - (y - view[1]) * real, width, view[3] * real];
      show();
    };
    const move = (dx, dy) => { view[0] += dx; view[1] += dy; show(); };
    const reset = () => { view = [...start]; show(); };

    const bar = document.createElement("div");
    bar.className = "zoom-bar";
    const button = (sign, label, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "quiet";
      made.textContent = sign;
      made.setAttribute("aria-label", label);
      made.addEventListener("click", act);
      bar.append(made);
    };
    button("+", figure.dataset.zoomIn, () => zoom(0.7));
    button("−", figure.dataset.zoomOut, () => zoom(1 / 0.7));
    button("⟲", figure.dataset.zoomReset, reset);
    figure.prepend(bar);

    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = svg.getBoundingClientRect();
      zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15,
        view[0] + ((event.clientX - box.left) / box.width) * view[2],
        view[1] + ((event.clientY - box.top) / box.height) * view[3]);
    }, { passive: false });
    let held = null;
    svg.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; });
    window.addEventListener("pointerup", () => { held = null; });
    svg.addEventListener("pointermove", (event) => {
      if (!held) return;
      const scale = view[2] / svg.getBoundingClientRect().width;
      move((held[0] - event.clientX) * scale, (held[1] - event.clientY) * scale);
      held = [event.clientX, event.clientY];
    });
  }
})();
