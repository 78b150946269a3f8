// Filters: each holds what is asked for, and tells of every sample whether it fits. Counting follows from that.

const BINS = 28;

// One or more of a list of options; `codes(place)` are the options that a sample has.
class Options {
  constructor(id, title, names, codesOf, { folded = false, several = false, note = "" } = {}) {
    Object.assign(this, { id, title, names, codesOf, folded, several, note });
    this.chosen = new Set();
    this.all = false;
    this.counts = new Int32Array(names.length);
  }
  get active() { return this.chosen.size > 0; }
  clear() { this.chosen.clear(); this.all = false; }
  prepare() {
    const fits = new Map();  // samples share few lists of options
    this.test = (codes) => {
      let known = fits.get(codes);
      if (known === undefined) {
        const has = (code) => codes.includes(code);
        known = this.all ? [...this.chosen].every(has) : [...this.chosen].some(has);
        fits.set(codes, known);
      }
      return known;
    };
  }
  fits(place) { return this.test(this.codesOf(place)); }
  tally(places) {
    const { counts, codesOf } = this;
    counts.fill(0);
    for (const place of places) { const codes = codesOf(place); for (let i = 0; i < codes.length; i++) counts[codes[i]]++; }
  }
  get text() { return (this.all ? "all:" : "") + [...this.chosen].map((code) => this.names[code]).join(","); }
  set text(text) {
    this.clear();
    if (text.startsWith("all:")) { this.all = true; text = text.slice(4); }
    for (const name of text.split(",")) if (this.names.includes(name)) this.chosen.add(this.names.indexOf(name));
  }
  get words() { return `${this.title}: ${[...this.chosen].map((code) => this.names[code]).join(this.all ? " and " : " or ")}`; }
}

// A span of a number. Bins are of the whole dataset's span, so that bars stay where they are.
class Span {
  constructor(id, title, values, { unit = "", scale = 1, folded = true, limits = [] } = {}) {
    Object.assign(this, { id, title, values, unit, scale, folded, limits });
    let least = Infinity, most = -Infinity;
    for (const value of values) if (value === value) { if (value < least) least = value; if (value > most) most = value; }
    this.least = least; this.most = most > least ? most : least + 1e-6;
    this.low = null; this.high = null;
    this.counts = new Int32Array(BINS);
  }
  get active() { return this.low !== null || this.high !== null; }
  clear() { this.low = this.high = null; }
  prepare() { this.from = this.low ?? -Infinity; this.to = this.high ?? Infinity; }
  fits(place) { const value = this.values[place]; return value >= this.from && value <= this.to; }
  tally(places) {
    const { counts, values, least } = this, each = BINS / (this.most - least);
    counts.fill(0);
    for (const place of places) { const value = values[place]; if (value === value) counts[Math.min(BINS - 1, Math.floor(each * (value - least)))]++; }
  }
  get text() { return `${this.low ?? ""}..${this.high ?? ""}`; }
  set text(text) {
    const [low, high] = text.split("..").map((part) => (part === "" || part === undefined || isNaN(part) ? null : Number(part)));
    this.low = low; this.high = high ?? null;
  }
  shown(value) { return `${Number((value * this.scale).toFixed(this.scale === 100 || this.unit === "°" ? 0 : 3))}`; }
  get words() {
    const ends = [this.low === null ? null : this.shown(this.low), this.high === null ? null : this.shown(this.high)];
    const span = ends[0] === null ? `≤ ${ends[1]}` : ends[1] === null ? `≥ ${ends[0]}` : `${ends[0]} – ${ends[1]}`;
    return `${this.title}: ${span} ${this.unit}`.trim();
  }
}

// Words that a key, a photograph, a person or an occluder has in it.
class Words {
  constructor(samples) { Object.assign(this, { id: "q", title: "Search", samples }); this.words_ = ""; }
  get active() { return this.words_ !== ""; }
  clear() { this.words_ = ""; }
  prepare() {
    const wanted = this.words_.toLowerCase();
    this.columns = ["source", "identity", "asset_ids", "kind", "reasons"].map((name) => this.samples.coded[name]).filter(Boolean)
      .map(({ names, codes }) => ({ codes, found: names.map((name) => String(name).toLowerCase().includes(wanted)) }));
    this.wanted = wanted;
  }
  fits(place) {
    for (const { codes, found } of this.columns) if (codes[place] >= 0 && found[codes[place]]) return true;
    return this.samples.key[place].includes(this.wanted);
  }
  tally() {}
  get text() { return this.words_; }
  set text(text) { this.words_ = text; }
  get words() { return `“${this.words_}”`; }
}

