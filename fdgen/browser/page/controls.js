// The filters at the side, the words that say which are in use, and the address that repeats them.

class Controls {
  constructor(selection, changed) {
    Object.assign(this, { selection, changed, drawn: [] });
    const box = $("#facets");
    for (const facet of selection.facets) box.append(this.draw(facet));
  }

  draw(facet) {
    const body = facet instanceof Span ? this.span(facet) : this.options(facet);
    return el("details", { class: "facet", id: `facet-${facet.id}`, open: !facet.folded || facet.active }, el("summary", {}, facet.title), body);
  }

  insert(facet, before) {
    this.selection.facets.push(facet);
    $(`#facet-${before}`).before(this.draw(facet));
  }

  options(facet) {
    const rows = facet.names.map((name, code) => {
      const number = el("span", { class: "number" });
      const box = el("input", { type: "checkbox", onchange: () => {
        if (box.checked) facet.chosen.add(code); else facet.chosen.delete(code);
        if (facet.chosen.size < 2) facet.all = false;
        this.changed();
      } });
      return { box, number, row: el("label", { class: "option" }, box, el("span", { class: "name" }, name || "—"), number) };
    });
    const all = el("input", { type: "checkbox", onchange: () => { facet.all = all.checked; this.changed(); } });
    const both = el("label", { class: "option both", hidden: true }, all, el("span", {}, "all of these at once"));
    this.drawn.push(() => {
      rows.forEach(({ box, number, row }, code) => {
        box.checked = facet.chosen.has(code);
        number.textContent = whole(facet.counts[code]);
        row.classList.toggle("empty", facet.counts[code] === 0 && !box.checked);
      });
      all.checked = facet.all;
      both.hidden = !facet.several || facet.chosen.size < 2;
    });
    const list = el("div", { class: rows.length > 12 ? "list long" : "list" }, rows.map(({ row }) => row));
    if (rows.length <= 12) return el("div", {}, facet.note ? el("p", { class: "note" }, facet.note) : null, list, both);
    const find = el("input", { type: "search", class: "find", placeholder: `Find one of ${rows.length}`, "aria-label": `Find ${facet.title}`,
      oninput: () => rows.forEach(({ row }, code) => { row.hidden = !facet.names[code].includes(find.value.toLowerCase()); }) });
    return el("div", {}, find, list, both);
  }

  span(facet) {
    const { least, most } = facet, step = (most - least) / 200;
    const bars = Array.from({ length: BINS }, () => el("i"));
    const end = (side, name) => el("input", { type: "range", min: String(least), max: String(most), step: "any", "aria-label": `${facet.title}, ${name}`, class: side,
      oninput: () => {
        const value = Number(ends[side].value);
        if (side === "low") facet.low = value <= least + step ? null : Math.min(value, facet.high ?? most);
        else facet.high = value >= most - step ? null : Math.max(value, facet.low ?? least);
        this.soon();
      } });
    const ends = {};
    for (const [side, name] of [["low", "least"], ["high", "most"]]) ends[side] = end(side, name);
    const field = (side, name) => el("input", { type: "number", step: "any", "aria-label": `${facet.title}, ${name}, as a number`, onchange: (event) => {
      const typed = event.target.value === "" ? null : Number(event.target.value) / facet.scale;
      if (side === "low") facet.low = typed; else facet.high = typed;
      this.changed();
    } });
    const low = field("low", "least"), high = field("high", "most");
    const limits = facet.limits.filter((limit) => limit > least && limit < most)
      .map((limit) => el("b", { title: "limit of the recipe", style: `left:${(100 * (limit - least)) / (most - least)}%` }));
    this.drawn.push(() => {
      const tallest = Math.max(1, ...facet.counts);
      bars.forEach((bar, place) => {
        bar.style.height = facet.counts[place] ? `${Math.max(4, (100 * facet.counts[place]) / tallest)}%` : "0";
        const from = least + (place * (most - least)) / BINS, to = from + (most - least) / BINS;
        bar.classList.toggle("out", to < (facet.low ?? -Infinity) || from > (facet.high ?? Infinity));
      });
      ends.low.value = facet.low ?? least; ends.high.value = facet.high ?? most;
      low.value = facet.low === null ? "" : facet.shown(facet.low); low.placeholder = facet.shown(least);
      high.value = facet.high === null ? "" : facet.shown(facet.high); high.placeholder = facet.shown(most);
    });
    return el("div", { class: "span" }, el("div", { class: "bars" }, bars, limits), el("div", { class: "ends" }, ends.low, ends.high),
      el("div", { class: "typed" }, low, el("span", {}, "to"), high, el("span", { class: "unit" }, facet.unit)));
  }

  soon() { this.waiting ??= requestAnimationFrame(() => { this.waiting = null; this.changed(); }); }

  update() {
    for (const draw of this.drawn) draw();
    const active = this.selection.all.filter((facet) => facet.active);
    const chips = active.map((facet) => el("button", { type: "button", class: "chip", title: "Remove this filter", onclick: () => { facet.clear(); this.changed(); } },
      el("span", {}, facet.words), el("span", { "aria-hidden": "true" }, "✕")));
    $("#chips").replaceChildren(...chips);
    $("#clear").hidden = active.length === 0;
    $("#open-filters").textContent = active.length ? `Filters · ${active.length}` : "Filters";
    for (const facet of active) { const box = $(`#facet-${facet.id}`); if (box && !box.dataset.seen) { box.open = true; box.dataset.seen = "1"; } }
  }
}

// What is asked for stands in the address: it can be kept, and the browser's own back works.
function addressOf(selection, wall, key) {
  const words = [];
  const add = (name, value) => words.push(`${name}=${encodeURIComponent(value).replaceAll("%2C", ",").replaceAll("%20", "+")}`);
  for (const facet of selection.all) if (facet.active) add(facet.id, facet.text);
  if (selection.sort !== "order" || selection.down) add("sort", (selection.down ? "-" : "") + selection.sort);
  if (wall.picture !== "occluded") add("show", wall.picture);
  if (key) add("sample", key);
  return words.length ? `#${words.join("&")}` : location.pathname;
}

function takeAddress(selection, wall) {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const facet of selection.all) { facet.clear(); if (asked.has(facet.id)) facet.text = asked.get(facet.id); }
  const sort = asked.get("sort") ?? "order";
  selection.down = sort.startsWith("-");
  selection.sort = sort.replace(/^-/, "");
  wall.picture = ["clean", "mask"].includes(asked.get("show")) ? asked.get("show") : "occluded";
  return asked.get("sample");
}
