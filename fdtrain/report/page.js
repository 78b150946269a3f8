// Makes of each strip of pictures a viewer: two pictures, one over the other, cut at a line that is dragged, or moved by
// the slider's keys; and marks tables that scroll. Without this script the strips stand as they are.
"use strict";
(() => {
  document.documentElement.classList.add("script");

  const made = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  const choice = (text, chosen) => {
    const button = made("button", { type: "button" }, text);
    button.addEventListener("click", chosen);
    return button;
  };

  const viewer = (exhibit, { first, made: verb, truth: noun }) => {
    const pictures = [...exhibit.querySelectorAll(".strip li")].map((item) => ({
      item, role: item.dataset.role, name: item.dataset.name || item.dataset.role, image: item.querySelector("img"),
    }));
    const [occluded, truth] = ["occluded", "truth"].map((role) => pictures.find((one) => one.role === role));
    const results = pictures.filter((one) => one.role === "made");
    let shown = results.find((one) => one.name === first) || results[results.length - 1];
    if (!shown) return null;
    let against = occluded;

    const right = made("img", { alt: "", draggable: "false" });
    const left = made("img", { alt: "", draggable: "false", class: "left" });
    const tags = ["left", "right"].map((side) => made("span", { class: `tag ${side}` }));
    const stage = made("div", { class: "stage" }, right, left, ...tags, made("span", { class: "line" }));
    const slider = made("input", { type: "range", min: "0", max: "100", step: "1", value: "50" });
    const sides = new Map([
      [occluded, choice(`occluded | ${verb}`, () => compare(occluded))],
      [truth, choice(`${verb} | ${noun}`, () => compare(truth))],
    ]);
    const switches = made("div", { class: "switches", role: "group", "aria-label": "What is compared" }, ...sides.values());

    const cut = () => {
      stage.style.setProperty("--cut", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${slider.value} % of the width: ${tags[0].textContent}, then ${tags[1].textContent}`);
    };
    const draw = () => {
      const [one, other] = against === occluded ? [occluded, shown] : [shown, truth];
      [left.src, right.src] = [one.image.src, other.image.src];
      [tags[0].textContent, tags[1].textContent] = [one.name, other.name];
      slider.setAttribute("aria-label", `Line between ${one.name} and ${other.name}`);
      for (const [key, button] of sides) button.setAttribute("aria-pressed", String(key === against));
      for (const one of results) one.button.setAttribute("aria-pressed", String(one === shown));
      cut();
    };
    const compare = (other) => { against = other; draw(); };
    const show = (name) => {
      const found = results.find((one) => one.name === name);
      if (found) { shown = found; draw(); }
    };

    for (const one of results) {
      one.button = choice("", () => show(one.name));
      one.button.append(...one.item.childNodes);
      one.item.append(one.button);
    }
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      slider.value = String(Math.round(100 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))));
      cut();
    };
    stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); follow(event); });
    stage.addEventListener("pointermove", (event) => { if (stage.hasPointerCapture(event.pointerId)) follow(event); });
    slider.addEventListener("input", cut);

    stage.classList.toggle("small", occluded.image.width < 128);
    exhibit.prepend(made("div", { class: "viewer" }, stage, slider, switches));
    draw();
    return { show, names: results.map((one) => one.name) };
  };

  for (const gallery of document.querySelectorAll(".gallery")) {
    const { first, made: verb } = gallery.dataset;
    const viewers = [...gallery.querySelectorAll(".exhibit")].map((one) => viewer(one, gallery.dataset)).filter(Boolean);
    const names = viewers.length ? viewers[0].names : [];
    if (names.length < 2) continue;
    const options = names.map((name) => made("option", name === first ? { value: name, selected: "" } : { value: name }, name));
    const select = made("select", {}, ...options);
    select.addEventListener("change", () => viewers.forEach((one) => one.show(select.value)));
    gallery.prepend(made("p", { class: "choose" }, made("label", {}, `${verb[0].toUpperCase()}${verb.slice(1)} by `, select)));
  }

  // Tables that are wider than their box say so; they fade at the right edge until they are scrolled to its end.
  const edges = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("wide", hidden > 1);
    box.classList.toggle("more", hidden - box.scrollLeft > 1);
  };
  const boxes = [...document.querySelectorAll(".scroll")];
  const watch = new ResizeObserver((entries) => entries.forEach((one) => edges(one.target)));
  for (const box of boxes) {
    box.addEventListener("scroll", () => edges(box), { passive: true });
    watch.observe(box);
  }

  // What is folded away is printed too.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