function facetsOf(samples, marked) {
  const { coded, numbers, dataset } = samples;
  const NONE = [];
  const found = [];
  const oneOf = (id, title, name, order, options) => {
    const column = coded[name];
    if (!column) return;
    const names = [...column.names].sort((a, b) => order.indexOf(a) - order.indexOf(b) || (a < b ? -1 : 1));
    const lists = column.names.map((text) => [names.indexOf(text)]);
    found.push(new Options(id, title, names, (place) => lists[column.codes[place]] ?? NONE, options));
  };
  const manyOf = (id, title, name, options, nothing) => {
    const column = coded[name];
    if (!column) return;
    const names = [...new Set(column.names.flat())].sort();
    if (nothing && column.names.some((list) => list.length === 0)) names.push(nothing);
    const lists = column.names.map((list) => (list.length || !nothing ? list : [nothing]).map((text) => names.indexOf(text)));
    if (names.length) found.push(new Options(id, title, names, (place) => lists[column.codes[place]] ?? NONE, { several: true, ...options }));
  };
  const span = (id, title, name, options) => { if (numbers[name]) found.push(new Span(id, title, numbers[name], options)); };

  oneOf("change", "What changed", "change", ["changed", "added", "removed", "moved", "same"]);
  oneOf("why", "Reason", "reasons", [], { folded: true });
  manyOf("kind", "Kind of occluder", "kinds");
  oneOf("split", "Split", "split", ["train", "val", "test"]);
  span("coverage", "Covered, of the picture", "coverage", { unit: "%", scale: 100, folded: false });
  span("yaw", "Yaw", "yaw_deg", { unit: "°", folded: false });
  span("pitch", "Pitch", "pitch_deg", { unit: "°" });
  span("roll", "Roll", "roll_deg", { unit: "°" });
  const parts = ["eyes", "nose", "mouth"].map((name) => numbers[`coverage_${name}`]);
  const regions = Array.from({ length: 8 }, (_, bits) => [0, 1, 2].filter((part) => bits & (1 << part)).concat(bits ? [] : [3]));
  found.push(new Options("region", "Covered region", ["eyes", "nose", "mouth", "none of these"], (place) => {
    let bits = 0;
    for (let part = 0; part < 3; part++) if (parts[part][place] >= 0.5) bits |= 1 << part;
    return regions[bits];
  }, { several: true, note: "Half of it, or more." }));
  manyOf("occluder", "Occluder", "asset_ids", { folded: true });
  span("face", "Covered, of the face", "coverage_face", { unit: "%", scale: 100 });
  manyOf("worn", "Worn already", "worn", {}, "nothing");
  oneOf("hair", "Hair over the face", "hair", ["measured", "none", "unsure"], { folded: true });
  const gates = dataset.gates ?? {};
  span("light", "Light: angle off", "light_deg", { unit: "°", limits: [gates.max_light_deg] });
  span("stops", "Light: stops off", "light_stops", { limits: [-gates.max_light_stops, gates.max_light_stops] });
  span("noise", "Noise against the photograph's", "noise_ratio", { limits: [gates.min_noise_ratio, gates.max_noise_ratio] });
  span("halo", "Halo round the outline", "halo", { unit: "%", scale: 100, limits: [gates.max_halo] });
  span("scale", "Proportions off", "scale_error", { unit: "%", scale: 100, limits: [gates.max_scale_error] });
  if (samples.columns.held_out.some(Boolean)) {
    const lists = [[0], [1]];
    found.push(new Options("held", "Occluder held out of training", ["no", "yes"], (place) => lists[samples.columns.held_out[place]], { folded: true }));
  }
  const lists = [[0], [1]];
  found.push(new Options("marked", "Marked", ["no", "yes"], (place) => lists[+marked.has(samples.key[place])], { folded: true }));
  return found;
}

// Which samples fit all filters, in what order; and for each filter the counts of what fits all others.
class Selection {
  constructor(samples, facets) {
    Object.assign(this, { samples, facets });
    this.words = new Words(samples);
    this.sort = "order"; this.down = false;
    this.shown = new Int32Array(0);
  }
  get all() { return [this.words, ...this.facets]; }

  run() {
    const { n } = this.samples;
    const failed = new Uint8Array(n), last = new Int8Array(n);
    const all = this.all;
    all.forEach((facet, number) => {
      if (!facet.active) return;
      facet.prepare();
      for (let place = 0; place < n; place++) if (!facet.fits(place)) { failed[place]++; last[place] = number; }
    });
    const shown = [], near = all.map(() => []);  // near: what fails this one filter alone, which its counts show too
    for (let place = 0; place < n; place++) {
      if (failed[place] === 0) shown.push(place);
      else if (failed[place] === 1) near[last[place]].push(place);
    }
    all.forEach((facet, number) => facet.tally(near[number].length ? shown.concat(near[number]) : shown));
    this.shown = Int32Array.from(shown);
    this.order();
  }

  order() {
    const values = this.values();
    if (values) {
      const sign = this.down ? -1 : 1;
      const missing = (place) => values[place] !== values[place];
      this.shown.sort((a, b) => missing(a) - missing(b) || sign * (values[a] - values[b]) || a - b);
    } else if (this.down) this.shown.sort((a, b) => b - a);
    else this.shown.sort();
  }

  values() {
    if (this.sort === "order") return null;
    if (this.sort === "random") return this.drawn ??= Float32Array.from(this.samples.key, scrambled);
    if (this.sort === "kind" || this.sort === "split") return this.ranks(this.sort);
    return this.samples.numbers[this.sort] ?? null;
  }

  ranks(name) {
    const { names, codes } = this.samples.coded[name];
    const rank = new Map([...names].sort().map((text, place) => [text, place]));
    return Float32Array.from(codes, (code) => (code < 0 ? NaN : rank.get(names[code])));
  }
}

// The same disorder each time: a page that is opened again shows what it showed.
function scrambled(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return (hash ^ (hash >>> 13)) >>> 0;
}
