// What the page knows: columns of all samples, the pictures and the records of one.

const $ = (selector, root = document) => root.querySelector(selector);

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "style") made.style.cssText = value;  // as an attribute the page's policy refuses it
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list" && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const whole = (number) => number.toLocaleString("en");
const counted = (number, word) => `${whole(number)} ${word}${number === 1 ? "" : "s"}`;
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

const embedded = $("#data") ? JSON.parse($("#data").textContent) : null;

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    const text = await answer.text();
    let said = text.trim();
    try { const parsed = JSON.parse(text); said = `${parsed.wrong}: ${parsed.hint}`; } catch { /* it is a sentence */ }
    throw new Error(said || `the server answers with ${answer.status}`);
  }
  return answer.json();
}

// All samples of the page, by columns. A sample is its place, 0 to n - 1.
class Samples {
  constructor(index) {
    this.index = index;
    this.columns = index.columns;
    this.n = this.columns.key.length;
    this.key = this.columns.key;
    this.coded = {};
    this.numbers = {};
    for (const [name, column] of Object.entries(this.columns)) {
      if (column.codes) this.coded[name] = { names: column.names, codes: Int32Array.from(column.codes) };
      else if (typeof column[0] === "number" || column[0] === null)
        this.numbers[name] = Float32Array.from(column, (value) => (value === null ? NaN : value));
    }
    this.place = new Map(this.key.map((key, place) => [key, place]));
    this.dataset = index.datasets[0];
    this.compares = index.datasets.length > 1;
  }

  text(name, place) {
    const column = this.coded[name];
    return column && column.codes[place] >= 0 ? column.names[column.codes[place]] : null;
  }

  number(name, place) { return this.numbers[name] ? this.numbers[name][place] : NaN; }

  // Where a sample lies: the version (0 is the newer one) and its row there.
  at(place) { return this.compares ? [this.columns.gone[place], this.columns.row[place]] : [0, place]; }

  before(place) {
    const row = this.compares ? this.columns.before[place] : -1;
    return row < 0 ? null : [1, row];
  }

  says(place) {
    const words = [this.key[place], this.text("kind", place), `covers ${percent(this.number("coverage", place))}`, this.text("split", place)];
    if (this.compares) words.push(this.text("change", place));
    return words.filter(Boolean).join(", ");
  }
}

const SIDES = [64, 96, 128, 192, 256];

function thumbnailUrl([version, row], picture, px) {
  if (embedded) return embedded.pictures[row][picture] ?? embedded.pictures[row].occluded;
  const wanted = px * Math.min(2, window.devicePixelRatio || 1);
  return `t/${version}/${row}/${picture}-${SIDES.find((side) => side >= wanted) ?? 256}.jpg`;
}

const pictureUrl = ([version, row], picture) => (embedded ? embedded.pictures[row][picture] : `p/${version}/${row}/${picture}.png`);
const recordOf = async ([version, row]) => (embedded ? embedded.records[row] : fetched(`s/${version}/${row}.json`));
const rejectsOf = async () => (embedded ? [] : fetched("rejects.json"));
