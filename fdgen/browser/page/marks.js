// Marks: kept by the browser for this content, and written as lists that other commands take.

class Marks {
  constructor(contentId) {
    this.store = `fdgen-marks-${contentId}`;
    this.keys = new Set(this.kept());
    this.changed = () => {};
  }
  kept() {
    try { return JSON.parse(localStorage.getItem(this.store) ?? "[]"); } catch { return []; }  // a file may have no storage
  }
  has(key) { return this.keys.has(key); }
  get size() { return this.keys.size; }
  toggle(key) { if (!this.keys.delete(key)) this.keys.add(key); this.save(); }
  add(keys) { for (const key of keys) this.keys.add(key); this.save(); }
  clear() { this.keys.clear(); this.save(); }
  save() {
    try { localStorage.setItem(this.store, JSON.stringify([...this.keys])); } catch { /* they last as long as the page */ }
    this.changed();
  }
}

function written(name, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const tomlList = (texts) => `[\n${texts.map((text) => `  "${text}",`).join("\n")}\n]`;

function listsOf(samples, keys) {
  const photographs = [...new Set(keys.map((key) => samples.text("source", samples.place.get(key))).filter(Boolean))].sort();
  const from = `${samples.dataset.name} ${samples.dataset.version}`;
  return {
    keys: keys.map((key) => `${key}\n`).join(""),
    samples: `# ${counted(keys.length, "sample")} of ${from}, to be left out of training: fdtrain fit --config FILE\n[data]\nwithout_samples = ${tomlList(keys)}\n`,
    photographs: photographs.map((path) => `${path}\n`).join(""),
    n_photographs: photographs.length,
  };
}

function openMarks(samples, selection, marks, redraw) {
  const box = $("#marks");
  const draw = () => {
    const keys = [...marks.keys].filter((key) => samples.place.has(key)).sort();
    const lists = listsOf(samples, keys);
    const none = keys.length === 0;
    box.replaceChildren(
      el("div", { class: "head" }, el("h2", {}, counted(keys.length, "mark")), el("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => box.close() }, "✕")),
      el("p", {}, none ? "Mark samples with m, or with the box in their corner." : "Marks stay in this browser. Write them as a list:"),
      el("div", { class: "choices" },
        choice("Leave them out of training", "data.without_samples", "a settings file for fdtrain fit --config", none, () => written("without-samples.toml", lists.samples)),
        choice("Keys alone", "marks.txt", "one a line; fdgen browse --samples takes it", none, () => written("marks.txt", lists.keys)),
        choice("Their photographs", "photographs.txt", `${counted(lists.n_photographs, "path")} below the folder of faces, one a line`, none, () => written("photographs.txt", lists.photographs))),
      el("div", { class: "row" },
        el("button", { type: "button", disabled: selection.shown.length === 0, onclick: () => { marks.add(Array.from(selection.shown, (place) => samples.key[place])); draw(); } }, `Mark all ${whole(selection.shown.length)} shown`),
        el("label", { class: "button" }, "Load marks.txt", el("input", { type: "file", accept: ".txt,text/plain", class: "hidden", onchange: async (event) => {
          const words = (await event.target.files[0].text()).split(/\s+/).filter((key) => samples.place.has(key));
          marks.add(words); draw();
        } })),
        el("button", { type: "button", class: "danger", disabled: none, onclick: () => { marks.clear(); draw(); } }, "Clear")));
    redraw();
  };
  draw();
  box.showModal();
}

function choice(title, name, note, disabled, write) {
  return el("button", { type: "button", class: "choice", disabled, onclick: write }, el("strong", {}, title), el("code", {}, name), el("small", {}, note));
}
