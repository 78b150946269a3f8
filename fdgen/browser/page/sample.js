// One sample: two of its pictures under a slider, what is recorded of it, and its siblings.

const NAMES = { occluded: "Occluded", clean: "Clean", mask: "Mask", alpha: "Silhouette", shadow: "Shadow", depth: "Depth", normals: "Normals", mattes: "Mattes" };
const SIBLINGS = 8;

class SampleView {
  constructor({ samples, selection, marks, moved, closed, filter }) {
    Object.assign(this, { samples, selection, marks, moved, filter });
    this.box = $("#sample");
    this.left = "clean"; this.right = "occluded"; this.tinted = false; this.at = 50;
    this.box.addEventListener("close", () => { if (this.place !== null) { this.place = null; closed(); } });
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("click", (event) => { if (event.target === this.box) this.box.close(); });
    this.place = null;
  }

  get number() { return this.selection.shown.indexOf(this.place); }

  async show(place) {
    this.place = place;
    const { samples } = this;
    this.own = samples.at(place);
    this.older = samples.before(place);
    this.draw();
    if (!this.box.open) this.box.showModal();
    this.box.focus();
    this.moved(place);
    let record = null, wrong = "";
    try { record = await recordOf(this.own); } catch (error) { wrong = error.message; }
    if (this.place !== place) return;  // another was opened meanwhile
    $(".facts", this.box).replaceChildren(...(record ? this.facts(place, record) : [el("p", { class: "problem" }, wrong)]));
  }

