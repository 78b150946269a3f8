// Beside the wall: rejects, what changed between two versions, skin tones, the help, and the print.

async function drawRejects(box) {
  box.replaceChildren(el("p", { class: "note" }, "Reading rejects.csv…"));
  let list;
  try { list = await rejectsOf(); } catch (error) { box.replaceChildren(el("p", { class: "problem" }, error.message)); return; }
  const reasons = new Map();
  for (const { reason } of list) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const order = [...reasons].sort((a, b) => b[1] - a[1]);
  let chosen = null, words = "", most = 200;
  const body = el("tbody"), more = el("button", { type: "button", onclick: () => { most += 1000; draw(); } }), number = el("span", { class: "note" });
  const find = el("input", { type: "search", placeholder: "Search photographs and details", "aria-label": "Search rejects", oninput: () => { words = find.value.toLowerCase(); most = 200; draw(); } });
  const buttons = order.map(([reason, n]) => el("button", { type: "button", class: "chip", "aria-pressed": "false", onclick: () => { chosen = chosen === reason ? null : reason; most = 200; draw(); } }, reason, el("span", { class: "number" }, whole(n))));
  function draw() {
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(order[place][0] === chosen)));
    const fits = list.filter((one) => (!chosen || one.reason === chosen) && (!words || `${one.source} ${one.detail}`.toLowerCase().includes(words)));
    body.replaceChildren(...fits.slice(0, most).map((one) => el("tr", {}, el("td", {}, one.source), el("td", { class: "number" }, one.variant), el("td", {}, one.reason), el("td", {}, one.detail))));
    number.textContent = counted(fits.length, "reject");
    more.hidden = fits.length <= most; more.textContent = `Show more of ${whole(fits.length)}`;
  }
  if (!list.length) { box.replaceChildren(el("p", { class: "note" }, "Every face that was looked at gave a sample.")); return; }
  draw();
  box.replaceChildren(el("p", { class: "lead" }, `${counted(list.length, "face")} gave no sample. A build counts and lists each.`), el("div", { class: "chips" }, buttons), el("div", { class: "row" }, find, number),
    el("div", { class: "scroll", tabindex: "0" }, el("table", {}, el("thead", {}, el("tr", {}, ["Photograph", "Variant", "Reason", "Detail"].map((title) => el("th", { scope: "col" }, title)))), body)), more);
}

function drawChanges(box, samples, filter) {
  const { comparison, datasets } = samples.index;
  const [after, before] = datasets;
  const head = el("dl", { class: "rows two" }, [["older", before], ["newer", after]].map(([what, one]) => [el("dt", {}, what), el("dd", {}, `${one.name} ${one.version}, ${counted(one.samples, "sample")}, content ${one.content_id.slice(0, 12)}`)]));
  const parts = [head];
  if (comparison.same) parts.push(el("p", { class: "lead" }, "The same: settings and samples are equal, byte by byte."));
  const list = [["same", "", comparison.counts.same]];
  for (const [change, reasons] of Object.entries(comparison.why)) for (const [reason, n] of Object.entries(reasons)) list.push([change, reason, n]);
  parts.push(section("Samples", table(["Change", "Because", "Samples"], list.map(([change, reason, n]) => [
    el("button", { type: "button", class: "link", onclick: () => filter("change", change) }, change), reason + (comparison.meaning[reason] ? `: ${comparison.meaning[reason]}` : ""), whole(n)]))));
  if (comparison.fields.length)
    parts.push(section("Settings and versions", table(["Setting", "Before", "After"], comparison.fields.map(({ name, before: old, after: now }) => [el("code", {}, name), shortly(old), shortly(now)]))));
  for (const [title, names] of [["Occluders", comparison.assets], ["Photographs", comparison.sources]])
    for (const [what, listed] of Object.entries(names))
      parts.push(section(`${title} ${what}: ${whole(listed.length)}`, el("p", {}, listed.slice(0, 40).map((one) => (Array.isArray(one) ? one.join(" → ") : one)).join(", ") + (listed.length > 40 ? ", …" : ""))));
  box.replaceChildren(...parts);
}

