// Puts the parts together.

const SORTS = [["order", "Order of the dataset"], ["random", "Random"], ["coverage", "Covered, of the picture"], ["coverage_face", "Covered, of the face"], ["kind", "Kind"], ["split", "Split"],
  ["yaw_deg", "Yaw"], ["pitch_deg", "Pitch"], ["roll_deg", "Roll"], ["light_deg", "Light: angle off"], ["light_stops", "Light: stops off"], ["noise_ratio", "Noise"], ["halo", "Halo"], ["scale_error", "Proportions off"]];

function start(index) {
  const samples = new Samples(index);
  const marks = new Marks(samples.dataset.content_id);
  const selection = new Selection(samples, facetsOf(samples, marks));
  const view = new SampleView({ samples, selection, marks, moved: (place) => note(place), closed: () => { note(null); wall.go(wall.current); }, filter });
  const wall = new Wall($("#samples"), $("#wall"), { samples, selection, marked: marks, open: (place) => view.show(place), toggle: (place) => marks.toggle(samples.key[place]) });
  let addressed = "";

  function note(place) {
    if (place !== null) { const number = selection.shown.indexOf(place); if (number >= 0) wall.current = number; }
    address(place === null ? null : samples.key[place]);
  }
  function address(key) {
    const wanted = addressOf(selection, wall, key);
    if (wanted !== addressed) { history.replaceState(null, "", wanted); addressed = wanted; }
  }
  function count() {
    const { shown } = selection;
    $("#count").textContent = shown.length === samples.n ? counted(samples.n, "sample") : `${whole(shown.length)} of ${counted(samples.n, "sample")}`;
    $("#close-filters").textContent = `Show ${counted(shown.length, "sample")}`;
    $("#wall").classList.toggle("empty", shown.length === 0);
  }
  function changed({ keep = false } = {}) {
    selection.run();
    controls.update();
    count();
    if (!keep) { wall.current = 0; $("#samples").scrollTop = 0; }
    wall.renew();
    address(null);
  }
  function filter(id, text) {
    show("samples");
    for (const facet of selection.all) facet.clear();
    selection.all.find((facet) => facet.id === id).text = text;
    $("#words").value = selection.words.text;
    changed();
  }

  // Views.
  const views = [["samples", "Samples"]];
  if (!embedded && samples.dataset.rejects) views.push(["rejects", `Rejects ${whole(samples.dataset.rejects)}`]);
  if (samples.compares) views.push(["changes", "What changed"]);
  function show(name) {
    document.body.dataset.view = name;
    for (const [id] of views) $(`#${id}`).hidden = id !== name;
    for (const tab of $("#tabs").children) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
    const box = $(`#${name}`);
    if (name === "rejects" && !box.firstChild) drawRejects(box);
    if (name === "changes" && !box.firstChild) drawChanges(box, samples, filter);
    if (name === "samples") wall.fit();
  }
  $("#tabs").replaceChildren(...(views.length > 1 ? views : []).map(([id, title]) => el("button", { type: "button", "data-view": id, onclick: () => show(id) }, title)));

  // Tools.
  const controls = new Controls(selection, () => changed());
  const [newer, older] = index.datasets;
  const titled = older && older.name !== newer.name ? `${older.name} → ${newer.name}` : newer.name;
  $("#name").replaceChildren(titled, " ", el("small", {}, older ? `${older.version} → ${newer.version}` : newer.version));
  $("#name").title = $("#name").textContent;
  document.title = `${samples.dataset.name} · fdgen browse`;
  const sorts = SORTS.filter(([id]) => id === "order" || id === "random" || samples.numbers[id] || samples.coded[id]);
  $("#sort").replaceChildren(...sorts.map(([id, name]) => el("option", { value: id }, name)));
  $("#sort").addEventListener("change", (event) => { selection.sort = event.target.value; sorted(); });
  $("#direction").addEventListener("click", () => { selection.down = !selection.down; sorted(); });
  function sorted() { showTools(); selection.order(); wall.current = 0; $("#samples").scrollTop = 0; wall.renew(); address(null); }
  const radios = [["occluded", "Occluded"], ["clean", "Clean"], ["mask", "Mask"]].map(([id, name]) => el("button", { type: "button", role: "radio", "data-picture": id, onclick: () => { wall.picture = id; showTools(); wall.renew(); address(null); } }, name));
  $("#show").replaceChildren(...radios);
  function showTools() {
    for (const radio of radios) radio.setAttribute("aria-checked", String(radio.dataset.picture === wall.picture));
    $("#sort").value = selection.sort;
    $("#direction").textContent = selection.down ? "↓" : "↑";
    $("#direction").setAttribute("aria-label", selection.down ? "Largest first" : "Smallest first");
    $("#direction").title = selection.down ? "Largest first" : "Smallest first";
    $("#words").value = selection.words.text;
  }
  $("#size").addEventListener("input", (event) => { wall.side = Number(event.target.value); wall.fit(); });
  $("#words").addEventListener("input", (event) => { selection.words.text = event.target.value.trim(); controls.soon(); });
  $("#words").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); wall.go(0); }
    if (event.key === "Escape" && event.target.value === "") wall.go(wall.current);
  });
  $("#clear").addEventListener("click", () => { for (const facet of selection.all) facet.clear(); showTools(); changed(); });
  $("#open-filters").addEventListener("click", () => { document.body.classList.add("filtering"); $("#close-filters").focus(); });
  $("#close-filters").addEventListener("click", () => { document.body.classList.remove("filtering"); $("#open-filters").focus(); });
  $("#marks-button").addEventListener("click", () => openMarks(samples, selection, marks, showMarks));
  $("#help-button").addEventListener("click", openHelp);
  function showMarks() { $("#marks-button").textContent = marks.size ? `Marks ${whole(marks.size)}` : "Marks"; wall.remark(); }
  marks.changed = () => { showMarks(); if (selection.facets.some((facet) => facet.id === "marked" && facet.active)) changed({ keep: true }); else { selection.run(); controls.update(); } };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") document.body.classList.remove("filtering");
    if (event.target.matches?.("input, select, textarea") || $("dialog[open]")) return;
    if (event.key === "/") { event.preventDefault(); show("samples"); $("#words").focus(); $("#words").select(); }
    else if (event.key === "?") openHelp();
    else if (["ArrowRight", "ArrowDown"].includes(event.key) && !event.defaultPrevented && document.activeElement === document.body && document.body.dataset.view === "samples") { event.preventDefault(); wall.go(wall.current); }
  });
  addEventListener("hashchange", read);
  function read() {
    const key = takeAddress(selection, wall);
    addressed = location.hash || location.pathname;
    showTools();
    selection.run();
    controls.update();
    count();
    wall.renew();
    if (key && samples.place.has(key)) view.show(samples.place.get(key));
    else if (view.box.open) view.box.close();
  }

  if (matchMedia("(max-width: 599px)").matches) wall.side = 112;
  $("#size").value = wall.side;
  offerTones(samples, controls, () => changed({ keep: true }));
  preparePrint(samples, selection, wall);
  show("samples");
  showMarks();
  read();
}

(async () => {
  try { start(embedded ? embedded.index : await fetched("index.json")); }
  catch (error) { $("#main").replaceChildren(el("p", { class: "problem" }, `This page cannot be shown: ${error.message}`)); throw error; }
})();