  step(by) {
    const number = this.number + by;
    if (this.number >= 0 && number >= 0 && number < this.selection.shown.length) this.show(this.selection.shown[number]);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=range]), select")) return;
    const slides = event.target.matches("input[type=range]");
    const acts = { m: () => this.mark(), ...(slides ? {} : { ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1) }), j: () => this.step(1), k: () => this.step(-1),
      s: () => { const range = $(".stage + input", this.box); range?.focus(); }, t: () => this.tint() };
    if (event.key in acts) { event.preventDefault(); event.stopPropagation(); acts[event.key](); }
  }

  mark() {
    this.marks.toggle(this.samples.key[this.place]);
    this.showMark();
  }
  showMark() {
    const marked = this.marks.has(this.samples.key[this.place]), button = $(".mark-this", this.box);
    button.setAttribute("aria-pressed", String(marked));
    button.textContent = marked ? "✓ Marked" : "Mark";
  }
  tint() { this.tinted = !this.tinted; this.stage(); }

  draw() {
    const { samples, place } = this, number = this.number, last = this.selection.shown.length - 1;
    const step = (by, text, label) => el("button", { type: "button", class: "plain", "aria-label": label, disabled: number < 0 || number + by < 0 || number + by > last, onclick: () => this.step(by) }, text);
    this.box.replaceChildren(
      el("div", { class: "head" }, el("h2", {}, samples.key[place]),
        el("span", { class: "where" }, number >= 0 ? `${whole(number + 1)} of ${whole(last + 1)}` : "beyond the filters"),
        step(-1, "←", "Previous sample"), step(1, "→", "Next sample"),
        el("button", { type: "button", class: "mark-this", onclick: () => this.mark() }),
        el("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => this.box.close() }, "✕")),
      el("div", { class: "body" },
        el("div", { class: "seen" }, el("div", { class: "pictures" }), el("div", { class: "layers" }), this.siblings(place)),
        el("div", { class: "facts" }, el("p", { class: "note" }, "Reading the record…"))));
    this.showMark();
    this.stage();
  }

  // The pictures that can be compared: those of this version, and of the older one where there is one.
  choices() {
    const gone = Boolean(this.samples.compares && this.samples.columns.gone[this.place]);
    const list = Object.keys(NAMES).filter((name) => this.samples.dataset.pictures.includes(name)).map((name) => ({ id: name, name: NAMES[name], at: this.own, picture: name }));
    if (this.samples.compares && this.older && !gone)
      for (const name of ["occluded", "clean", "mask"]) list.push({ id: `old-${name}`, name: `${NAMES[name]} before`, at: this.older, picture: name });
    return list;
  }

  stage() {
    const choices = this.choices();
    const compared = choices.some(({ id }) => id === "old-occluded");
    if (compared && !this.chose) { this.left = "old-occluded"; this.right = "occluded"; }
    const side = (id, otherwise) => choices.find((one) => one.id === id) ?? choices.find((one) => one.id === otherwise);
    const left = side(this.left, "clean"), right = side(this.right, "occluded");
    const picture = ({ at, picture: name, name: title }, kind) => el("img", { class: kind, src: pictureUrl(at, name), alt: title, draggable: "false" });
    const range = el("input", { type: "range", min: "0", max: "100", value: String(this.at), "aria-label": `From ${left.name} to ${right.name}`, oninput: () => set(Number(range.value)) });
    const stage = el("div", { class: "stage" }, picture(right, "under"), picture(left, "over"), this.tinted ? el("div", { class: "tint" }) : null, el("i", { class: "edge" }),
      el("span", { class: "tag left" }, left.name), el("span", { class: "tag right" }, right.name));
    if (this.tinted) $(".tint", stage).style.maskImage = `url("${pictureUrl(right.at, "mask")}")`;
    const set = (value) => { this.at = value; range.value = value; stage.style.setProperty("--at", `${value}%`); };
    const follow = (event) => { const box = stage.getBoundingClientRect(); set(Math.max(0, Math.min(100, (100 * (event.clientX - box.left)) / box.width))); };
    stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); follow(event); });
    stage.addEventListener("pointermove", (event) => { if (stage.hasPointerCapture(event.pointerId)) follow(event); });
    set(this.at);
    $(".pictures", this.box).replaceChildren(stage, range);
    const chooser = (label, current, choose) => el("label", { class: "field" }, label, el("select", { onchange: (event) => { this.chose = true; choose(event.target.value); this.stage(); } },
      choices.map(({ id, name }) => el("option", { value: id, selected: id === current.id }, name))));
    const tint = el("label", { class: "option" }, el("input", { type: "checkbox", checked: this.tinted, onchange: () => this.tint() }), "Tint what the mask covers");
    const saves = choices.map(({ id, at, picture: of, name }) => {
      const url = pictureUrl(at, of), kind = /^data:image\/(\w+)/.exec(url)?.[1] ?? "png";
      return el("a", { href: url, download: `${this.samples.key[this.place]}.${id}.${kind}` }, name.toLowerCase());
    });
    $(".layers", this.box).replaceChildren(chooser("Left", left, (id) => { this.left = id; }), chooser("Right", right, (id) => { this.right = id; }), tint,
      el("p", { class: "saves" }, "Save ", ...saves));
  }

  facts(place, record) {
    const { samples } = this;
    const parts = [];
    if (samples.compares) {
      const change = samples.text("change", place), reasons = samples.text("reasons", place), members = samples.text("members", place);
      const meaning = samples.index.comparison.meaning[reasons];
      parts.push(section("Since the older version", rows([["became", change], ["because", meaning ? `${reasons}: ${meaning}` : reasons], ["files that differ", members]])));
    }
    if (record.caption) parts.push(el("p", { class: "lead" }, record.caption));
    parts.push(section("Sample", rows([
      ["wears", record.kinds.join(" + ")], ["occluders", record.asset_ids.join(", ")], ["split", record.split + (record.held_out ? ", occluder held out of training" : "")],
      ["worn already", record.worn === null ? null : record.worn.join(", ") || "nothing"], ["hair over the face", record.hair],
      ["photograph", record.source], ["person", record.identity], ["variant", String(record.variant)], ["drawn at attempt", String(record.attempt)], ["shard", record.shard]])));
    const shares = [["picture", record.coverage], ["face", record.coverage_face], ["eyes", record.coverage_eyes], ["nose", record.coverage_nose], ["mouth", record.coverage_mouth]];
    parts.push(section("Covered", el("dl", { class: "rows meters" }, shares.map(([name, share]) => [el("dt", {}, name), el("dd", {}, el("span", { class: "meter" }, el("i", { style: `width: ${100 * share}%` })), el("span", {}, percent(share)))]))));
    parts.push(section("Pose", rows([["yaw", degrees(record.yaw_deg)], ["pitch", degrees(record.pitch_deg)], ["roll", degrees(record.roll_deg)], ["residual", `${record.pose_residual_px} px`]])));
    const gates = Object.entries(record.gates);
    if (gates.length) parts.push(section("Realism", measured(gates, samples.dataset.gates ?? {})));
    for (const layer of record.placement) parts.push(placed(layer));
    parts.push(section("Commands", ...this.commands(record).map(command)));
    return parts;
  }

  commands(record) {
    const { commands } = this.samples.index;
    const gone = this.samples.compares && this.samples.columns.gone[this.place];
    const where = gone ? commands.before : commands.dataset;
    return [...(commands.replays ? [`fdgen replay ${record.key} --dataset ${where} --out ${record.key}.png`] : []), `fdgen show ${record.key} --dataset ${where}`];
  }

  siblings(place) {
    const { samples } = this, found = [];
    const group = (title, facet, text, same) => {
      const places = [];
      for (let other = 0; other < samples.n; other++) if (other !== place && same(other)) places.push(other);
      if (!places.length) return;
      const all = el("button", { type: "button", class: "plain", onclick: () => { this.box.close(); this.filter(facet, text); } }, `all ${whole(places.length + 1)}`);
      found.push(el("div", { class: "siblings" }, el("h3", {}, title, facet ? all : null),
        el("div", { class: "strip" }, places.slice(0, SIBLINGS).map((other) => el("button", { type: "button", title: samples.says(other), "aria-label": samples.says(other), onclick: () => this.show(other) },
          el("img", { src: thumbnailUrl(samples.at(other), "occluded", 64), alt: "" }))))));
    };
    const source = samples.coded.source_sha256, person = samples.coded.identity, worn = samples.coded.asset_ids;
    if (source) group("Same photograph", "q", samples.text("source", place), (other) => source.codes[other] === source.codes[place]);
    if (person && person.codes[place] >= 0)
      group("Same person", "q", samples.text("identity", place), (other) => person.codes[other] === person.codes[place] && source.codes[other] !== source.codes[place]);
    for (const asset of samples.text("asset_ids", place) ?? []) {
      const wears = worn.names.map((list) => list.includes(asset));
      group(`Same occluder: ${asset}`, "occluder", asset, (other) => wears[worn.codes[other]]);
    }
    return found;
  }
}