const shortly = (value) => { const text = value === null ? "not set" : typeof value === "string" ? value : JSON.stringify(value); return text.length > 120 ? `${text.slice(0, 117)}…` : text; };
const table = (heads, lines) => el("div", { class: "scroll", tabindex: "0" }, el("table", {}, el("thead", {}, el("tr", {}, heads.map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, lines.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell)))))));

// Nothing on disk has skin tones: the server measures them when asked, in half a minute for ten thousand photographs.
function offerTones(samples, controls, changed) {
  if (embedded || !samples.index.tones) return;
  const note = el("p", { class: "note" }, "Not recorded: measured of each photograph now, not of the person.");
  const button = el("button", { type: "button", onclick: ask }, "Measure skin tones");
  const box = el("details", { class: "facet", id: "facet-tone" }, el("summary", {}, "Skin tone"), note, button);
  $("#facet-occluder").before(box);
  async function ask() {
    button.disabled = true;
    try {
      for (;;) {
        const found = await fetched("tones.json");
        if (found.wrong) { note.textContent = found.wrong; return; }
        if (found.tones) { take(found); return; }
        button.textContent = `Measuring: ${whole(found.done)} of ${whole(found.of)}`;
        await new Promise((done) => setTimeout(done, 500));
      }
    } catch (error) { note.textContent = error.message; }
  }
  function take({ names, tones }) {
    box.remove();
    const lists = names.map((_, code) => [code]), nothing = [];
    const { names: sources, codes } = samples.coded.source_sha256;
    const of = sources.map((source) => lists[tones[source]] ?? nothing);
    controls.insert(new Options("tone", "Skin tone", names, (place) => of[codes[place]], { note: "Of the photograph, not of the person." }), "occluder");
    changed();
  }
}

const KEYS = [["← → ↑ ↓", "move over the wall, or to the next sample"], ["Enter", "open a sample"], ["Escape", "close it"], ["m", "mark it, or not"], ["/", "search"], ["s", "slide between two pictures, by arrows"], ["t", "tint what the mask covers"], ["Home, End", "first and last sample"], ["?", "this help"]];

function openHelp() {
  const box = $("#help");
  box.replaceChildren(el("div", { class: "head" }, el("h2", {}, "Keyboard"), el("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => box.close() }, "✕")),
    el("dl", { class: "rows keys" }, KEYS.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])),
    el("p", { class: "note" }, "Filters stand in the address of the page: keep it to come back, as long as it is served. Marks stay in this browser. Nothing is sent anywhere but to this machine."));
  box.showModal();
}

// On paper: the first of what is shown, in a grid that pages can break.
const PRINTED = 120;

function preparePrint(samples, selection, wall) {
  const paper = el("div", { id: "paper" });
  const draw = () => {
    const places = Array.from(selection.shown.slice(wall.current, wall.current + PRINTED));
    const filters = selection.all.filter((facet) => facet.active).map((facet) => facet.words).join(" · ");
    paper.replaceChildren(el("h1", {}, `${samples.dataset.name} ${samples.dataset.version}`),
      el("p", {}, [`${whole(places.length)} of ${counted(selection.shown.length, "sample")}`, filters].filter(Boolean).join(" · ")),
      el("div", { class: "grid" }, places.map((place) => el("figure", {}, wall.sides(place).filter(Boolean).map((at) => el("img", { src: thumbnailUrl(at, wall.picture, 128), alt: "" })),
        el("figcaption", {}, samples.key[place], el("br"), `${samples.text("kind", place)}, ${percent(samples.number("coverage", place))}`)))));
    document.body.append(paper);
  };
  addEventListener("beforeprint", draw);
  addEventListener("afterprint", () => paper.remove());
}