const degrees = (angle) => `${angle.toFixed(1)}°`;
const section = (title, ...content) => el("section", {}, el("h3", {}, title), content);
const rows = (pairs) => el("dl", { class: "rows" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

const MEASURES = {
  halo: ["halo round the outline", (value) => percent(value), "max_halo"], noise_ratio: ["noise against the photograph's", (value) => value.toFixed(2), "max_noise_ratio", "min_noise_ratio"],
  light_deg: ["light, angle off", degrees, "max_light_deg"], light_stops: ["light, stops off", (value) => value.toFixed(2), "max_light_stops"], scale_error: ["proportions off", (value) => percent(value), "max_scale_error"],
};

function measured(gates, limits) {
  return rows(gates.map(([name, value]) => {
    const [title, words, most, least] = MEASURES[name] ?? [name, String];
    const allowed = most in limits ? ` of ${least in limits ? `${words(limits[least])} to ` : "at most "}${words(limits[most])}` : "";
    return [title, el("span", {}, words(value), el("small", {}, allowed))];
  }));
}

function placed(layer) {
  const values = layer.values ?? layer;
  const text = JSON.stringify(layer, null, 1);
  return el("details", { class: "placement" }, el("summary", {}, `Placement of ${layer.asset_id ?? layer.kind}`),
    el("dl", { class: "rows values" }, Object.entries(values).map(([name, value]) => [el("dt", {}, name), el("dd", {}, shownValue(name, value))])),
    el("button", { type: "button", onclick: (event) => copied(event.target, text) }, "Copy as JSON"));
}

const displayed = (linear) => Math.round(255 * Math.min(1, Math.max(0, linear)) ** (1 / 2.2));

function shownValue(name, value) {
  if (Array.isArray(value) && name.includes("colour")) {
    const colours = Array.isArray(value[0]) ? value : [value];
    return colours.map((colour) => el("i", { class: "swatch", title: colour.join(", "), style: `background: rgb(${colour.map(displayed).join(" ")})` }));
  }
  if (Array.isArray(value)) return value.length > 8 ? `${value.length} values` : JSON.stringify(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const command = (text) => el("div", { class: "command" }, el("code", {}, text), el("button", { type: "button", onclick: (event) => copied(event.target, text) }, "Copy"));

async function copied(button, text) {
  const before = button.textContent;
  try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select it by hand"; }
  setTimeout(() => { button.textContent = before; }, 1500);
}
